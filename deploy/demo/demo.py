#!/usr/bin/env python3
"""./run demo: a mesh on this machine that learns. Real Envoys start with almost nothing; requests
to what they do not know travel through the egress once and go direct from then on."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

import shop
from table import Progress, megabytes, table

from lab import Lab, eventually
from lab.lab import BOUND, TRANSPARENT

PROBE_SECONDS = 0.005
LEARN_SECONDS = 10
LOAD_MILLISECONDS = 2000


class Demo:
    def __init__(self, services):
        self.services = services
        self.say = Progress()
        self.total = self.failed = 0
        self.dependencies = []
        self.workloads = []

    def run(self, lab):
        print(f"Lazymesh demo, {lab.shape} shape")
        self.lab = lab
        self.start()
        self.learn()
        self.load()
        self.weigh()
        self.say.done()

    def start(self):
        lab, say = self.lab, self.say
        say(f"network, mesh file of {self.services} services")
        self.clients, self.servers = shop.build(lab, self.services)
        say("lazymesh-controller and lazymesh-egress")
        lab.start_controller().wait_ready()
        lab.start_egress().wait_ready()
        say(f"{len(self.servers)} HTTP servers")
        shop.serve(self.servers)
        pods = [*self.clients.values(), *self.servers.values()]
        say(f"{len(pods)} Envoys, {len(pods) - 1} of them lazy")
        lab.start_sidecars(pods)
        full = self.clients[shop.FULL_CLIENT].envoy
        full.process.until(
            lambda: full.cluster_count() >= self.services, 60, "told about the whole mesh"
        )

    def learn(self):
        """The first request of each dependency, and then requests until one goes direct."""
        edges = shop.edges()
        self.say(f"first requests of {len(edges)} dependencies")
        pods = {**self.clients, **self.servers}
        for source, destination in edges:
            self.dependencies.append(self.follow(pods[source], source, destination))

    def follow(self, pod, source, destination):
        host = shop.host(destination)
        with pod.connect(host) as connection:
            first = self.request(connection, host)
            begun = time.perf_counter()
            via = None
            while via != "direct" and time.perf_counter() - begun < LEARN_SECONDS:
                time.sleep(PROBE_SECONDS)
                probe = self.request(connection, host)
                via = self.via(pod, probe)
            taken = (time.perf_counter() - begun) * 1000
        return {
            "source": source,
            "destination": destination,
            "first_via": self.via(pod, first),
            "first_status": first.status if first else 0,
            "first_ms": round(first.ms if first else 0, 2),
            "converge_ms": round(taken, 1),
            "next_via": via,
            "next_ms": round(probe.ms if probe else 0, 2),
        }

    def request(self, connection, host):
        self.total += 1
        try:
            response = connection.request(host)
        except OSError:
            response = None
        if response is None or response.status != 200:
            self.failed += 1
        return response

    def via(self, pod, response):
        """ "egress" or "direct", or None where there was no good answer, or from neither."""
        if response is None or response.status != 200:
            return None
        way = self.lab.via(pod, response.peer)
        return way if way in ("egress", "direct") else None

    def load(self):
        """The same traffic through both clients; each request fans out through the whole graph."""
        self.say("traffic through the whole graph, lazy and full client alike")
        loads = [
            client.load(
                [shop.host(name) for name in shop.CLIENT_CALLS],
                rate=50,
                path="/tree",
                duration_ms=LOAD_MILLISECONDS,
            )
            for client in self.clients.values()
        ]
        for load in loads:
            result = load.result(LOAD_MILLISECONDS / 1000 + 20)
            self.total += result["requests"]
            self.failed += result["failed"]

    def weigh(self):
        self.say("what each Envoy holds")
        self.workloads = [
            {"name": pod.name, "lazy": pod.name != shop.FULL_CLIENT, **pod.envoy.counts()}
            for pod in (*self.clients.values(), *self.servers.values())
        ]
        expected = {f"{shop.NAMESPACE}/{source}" for source, _ in shop.edges()}
        eventually(
            lambda: {key[0] for key in self.lab.dependencies()} >= expected, 10, "the learned graph"
        )
        self.graph = self.lab.dependencies()

    def report(self):
        held = {workload["name"]: workload for workload in self.workloads}
        lazy, full = held[shop.LAZY_CLIENT], held[shop.FULL_CLIENT]
        rows = [
            [name, lazy[key], full[key]]
            for name, key in (
                ("clusters", "clusters"),
                ("listeners", "listeners"),
                ("routes (virtual hosts)", "routes"),
            )
        ]
        key = "memory_allocated_bytes"
        rows.append(["memory allocated", megabytes(lazy[key]), megabytes(full[key])])
        print(f"\nWhat the client's Envoy holds, in a mesh of {self.services} services\n")
        print(table(["", "lazy", "full"], rows, right=(1, 2)))
        print("\nEach dependency, as the destination saw its peer\n")
        print(
            table(
                ["source", "destination", "first", "ms", "next", "ms", "time between"],
                [
                    [
                        each["source"],
                        each["destination"],
                        each["first_via"] or "failed",
                        f"{each['first_ms']:.1f}",
                        each["next_via"] or "failed",
                        f"{each['next_ms']:.1f}",
                        f"{each['converge_ms']:.0f} ms",
                    ]
                    for each in self.dependencies
                ],
                right=(3, 5, 6),
            )
        )
        print(f"\n  {self.total} requests, {self.failed} failed")
        print("\nThe learned graph\n")
        sources = {}
        for source, host, port in sorted(self.graph):
            sources.setdefault(source, []).append(f"{host.split('.')[0]}:{port}")
        for source, destinations in sources.items():
            print(f"  {source:<24} → {', '.join(destinations)}")

    def passed(self):
        held = {workload["name"]: workload for workload in self.workloads}
        lazy, full = held[shop.LAZY_CLIENT], held[shop.FULL_CLIENT]
        return (
            self.failed == 0
            and self.total > 0
            and all(
                each["first_via"] == "egress" and each["next_via"] == "direct"
                for each in self.dependencies
            )
            and lazy["clusters"] < full["clusters"]
            and lazy["memory_allocated_bytes"] < full["memory_allocated_bytes"]
        )

    def write(self, path):
        workloads = [
            {
                key: workload[key]
                for key in ("name", "lazy", "clusters", "listeners", "memory_allocated_bytes")
            }
            for workload in self.workloads
        ]
        fields = (
            "source",
            "destination",
            "first_via",
            "first_status",
            "first_ms",
            "converge_ms",
            "next_via",
        )
        dependencies = [{key: each[key] for key in fields} for each in self.dependencies]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(
                {
                    "services": self.services,
                    "workloads": workloads,
                    "dependencies": dependencies,
                    "requests": {"total": self.total, "failed": self.failed},
                },
                file,
                indent=1,
            )
            file.write("\n")

    def show_addresses(self):
        lab, client = self.lab, self.clients[shop.LAZY_CLIENT]
        full = self.clients[shop.FULL_CLIENT]
        controller = lab.reachable(lab.controller_admin, lab.hub)
        print("\nLook at\n")
        for what, address in (
            ("sidecars and what they hold", f"http://{controller}/sidecars"),
            ("the learned graph", f"http://{controller}/dependencies"),
            ("the controller's metrics", f"http://{controller}/metrics"),
            (
                "the egress's metrics",
                f"http://{lab.reachable(lab.egress_admin, lab.egress_netns)}/metrics",
            ),
            (
                "the lazy client's Envoy",
                f"http://{lab.reachable(client.envoy_admin, client.netns)}/",
            ),
            ("the full client's Envoy", f"http://{lab.reachable(full.envoy_admin, full.netns)}/"),
            ("the mesh file (edit it)", lab.mesh.path),
        ):
            print(f"  {what:<29} {address}")
        address, port = client.where(shop.host("catalogue"))
        inside = f"nsenter --net=/proc/{client.envoy.process.pid}/ns/net " if client.netns else ""
        print("\nTry, twice: x-peer is first the egress, then the client\n")
        print(f"  {inside}curl -si -H 'Host: {shop.host('catalogue')}' http://{address}:{port}/")
        print("\nCtrl-C ends it and leaves nothing behind.", flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument(
        "--services",
        type=int,
        default=1000,
        metavar="N",
        help="services in the mesh (default 1000)",
    )
    parser.add_argument(
        "--shape",
        choices=(TRANSPARENT, BOUND),
        help="default: transparent as root, in network namespaces; else bound, on loopback",
    )
    parser.add_argument(
        "--once", action="store_true", help="end when it has been shown; 0 if it went well, else 1"
    )
    parser.add_argument("--json", metavar="FILE", help="with --once: write what happened, however it ended")
    chosen = parser.parse_args()
    if chosen.services < len(shop.CALLS):
        parser.error(f"--services: the demo itself has {len(shop.CALLS)}")
    if chosen.json and not chosen.once:
        parser.error("--json goes with --once")
    return chosen


def run(chosen, demo):
    with Lab(chosen.shape) as lab:
        demo.run(lab)
        demo.report()
        if chosen.once:
            return 0 if demo.passed() else 1
        demo.show_addresses()
        signal.pause()
    return 0


def main():
    chosen = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    demo = Demo(chosen.services)
    try:
        try:
            return run(chosen, demo)
        finally:
            if chosen.json:
                demo.write(chosen.json)
    except KeyboardInterrupt:
        print()
        return 0 if not chosen.once else 130
    except (
        AssertionError,
        LookupError,
        OSError,
        RuntimeError,
        ValueError,
        subprocess.SubprocessError,
    ) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
