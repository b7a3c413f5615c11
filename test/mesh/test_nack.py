"""What Envoy refuses does no harm beyond itself."""

from lab import eventually


def test_a_refused_cluster_leaves_the_last_good_in_force_and_is_shown(world, client):
    host = world.service(f"refused-{client.name}")
    world.apply()
    world.learn(client, host)
    try:
        # Well-formed for the protos, refused by Envoy: this policy needs another cluster type.
        world.mesh.services[host]["cluster"] = {"lb_policy": "CLUSTER_PROVIDED"}
        world.apply()
        status = eventually(
            lambda: _cds(world, client)["nacks"] and _cds(world, client), 5, "Envoy refuses"
        )
        assert "did not provide one" in status["last_nack"], "Envoy's own words"
        nacks = {
            name: value for name, value in world.lab.controller.metrics().items() if "nack" in name
        }
        assert sum(nacks.values()) >= 1, nacks
        assert world.via(client, client.get(host)) == "direct"
        # Others are learned all the same.
        world.learn(client, world.fresh())
        world.mesh.services[host]["cluster"] = {"connect_timeout": "3s"}
        world.apply()
        eventually(lambda: _cds(world, client)["last_nack"] == "", 5, "Envoy accepts again")
        assert world.via(client, client.get(host)) == "direct"
    finally:
        del world.mesh.services[host]
        world.apply()


def test_a_service_that_envoy_refuses_is_served_by_the_egress(world, client):
    host = world.service(f"never-{client.name}", cluster={"lb_policy": "CLUSTER_PROVIDED"})
    world.apply()
    try:
        assert world.via(client, client.get(host)) == "egress"
        eventually(lambda: _cds(world, client)["nacks"], 5, "Envoy refuses")
        assert world.via(client, client.get(host)) == "egress"
        world.learn(client, world.fresh())
    finally:
        del world.mesh.services[host]
        world.apply()


def _cds(world, pod):
    return world.lab.sidecars()[pod.id]["types"]["cds"]
