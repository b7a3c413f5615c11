"""A real Envoy and its admin listener."""

from lab import http
from lab.process import Process

ENVOY_UID = 1337  # whose connections the interception leaves alone


class Envoy:
    """One Envoy with the bootstrap in the file `config`."""

    def __init__(self, binary, config, admin, log, name, netns=None, uid=None):
        self.admin = admin
        self.netns = netns
        self._start = lambda: Process(
            f"Envoy of {name}",
            [
                binary,
                "-c",
                config,
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--log-level",
                "warning",
            ],
            log,
            netns=netns,
            uid=uid,
        )
        self.process = self._start()

    def restart(self):
        self.process.kill()
        self.process = self._start()
        return self

    def wait_ready(self, seconds=30.0):
        self.process.until(lambda: self.get("/ready").status == 200, seconds, "ready")
        return self

    def get(self, path):
        return http.get(self.admin, path, self.netns)

    def memory_allocated(self):
        """Bytes of heap in use, as Envoy's allocator counts them."""
        return int(self.get("/memory").json()["allocated"])

    def stats(self, pattern):
        """Counters and gauges whose names match the regular expression."""
        answer = self.get(f"/stats?format=json&filter={pattern}").json()
        return {stat["name"]: stat["value"] for stat in answer["stats"] if "value" in stat}

    def config(self, resource):
        """The items of a config dump: dynamic_active_clusters, dynamic_listeners,
        dynamic_route_configs…"""
        return self.get(f"/config_dump?resource={resource}").json().get("configs", [])

    def cluster_count(self):
        """How many clusters it holds: as cheap as a question can be."""
        return self.stats("^cluster_manager.active_clusters$")["cluster_manager.active_clusters"]

    def clusters(self):
        """Names of the clusters that it holds, the bootstrap's own included."""
        return [
            cluster["name"]
            for cluster in self.get("/clusters?format=json").json().get("cluster_statuses", [])
        ]

    def listeners(self):
        return [
            listener["name"]
            for listener in self.get("/listeners?format=json").json().get("listener_statuses", [])
        ]

    def virtual_hosts(self):
        return [
            virtual_host["name"]
            for config in self.config("dynamic_route_configs")
            for virtual_host in config.get("route_config", {}).get("virtual_hosts", [])
        ]

    def counts(self):
        """What it holds: clusters, listeners, routes (virtual hosts), and the memory that they
        take."""
        return {
            "memory_allocated_bytes": self.memory_allocated(),
            "clusters": self.cluster_count(),
            "listeners": len(self.listeners()),
            "routes": len(self.virtual_hosts()),
        }
