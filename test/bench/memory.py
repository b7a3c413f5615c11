#!/usr/bin/env python3
"""./run bench memory: what a lazy sidecar holds beside a full one and beside the least it could
hold, and what the controller and the egress need for it."""

import statistics
import time

from lab import Lab, eventually
from lab.lab import TRANSPARENT
from lab.measures import run
from lab.population import HTTP_PORTS, populate

MEGABYTE = 1e6
LAZY, PLAIN = "shop", "plain"
DEPENDENCIES = 10
DEPENDENCY_PORTS = HTTP_PORTS[:3]
ENDPOINTS = 3
SIDECARS = 3  # of each kind, so that one odd reading shows
CLIENTS = 20
REAL_CLIENTS = 2
STEADY_SECONDS = 3
WAIT_SECONDS = 300  # for what is loaded into a slow machine

PROMISED = {
    "memory.lazy_over_floor_1000": ("×", "≤ 1.10"),
    "memory.lazy_over_floor_10000": ("×", "≤ 1.10"),
    "memory.lazy_over_full_10000": ("%", "≤ 2"),
    "memory.controller_rss": ("MB", "≤ 150, its peak ≤ 250"),
    "memory.controller_rss_peak": ("MB", "≤ 250"),
    "memory.controller_rss_20000": ("×", "≤ 2"),
    "memory.egress_rss": ("MB", "≤ 40"),
}


class Mesh:
    """A lab with `services` services, ten of which a real application answers for."""

    def __init__(self, lab, services):
        self.lab = lab
        mesh = lab.mesh
        mesh.namespace(LAZY, **{"lazymesh.io/lazy": "enabled"})
        mesh.namespace(PLAIN)
        backend = lab.pod(PLAIN, "backend", sidecar=False)
        backend.serve(*DEPENDENCY_PORTS)
        self.hosts = []
        for index in range(DEPENDENCIES):
            port = DEPENDENCY_PORTS[index % len(DEPENDENCY_PORTS)]
            host = f"real-{index}.{PLAIN}.svc.cluster.local"
            mesh.service(
                host,
                PLAIN,
                [lab.next_vip()],
                [port],
                [(backend.address, other, port) for other in DEPENDENCY_PORTS],
            )
            self.hosts.append(host)
        populate(mesh, services - DEPENDENCIES, ENDPOINTS)

    def start(self):
        self.lab.start_controller().wait_ready()
        self.lab.start_egress().wait_ready()

    def sidecars(self, namespace, name, count):
        pods = [self.lab.pod(namespace, f"{name}-{index}", inbound=False) for index in range(count)]
        self.lab.mesh.write()
        eventually(lambda: self.known(pods[-1]), 30, "the workloads are known")
        self.lab.start_sidecars(pods, seconds=WAIT_SECONDS)
        return pods

    def known(self, pod):
        """The controller has read the mesh file with this pod in it."""
        return (
            self.lab.controller.metrics()["lazymesh_registry_workloads"]
            >= len(self.lab.mesh.workloads)
            and pod
        )

    def traffic(self, pod):
        """The same for every sidecar: each dependency is called until it is direct, then under
        load."""
        for host in self.hosts:
            with pod.connect(host) as connection:
                eventually(
                    lambda c=connection, h=host: self.lab.via(pod, c.request(h).peer) == "direct",
                    10,
                    f"{pod.id} reaches {host} directly",
                    interval=0.005,
                )
        report = pod.load(self.hosts, rate=50, duration_ms=2000).result(30)
        if report["failed"]:
            raise RuntimeError(f"{report['failed']} requests failed: {report['failures'][:3]}")

    def whole(self, pods):
        """Wait until these Envoys hold every service."""
        for pod in pods:
            eventually(
                lambda p=pod: p.envoy.cluster_count() >= len(self.lab.mesh.services),
                WAIT_SECONDS,
                f"{pod.id} holds the whole mesh",
                interval=1,
            )


def allocated(pods):
    """Envoy's allocated bytes, of each, in MB, once it has settled."""
    return [_settled(pod.envoy.memory_allocated, tolerance=20_000) / MEGABYTE for pod in pods]


def floor():
    """Envoys whose whole mesh is the ten services: the least that the ten can cost."""
    with Lab(TRANSPARENT) as lab:
        mesh = Mesh(lab, DEPENDENCIES)
        mesh.start()
        pods = mesh.sidecars(PLAIN, "floor", SIDECARS)
        for pod in pods:
            mesh.traffic(pod)
        return allocated(pods)


def lazy(mesh):
    pods = mesh.sidecars(LAZY, "lazy", SIDECARS)
    for pod in pods:
        mesh.traffic(pod)
    for pod in pods:
        if _service_clusters(pod) != DEPENDENCIES:
            raise RuntimeError(
                f"{pod.id} holds {_service_clusters(pod)} services, not {DEPENDENCIES}"
            )
    return allocated(pods)


def hold_whole_mesh(mesh):
    """Twenty delta clients that hold everything: two real Envoys, and others that only talk.
    Returns the Envoys."""
    lab = mesh.lab
    scripted = [
        lab.pod(PLAIN, f"scripted-{index}", sidecar=False)
        for index in range(CLIENTS - REAL_CLIENTS)
    ]
    real = mesh.sidecars(PLAIN, "full", REAL_CLIENTS)
    clients = [
        lab.run(
            f"xds.{pod.name}",
            [
                "lazymesh-xds-client",
                "--target",
                f"{lab.grpc_address[0]}:{lab.grpc_address[1]}",
                "--node",
                f"sidecar~{pod.address}~{pod.name}.{pod.namespace}~{pod.namespace}.svc.cluster.local",
            ],
            pod.netns,
        )
        for pod in scripted
    ]
    services = len(lab.mesh.services)
    for client in clients:
        client.until(
            lambda c=client: f'"eds":{services},' in c.output().splitlines()[-1],
            WAIT_SECONDS,
            "holds the whole mesh",
        )
    mesh.whole(real)
    return real


def controller(services, body=lambda mesh, envoys: None):
    """The controller's memory under the twenty: (steady readings, peak), in MB. Then `body`."""
    with Lab(TRANSPARENT) as lab:
        mesh = Mesh(lab, services)
        mesh.start()
        envoys = hold_whole_mesh(mesh)
        process = lab.controller.process
        readings = _steady(process.rss_bytes)
        peak = process.rss_bytes(peak=True)
        body(mesh, envoys)
        return [reading / MEGABYTE for reading in readings], peak / MEGABYTE


def egress(mesh):
    """The egress's memory in MB, read while it serves the ten hosts: to a sidecar that nothing from
    the controller reaches any more, and that therefore never learns to go direct."""
    (pod,) = mesh.sidecars(LAZY, "cut-off", 1)
    pod.netns.drop_from(*mesh.lab.grpc_address)
    load = pod.load(mesh.hosts, rate=50)
    readings = _steady(mesh.lab.egress.process.rss_bytes)
    destinations = mesh.lab.egress.get("/destinations").json()["destinations"]
    result = load.stop()
    known = {each["host"] for each in destinations if each["state"] == "known"}
    if not known >= set(mesh.hosts):
        raise RuntimeError(f"the egress knows {sorted(known)}, not all of {mesh.hosts}")
    if result["failed"] or set(result["peers"]) != {mesh.lab.egress_address[0]}:
        raise RuntimeError(f"not all went well and by the egress: {result}")
    return [reading / MEGABYTE for reading in readings]


def measure(report):
    lowest, steady = [], []
    with report.part("an Envoy whose whole mesh is the ten services"):
        lowest = floor()
    with report.part("lazy Envoys in a mesh of 1,000"), Lab(TRANSPARENT) as lab:
        mesh = Mesh(lab, 1000)
        mesh.start()
        _over_floor(report, "memory.lazy_over_floor_1000", lazy(mesh), lowest)

    def in_ten_thousand(mesh, envoys):
        light = []
        with report.part("lazy Envoys in a mesh of 10,000"):
            light = lazy(mesh)
            _over_floor(report, "memory.lazy_over_floor_10000", light, lowest)
        with report.part("beside full ones after the same traffic"):
            for pod in envoys:
                mesh.traffic(pod)
            full = allocated(envoys)
            shares = [100 * each for each in _over(light, full)]
            share = statistics.median(shares)
            report.add(
                "memory.lazy_over_full_10000",
                share,
                share <= 2,
                shares,
                lazy_mb=light,
                full_mb=full,
            )
        with report.part("the egress while ten hosts are in use"):
            readings = egress(mesh)
            report.add("memory.egress_rss", readings[-1], readings[-1] <= 40, readings)

    with report.part("the controller under 20 clients that hold 10,000 services each"):
        steady, peak = controller(10_000, in_ten_thousand)
        report.add("memory.controller_rss", steady[-1], steady[-1] <= 150 and peak <= 250, steady)
        report.add("memory.controller_rss_peak", peak, peak <= 250, [peak])
    with report.part("the same with 20,000"):
        double, peak = controller(20_000)
        ratios = [reading / steady[-1] for reading in double]
        report.add(
            "memory.controller_rss_20000",
            ratios[-1],
            ratios[-1] <= 2,
            ratios,
            at_20000_mb=double,
            at_10000_mb=steady,
        )


def _over_floor(report, name, light, lowest):
    ratios = _over(light, lowest)
    ratio = statistics.median(ratios)
    report.add(name, ratio, ratio <= 1.10, ratios, lazy_mb=light, floor_mb=lowest)


def _over(readings, base):
    """Each reading over the median of the base."""
    middle = statistics.median(base)
    return [reading / middle for reading in readings]


def _service_clusters(pod):
    return sum(name.startswith("outbound|") for name in pod.envoy.clusters())


def _settled(read, tolerance, seconds=20):
    """Read until two readings, half a second apart, are within the tolerance."""
    last = [read()]

    def same():
        before, last[0] = last[0], read()
        return abs(before - last[0]) <= tolerance

    eventually(same, seconds, "memory settles", interval=0.5)
    return last[0]


def _steady(read):
    """A reading a second, until it has not grown or shrunk by a percent for STEADY_SECONDS."""
    readings = [read()]

    def steady():
        readings.append(read())
        window = readings[-STEADY_SECONDS - 1 :]
        return len(window) > STEADY_SECONDS and max(window) <= 1.01 * min(window)

    time.sleep(1)
    eventually(steady, 60, "memory is steady", interval=1)
    return readings


if __name__ == "__main__":
    run("memory", PROMISED, measure)
