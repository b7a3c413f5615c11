"""What Envoy refuses does no harm beyond itself."""

from lab import eventually

# Envoy refuses it, and the mesh file does not: there, the form of this address is not looked at.
REFUSED = {"upstream_bind_config": {"source_address": {"address": "nowhere", "port_value": 0}}}


def test_a_refused_cluster_leaves_the_last_good_in_force_and_is_shown(world, client):
    host = world.service(f"refused-{client.name}")
    world.apply()
    world.learn(client, host)
    before, said = _refusals(world)
    try:
        world.mesh.services[host]["cluster"] = REFUSED
        world.apply()
        status = eventually(
            lambda: _cds(world, client)["nacks"] and _cds(world, client), 5, "Envoy refuses"
        )
        words = status["last_nack"]
        assert "malformed IP address" in words, "Envoy's own words"
        counted, logged = _refusals(world)
        assert counted == before + status["nacks"]
        assert any(client.id in line and words in line for line in logged[len(said) :]), logged
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
    host = world.service(f"never-{client.name}", cluster=REFUSED)
    world.apply()
    try:
        assert world.via(client, client.get(host)) == "egress"
        eventually(lambda: _cds(world, client)["nacks"], 5, "Envoy refuses")
        assert world.via(client, client.get(host)) == "egress"
        world.learn(client, world.fresh())
    finally:
        del world.mesh.services[host]
        world.apply()


def _refusals(world):
    """How many refusals of clusters the controller has counted, and the log's lines."""
    controller = world.lab.controller
    counted = controller.metrics().get('lazymesh_xds_nacks_total{type="cds"}', 0)
    return counted, controller.process.output().splitlines()


def _cds(world, pod):
    return world.lab.sidecars()[pod.id]["types"]["cds"]
