"""An HTTP/1.1 client that shows what happens on the wire: one connection, kept alive, timed."""

import contextlib
import dataclasses
import json
import socket
import time


@dataclasses.dataclass
class Response:
    status: int
    headers: dict  # names in lower case
    body: bytes
    ms: float  # from the first byte sent to the last byte received

    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode(errors="replace")

    @property
    def peer(self):
        """The peer of the lab's application, as it saw it."""
        return self.headers.get("x-peer", "")


class Connection:
    """One TCP connection to `address`, opened inside `netns` (None: where the caller is) at the
    first request."""

    def __init__(self, address, netns=None, timeout=10.0):
        self.address = address
        self.netns = netns
        self.timeout = timeout
        self.socket = None
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def open(self):
        with self.netns.entered() if self.netns else contextlib.nullcontext():
            self.socket = socket.create_connection(self.address, timeout=self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        return self

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def request(self, host, path="/", method="GET", body=b"", headers=None):
        """Send one request and read its response. Raises OSError where there is none."""
        begun = time.perf_counter()
        if self.socket is None:
            self.open()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body)}")
        try:
            self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            status, fields, content = self._read(method)
        except BaseException:
            self.close()
            raise
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Response(status, fields, content, (time.perf_counter() - begun) * 1000)

    def _read(self, method):
        head = self._until(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
        fields = {}
        for line in rest:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        if method == "HEAD" or status in (204, 304):
            return status, fields, b""
        if fields.get("transfer-encoding", "").lower() == "chunked":
            return status, fields, self._chunks()
        return status, fields, self._exactly(int(fields.get("content-length", 0)))

    def _chunks(self):
        content = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            content += self._exactly(size)
            self._exactly(2)
        self._until(b"\r\n")
        return content

    def _fill(self):
        more = self.socket.recv(1 << 16)
        if not more:
            raise ConnectionResetError("the connection ended before the response did")
        self.buffer += more

    def _until(self, mark):
        while mark not in self.buffer:
            self._fill()
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def _exactly(self, size):
        while len(self.buffer) < size:
            self._fill()
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found


def get(address, path, netns=None, timeout=10.0):
    """GET over a connection of its own, as an operator's curl would."""
    with Connection(address, netns, timeout) as connection:
        return connection.request(f"{address[0]}:{address[1]}", path)
