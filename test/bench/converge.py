#!/usr/bin/env python3
"""./run bench converge: how soon a learned dependency goes direct, and that nothing fails on the
way."""

import time

from lab import Lab
from lab.lab import TRANSPARENT
from lab.measures import percentile, run
from lab.population import populate

LAZY, PLAIN = "shop", "plain"
SERVICES = 1000
DEPENDENCIES = 100
PORT = 9080
PROBE_SECONDS = 0.005
GIVE_UP_SECONDS = 10
REQUESTS = 50_000  # begun before the last dependency is learned
RAMP_MILLISECONDS = 300  # from one dependency to the next

PROMISED = {
    "converge.first_to_direct": ("ms", "p50 ≤ 60, p99 ≤ 200"),
    "converge.first_to_direct_p99": ("ms", "≤ 200"),
    "converge.failed": ("requests", f"0 of ≥ {REQUESTS} while learning"),
}


class Mesh:
    """A mesh of a thousand services, a hundred of which a real application answers for."""

    def __init__(self, lab):
        self.lab = lab
        mesh = lab.mesh
        mesh.namespace(LAZY, **{"lazymesh.io/lazy": "enabled"})
        mesh.namespace(PLAIN)
        backend = lab.pod(PLAIN, "backend", sidecar=False)
        backend.serve(PORT)
        self.hosts = []
        for index in range(DEPENDENCIES):
            host = f"real-{index}.{PLAIN}.svc.cluster.local"
            mesh.service(host, PLAIN, [lab.next_vip()], [PORT], [(backend.address, PORT)])
            self.hosts.append(host)
        populate(mesh, SERVICES - DEPENDENCIES)
        self.one_by_one = lab.pod(LAZY, "one-by-one", inbound=False)
        self.loaded = lab.pod(LAZY, "loaded", inbound=False)
        lab.start_controller().wait_ready()
        lab.start_egress().wait_ready()
        lab.start_sidecars([self.one_by_one, self.loaded])

    def converge(self, host):
        """Milliseconds from the first response to the first direct response."""
        pod = self.one_by_one
        with pod.connect(host) as connection:
            if self.via(connection.request(host)) != "egress":
                raise RuntimeError(f"the first request to {host} did not go by the egress")
            begun = time.perf_counter()
            while time.perf_counter() - begun < GIVE_UP_SECONDS:
                time.sleep(PROBE_SECONDS)
                if self.via(connection.request(host)) == "direct":
                    return (time.perf_counter() - begun) * 1000
        raise RuntimeError(f"{host} did not go direct within {GIVE_UP_SECONDS} s")

    def via(self, response):
        if response.status != 200:
            raise RuntimeError(f"{response.status} {response.text}")
        return self.lab.via(self.one_by_one, response.peer)

    def load(self):
        """All hundred learned one after the other under a load that grows with them; and a second
        more, in which all are direct."""
        duration = RAMP_MILLISECONDS * DEPENDENCIES + 1000
        return self.loaded.load(
            self.hosts, connections=2, rate=20, ramp_ms=RAMP_MILLISECONDS, duration_ms=duration
        ).result(duration / 1000 + 30)


def measure(report):
    with report.part("start"), Lab(TRANSPARENT) as lab:
        mesh = Mesh(lab)
        with report.part(f"{DEPENDENCIES} dependencies, one after the other"):
            taken = [mesh.converge(host) for host in mesh.hosts]
            middle, high = percentile(taken, 50), percentile(taken, 99)
            readings = [round(each, 2) for each in taken]
            report.add("converge.first_to_direct", middle, middle <= 60 and high <= 200, readings)
            report.add("converge.first_to_direct_p99", high, high <= 200, readings)
        with report.part(f"{DEPENDENCIES} dependencies learned under load"):
            result = mesh.load()
            learned = {host for source, host, _ in lab.dependencies() if source == mesh.loaded.id}
            meanwhile = result["last_change"]["requests"]
            report.add(
                "converge.failed",
                result["failed"],
                result["failed"] == 0 and meanwhile >= REQUESTS and len(learned) == DEPENDENCIES,
                [result["failed"]],
                learned=len(learned),
                requests_while_learning=meanwhile,
                **{
                    key: result[key]
                    for key in ("requests", "status", "peers", "errors", "failures", "ms")
                },
            )


if __name__ == "__main__":
    run("converge", PROMISED, measure)
