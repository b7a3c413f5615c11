"""Network namespaces without names: each is held by an open file of this process and by the
processes inside, so that the kernel removes it, with its interfaces and rules, when they are gone,
however they ended."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{function.__name__}: {os.strerror(error)}")


class NetNs:
    """A new network namespace, its loopback up."""

    def __init__(self):
        here = _current()
        try:
            _call(_libc.unshare, CLONE_NEWNET)
            self.fd = _current()
        finally:
            _call(_libc.setns, here, CLONE_NEWNET)
            os.close(here)
        self.ip("link set lo up")

    def close(self):
        os.close(self.fd)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def entered(self):
        """Within, the calling thread, its new sockets and its new children are inside. Other
        threads are not."""
        here = _current()
        _call(_libc.setns, self.fd, CLONE_NEWNET)
        try:
            yield self
        finally:
            _call(_libc.setns, here, CLONE_NEWNET)
            os.close(here)

    def ip(self, *lines):
        self._feed(["ip", "-batch", "-"], "\n".join(lines) + "\n")

    def redirect(self, proxy_uid, outbound=15001, inbound=15006, never=()):
        """Istio's interception: what the application sends goes to `outbound`, what arrives to
        `inbound` (None: as it is), but for the proxy's own connections, loopback, and the ports
        that `never` names."""
        rules = [
            "*nat",
            f"-A OUTPUT -p tcp -m owner --uid-owner {proxy_uid} -j RETURN",
            "-A OUTPUT -p tcp -d 127.0.0.0/8 -j RETURN",
            f"-A OUTPUT -p tcp -j REDIRECT --to-ports {outbound}",
        ]
        if inbound is not None:
            rules += [f"-A PREROUTING -p tcp --dport {port} -j RETURN" for port in never]
            rules.append(f"-A PREROUTING -p tcp -j REDIRECT --to-ports {inbound}")
        self._feed(["iptables-restore"], "\n".join([*rules, "COMMIT", ""]))

    def drop_from(self, address, port):
        """From now on nothing that this TCP port of another's sends arrives here."""
        rule = f"-A INPUT -p tcp -s {address} --sport {port} -j DROP"
        self._feed(["iptables-restore"], f"*filter\n{rule}\nCOMMIT\n")

    def _feed(self, command, text):
        with self.entered():
            done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()} (of: {text.strip()})")


def may_create():
    """Whether this process may make network namespaces and rules in them: tries it. Root in a
    container may not."""
    try:
        probe = NetNs()
    except (OSError, RuntimeError):
        return False
    try:
        probe.redirect(0)
        return True
    except (OSError, RuntimeError):
        return False
    finally:
        probe.close()


class Bridge:
    """A namespace with a bridge that joins others: `network` is a prefix such as 10.0.0.0/8's
    length."""

    def __init__(self, address, prefix_length):
        self.netns = NetNs()
        self.prefix_length = prefix_length
        self.address = address
        self._count = 0
        self.netns.ip(
            # An address of its own: otherwise it changes as ports join, and neighbours lose it.
            "link add br0 address 02:00:00:00:00:01 type bridge forward_delay 0",
            f"addr add {address}/{prefix_length} dev br0",
            "link set br0 up",
        )

    def join(self, netns, address):
        """Give `netns` an interface eth0 with `address` on this bridge."""
        self._count += 1
        port = f"veth{self._count}"
        self.netns.ip(
            f"link add {port} type veth peer name eth0 netns {netns.path}",
            f"link set {port} master br0 up",
        )
        netns.ip(
            f"addr add {address}/{self.prefix_length} dev eth0",
            "link set eth0 up",
            f"route add default via {self.address}",
        )

    def close(self):
        self.netns.close()


def _current():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
