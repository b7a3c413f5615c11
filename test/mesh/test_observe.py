"""Observing: nothing is narrowed, and the graph is learned from the sidecar's own access log."""

from world import PORT

from lab import eventually

OBSERVED = "observed"


def test_an_observed_workload_keeps_the_whole_mesh_and_is_learned_from(world, protocol):
    world.mesh.namespace(OBSERVED, **{"lazymesh.io/lazy": "observe"})
    host = world.fresh()
    with world.client(protocol, namespace=OBSERVED) as pod:
        eventually(lambda: world.knows(pod) >= set(world.hosts), 10, "the whole mesh")
        assert world.via(pod, pod.get(host)) == "direct"
        eventually(lambda: (pod.id, host, PORT) in world.lab.dependencies(), 5, "it is learned")
        assert world.knows(pod) >= set(world.hosts)


def test_what_was_observed_is_the_scope_when_laziness_is_enabled(world, protocol):
    namespace = f"{OBSERVED}-{protocol}"
    world.mesh.namespace(namespace, **{"lazymesh.io/lazy": "observe"})
    host = world.fresh()
    with world.client(protocol, namespace=namespace) as pod:
        assert world.via(pod, pod.get(host)) == "direct"
        eventually(lambda: (pod.id, host, PORT) in world.lab.dependencies(), 5, "it is learned")
        load = pod.load([host], rate=100)
        world.mesh.namespace(namespace, **{"lazymesh.io/lazy": "enabled"})
        world.apply()
        eventually(lambda: world.knows(pod) == {host}, 5, "the scope alone")
        report = load.stop()
        assert report["failed"] == 0, report
        assert set(report["peers"]) == {pod.address}, "direct all the time"
