"""The mesh that the tests run in, and the words they use about it."""

import contextlib
import itertools

from lab import eventually

NAMESPACE = "shop"  # lazy
PLAIN = "plain"  # not lazy
PORT = 9080
SERVICES = 100
LEARN_SECONDS = 5


class World:
    """A running lab with controller and egress, and services that one real application serves."""

    def __init__(self, lab, services=SERVICES):
        self.lab = lab
        self.mesh = lab.mesh
        self.egress_ip = lab.egress_address[0]
        self.mesh.namespace(NAMESPACE, **{"lazymesh.io/lazy": "enabled"})
        self.mesh.namespace(PLAIN)
        self.backend = self._server("backend")
        self.other_backend = self._server("other-backend")
        self.hosts = [self.service(f"real-{index}") for index in range(services)]
        self._fresh = iter(self.hosts)
        self._names = (f"client-{index}" for index in itertools.count())

    def _server(self, name):
        pod = self.lab.pod(NAMESPACE, name, sidecar=False)
        pod.serve(PORT, echo=[7001], banner=[7002])
        return pod

    def service(self, name, ports=(PORT,), namespace=NAMESPACE, backend=None, **more):
        """A service that the backend answers for, whatever its ports. Returns its host."""
        host = f"{name}.{namespace}.svc.cluster.local"
        backend = backend or self.backend
        target = {"tcp": 7001}
        ports = [port if isinstance(port, tuple) else (port, "http") for port in ports]
        self.mesh.service(
            host,
            namespace,
            [self.lab.next_vip()],
            ports,
            [
                (backend.app_address, target.get(protocol, PORT), number)
                for number, protocol in ports
            ],
            **more,
        )
        return host

    def start(self):
        self.lab.start_controller().wait_ready()
        self.lab.start_egress().wait_ready()
        return self

    def fresh(self):
        """A service that no test has used."""
        return next(self._fresh)

    def apply(self, text=None):
        """Put the mesh file in force: returns when the controller has read it."""
        before = self.loads()
        if self.mesh.write(text):
            eventually(lambda: self.loads() > before, 10, "the controller reads the mesh file")

    def loads(self):
        """How often the controller has read something new in the mesh file, good or bad."""
        return sum(
            value
            for name, value in self.lab.controller.metrics().items()
            if name.startswith("lazymesh_registry_reload_total") and "unchanged" not in name
        )

    @contextlib.contextmanager
    def client(self, protocol, namespace=NAMESPACE):
        """A new workload with its sidecar, gone at the end."""
        pod = self.lab.pod(namespace, next(self._names), inbound=False)
        self.apply()
        self.lab.start_sidecars([pod], sotw=protocol == "sotw")
        try:
            yield pod
        finally:
            self.lab.stop_sidecars([pod])

    def via(self, pod, response):
        assert response.status == 200, f"{response.status} {response.text}"
        return self.lab.via(pod, response.peer)

    def becomes_direct(self, pod, host, port=None, connection=None, seconds=LEARN_SECONDS):
        """Ask until an answer comes direct; every answer on the way must be a good one."""
        with connection or pod.connect(host, port) as kept:

            def direct():
                answer = kept.request(host)
                if answer.status != 200:
                    raise RuntimeError(f"{host}: {answer.status} {answer.text}")
                return self.via(pod, answer) == "direct" and answer

            return eventually(
                direct, seconds, f"requests of {pod.id} to {host} go direct", interval=0.005
            )

    def learn(self, pod, *hosts):
        """Make the client learn services."""
        for host in hosts:
            first = pod.get(host)
            assert self.via(pod, first) == "egress"
            self.becomes_direct(pod, host)

    def knows(self, pod):
        """The services whose clusters a sidecar holds."""
        return {name.split("|")[3] for name in pod.envoy.clusters() if name.startswith("outbound|")}

    def sent(self, pod):
        """What the controller has sent a sidecar so far: the responses, by type."""
        status = self.lab.sidecars()[pod.id]
        return {name: each["responses"] for name, each in status["types"].items()}
