"""One lab: the network, the controller, the egress, and pods with real sidecars. Whatever it
started is gone when it is closed, and also when the process is killed: see process.py and netns.py.
"""

import contextlib
import glob
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from lab import http
from lab.envoy import ENVOY_UID, Envoy
from lab.forwarder import Forwarder
from lab.mesh_file import MeshFile
from lab.netns import Bridge, NetNs, may_create
from lab.process import Process, stop_all

TRANSPARENT, BOUND = "transparent", "bound"
GRPC_PORT, EGRESS_PORT, CONTROLLER_ADMIN, EGRESS_ADMIN, ENVOY_ADMIN = (
    15010,
    15080,
    15014,
    15021,
    15000,
)
_PREFIX = "lazymesh-lab-"


class Program:
    """One of our programs with an admin listener."""

    def __init__(self, name, argv, log, admin, netns):
        self.admin = admin
        self.netns = netns
        self._start = lambda: Process(name, argv, log, netns)
        self.process = self._start()

    def wait_ready(self, seconds=60.0):
        self.process.until(lambda: self.get("/readyz").status == 200, seconds, "ready")
        return self

    def restart(self):
        """Start it again after its end."""
        self.process = self._start()
        return self

    def get(self, path):
        return http.get(self.admin, path, self.netns)

    def metrics(self):
        """Samples by name with labels, as printed: 'lazymesh_xds_nacks_total{type="cds"}'."""
        lines = self.get("/metrics").text.splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}


class Lab:
    def __init__(self, shape=None, programs=None, envoy=None):
        transparent = shape != BOUND and may_create()
        if shape == TRANSPARENT and not transparent:
            raise PermissionError(
                "the transparent shape needs root, for network namespaces; the bound shape does not"
            )
        self.shape = TRANSPARENT if transparent else BOUND
        self.programs = programs or _from_environment("LAZYMESH_BIN")
        self.envoy_binary = envoy or _from_environment("LAZYMESH_ENVOY")
        remove_leftovers()
        self.dir = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
        os.chmod(self.dir, 0o755)
        self.pods = {}
        self.controller = self.egress = None
        self._closers = contextlib.ExitStack()
        self._processes = []
        self._vips = (
            f"10.96.{high}.{low}" for high, low in itertools.product(range(256), range(1, 255))
        )
        try:
            self._lay_network()
        except BaseException:
            self.close()
            raise
        self.mesh = MeshFile(
            self.path("mesh.yaml"),
            shape=self.shape,
            egress=[_text(self.egress_address)],
            reporters=[self.egress_address[0]],
        )
        if self.shape == BOUND:
            self.mesh.settings["trustBoundAddresses"] = True

    def _lay_network(self):
        if self.shape == TRANSPARENT:
            self.bridge = Bridge("10.0.0.1", 8)
            self._closers.callback(self.bridge.close)
            self.hub = self.bridge.netns
            self.egress_netns = self._namespace("10.0.0.2")
            self._addresses = (
                f"10.1.{high}.{low}" for high, low in itertools.product(range(256), range(1, 255))
            )
            self.grpc_address = ("10.0.0.1", GRPC_PORT)
            self.egress_address = ("10.0.0.2", EGRESS_PORT)
            self.controller_admin = ("127.0.0.1", CONTROLLER_ADMIN)
            self.egress_admin = ("127.0.0.1", EGRESS_ADMIN)
        else:
            self.hub = self.egress_netns = None
            self.block = _free_block()
            self._addresses = (f"{self.block}.{low}" for low in range(10, 255))
            self.grpc_address = (f"{self.block}.1", GRPC_PORT)
            self.egress_address = (f"{self.block}.2", EGRESS_PORT)
            self.controller_admin = (f"{self.block}.1", CONTROLLER_ADMIN)
            self.egress_admin = (f"{self.block}.2", EGRESS_ADMIN)

    def _namespace(self, address):
        netns = NetNs()
        self._closers.callback(netns.close)
        self.bridge.join(netns, address)
        return netns

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End everything, leave nothing. Ctrl-C does not interrupt it."""
        with _interrupts_ignored():
            stop_all(self._processes + [each.process for each in self._with_process()])
            self._closers.close()
            if not os.environ.get("LAZYMESH_KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)

    def _with_process(self):
        envoys = [pod.envoy for pod in self.pods.values()]
        return [each for each in (*envoys, self.egress, self.controller) if each is not None]

    def path(self, name):
        return os.path.join(self.dir, name)

    def log(self, name):
        os.makedirs(self.path("logs"), exist_ok=True)
        return self.path(f"logs/{name.replace('/', '.')}.log")

    def program(self, name):
        return os.path.join(self.programs, name)

    def run(self, name, argv, netns=None, **options):
        """Start one of our programs in the lab."""
        process = Process(
            name, [self.program(argv[0]), *argv[1:]], self.log(name), netns, **options
        )
        self._processes.append(process)
        return process

    def start_controller(self, *more, store="store.db", text=None):
        """Put the mesh file (or this text for it) in force and start the controller on it."""
        self.mesh.write(text)
        self.controller = Program(
            "controller",
            [
                self.program("lazymesh-controller"),
                "--mesh",
                self.mesh.path,
                "--store",
                self.path(store),
                "--grpc",
                _text(self.grpc_address),
                "--admin",
                _text(self.controller_admin),
                *more,
            ],
            self.log("controller"),
            self.controller_admin,
            self.hub,
        )
        return self.controller

    def start_egress(self, *more):
        if self.shape == BOUND:
            more = ("--bind-upstream", self.egress_address[0], *more)
        self.egress = Program(
            "egress",
            [
                self.program("lazymesh-egress"),
                "--listen",
                _text(self.egress_address),
                "--controller",
                _text(self.grpc_address),
                "--admin",
                _text(self.egress_admin),
                *more,
            ],
            self.log("egress"),
            self.egress_admin,
            self.egress_netns,
        )
        return self.egress

    def next_vip(self):
        return next(self._vips)

    def pod(self, namespace, name, sidecar=True, inbound=True, **labels):
        """Make a pod and its workload. With `sidecar`, its traffic is intercepted (`inbound`: what
        arrives too); start the sidecar itself by start_sidecars()."""
        pod = Pod(self, namespace, name, next(self._addresses))
        if self.shape == TRANSPARENT:
            pod.netns = self._namespace(pod.address)
            pod.behind_sidecar = sidecar and inbound
            if sidecar:
                pod.netns.redirect(ENVOY_UID, inbound=15006 if inbound else None)
        else:
            pod.app_address = pod.address.replace(self.block, _beside(self.block))
        self.mesh.workload(namespace, name, [pod.address], **labels)
        self.pods[pod.id] = pod
        return pod

    def start_sidecars(self, pods, sotw=False, wait=True, seconds=60.0):
        """Start the real Envoy of each pod, all at once, and wait until they are ready."""
        # A bootstrap does not depend on the services, which take time to read once a sidecar.
        mesh = self.path("mesh-without-services.yaml")
        with open(mesh, "w", encoding="utf-8") as file:
            file.write(self.mesh.text(services=False))
        makers = [(pod, self._bootstrap(pod, mesh, sotw)) for pod in pods]
        for pod, maker in makers:
            text, error = maker.communicate(timeout=60)
            if maker.returncode != 0:
                raise RuntimeError(f"lazymeshctl bootstrap {pod.id}: {error.strip()}")
            config = self.path(f"{pod.namespace}.{pod.name}.bootstrap.json")
            with open(config, "w", encoding="utf-8") as file:
                file.write(text)
            pod.envoy = Envoy(
                self.envoy_binary,
                config,
                pod.envoy_admin,
                self.log(f"envoy.{pod.id}"),
                pod.id,
                pod.netns,
                ENVOY_UID if self.shape == TRANSPARENT else None,
            )
        if wait:
            for pod in pods:
                pod.envoy.wait_ready(seconds)

    def _bootstrap(self, pod, mesh, sotw):
        command = [
            self.program("lazymeshctl"),
            "bootstrap",
            pod.id,
            "--mesh",
            mesh,
            "--controller",
            _text(self.grpc_address),
            "--envoy-admin",
            _text(pod.envoy_admin),
            *(["--sotw"] if sotw else []),
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop_sidecars(self, pods):
        stop_all([pod.envoy.process for pod in pods if pod.envoy])
        for pod in pods:
            pod.envoy = None

    def via(self, client, peer):
        """How a request of `client` reached a destination that saw `peer`: "egress" or "direct"."""
        known = {self.egress_address[0]: "egress", client.address: "direct"}
        return known.get(peer, f"unknown peer '{peer}'")

    def sidecars(self):
        """What /sidecars says, by workload."""
        answer = self.controller.get("/sidecars").json()
        return {sidecar["workload"]: sidecar for sidecar in answer["sidecars"]}

    def dependencies(self):
        """What was learned: {(source, host, port): the dependency}."""
        answer = self.controller.get("/dependencies").json()
        return {
            (each["source"], each["host"], each["port"]): each for each in answer["dependencies"]
        }

    def reachable(self, address, netns):
        """An address at which the user's own shell reaches `address` inside `netns`."""
        if netns is None:
            return _text(address)
        forwarder = Forwarder(address, netns)
        self._closers.callback(forwarder.close)
        return _text(forwarder.address)


class Pod:
    """A place with an address of its own: the application and, once started, its sidecar."""

    def __init__(self, lab, namespace, name, address):
        self.lab = lab
        self.namespace = namespace
        self.name = name
        self.id = f"{namespace}/{name}"
        self.address = address  # the workload's, as the mesh file and peers know it
        self.app_address = address  # where its application listens
        self.netns = None
        self.behind_sidecar = False
        self.envoy = None
        self._loads = 0

    @property
    def envoy_admin(self):
        return ("127.0.0.1" if self.netns else self.address, ENVOY_ADMIN)

    def where(self, host, port=None):
        """Where this pod's application connects to for a service: its VIP, or in the bound shape
        its own sidecar."""
        service = self.lab.mesh.services[host]
        port = port or service["ports"][0]["number"]
        return (service["vips"][0] if self.netns else self.address, port)

    def connect(self, host, port=None, timeout=10.0):
        """A connection of this pod's application to a service."""
        return http.Connection(self.where(host, port), self.netns, timeout)

    def get(self, host, path="/", port=None, **options):
        """One request over a connection of its own."""
        with self.connect(host, port) as connection:
            return connection.request(host, path, **options)

    def tcp(self, address, timeout=10.0):
        """A plain connection of this pod's application."""
        with self.netns.entered() if self.netns else contextlib.nullcontext():
            return socket.create_connection(address, timeout=timeout)

    def endpoint(self, port):
        return (self.app_address, port)

    def serve(self, *http_ports, echo=(), banner=(), calls=()):
        """Start this pod's application: HTTP on some ports, TCP on others. `calls`: hosts that
        /tree calls."""
        address = "0.0.0.0" if self.netns else self.app_address
        argv = ["lazymesh-testapp", "serve", "--name", self.name]
        for option, ports in (("--http", http_ports), ("--echo", echo), ("--banner", banner)):
            for port in ports:
                argv += [option, f"{address}:{port}"]
        for host in calls:
            argv += ["--call", f"{host}={_text(self.where(host))}"]
        if self.behind_sidecar:
            argv.append("--behind-sidecar")
        return self.lab.run(f"app.{self.id}", argv, self.netns)

    def load(
        self,
        hosts,
        connections=1,
        rate=0.0,
        duration_ms=0,
        requests=0,
        ramp_ms=0,
        timeout_ms=5000,
        path="/",
    ):
        """Start this pod's application as a load on services: hosts, or (host, port)."""
        self._loads += 1
        argv = [
            "lazymesh-testapp",
            "load",
            "--connections",
            connections,
            "--rate",
            rate,
            "--duration-ms",
            duration_ms,
            "--requests",
            requests,
            "--ramp-ms",
            ramp_ms,
            "--timeout-ms",
            timeout_ms,
            "--path",
            path,
        ]
        for host in hosts:
            host, port = host if isinstance(host, tuple) else (host, None)
            argv += ["--target", f"{host}={_text(self.where(host, port))}"]
        return Load(
            self.lab.run(f"load{self._loads}.{self.id}", [str(part) for part in argv], self.netns)
        )


class Load:
    """A load under way."""

    def __init__(self, process):
        self.process = process

    def stop(self):
        """End it, and return its report."""
        self.process.signal(signal.SIGTERM)
        return self.result(20)

    def result(self, seconds):
        """Wait for its end, and return its report."""
        self.process.wait(seconds)
        return json.loads(self.process.output())


def _from_environment(name):
    if name not in os.environ:
        raise RuntimeError(f"{name} is not set: start this by ./run, which sets it")
    return os.environ[name]


def _text(address):
    return f"{address[0]}:{address[1]}"


def _beside(block):
    first, second, third = block.split(".")
    return f"{first}.{second}.{int(third) + 1}"


def _free_block():
    """Two neighbouring /24 of loopback that nobody uses: the first for workloads, the second for
    applications."""
    for attempt in range(1000):
        number = os.getpid() + attempt * 7919
        block = f"127.{64 + number % 128}.{number // 128 % 127 * 2}"
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((f"{block}.1", GRPC_PORT))
            return block
    raise RuntimeError(f"no free block of loopback addresses for port {GRPC_PORT}")


def remove_leftovers():
    """Remove the folders of labs whose process is dead (killed before it could)."""
    for folder in glob.glob(os.path.join(tempfile.gettempdir(), f"{_PREFIX}*")):
        pid = os.path.basename(folder)[len(_PREFIX) :].split("-")[0]
        if not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _interrupts_ignored():
    try:
        before = [
            (number, signal.signal(number, signal.SIG_IGN))
            for number in (signal.SIGINT, signal.SIGTERM)
        ]
    except ValueError:  # not on the main thread
        before = []
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
