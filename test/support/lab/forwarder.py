"""A way for the user's own shell into a namespace: a listener on 127.0.0.1 whose connections go on
inside."""

import contextlib
import socket
import threading


class Forwarder:
    """Listens on a free port of 127.0.0.1, outside, and connects each connection to `target` in
    `netns`."""

    def __init__(self, target, netns):
        self.target = target
        self.netns = netns
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                outside, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self.netns.entered():
                    inside = socket.create_connection(self.target, timeout=5)
                inside.settimeout(None)
            except OSError:
                outside.close()
                continue
            for source, sink in ((outside, inside), (inside, outside)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
