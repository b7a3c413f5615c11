"""The shape that needs no root: loopback addresses, no namespaces and no interception."""

import pytest
from world import PORT, World

from lab import Lab, eventually
from lab.lab import BOUND


@pytest.fixture(scope="module")
def world():
    with Lab(BOUND) as lab:
        yield World(lab, services=8).start()


def test_first_request_goes_by_the_egress_and_the_next_direct(world, client):
    host = world.fresh()
    with client.connect(host) as connection:
        assert world.via(client, connection.request(host)) == "egress"
        world.becomes_direct(client, host)
        assert world.via(client, connection.request(host)) == "direct"
    assert (client.id, host, PORT) in world.lab.dependencies()


def test_two_workloads_never_widen_each_other(world, client, other_client):
    host = world.fresh()
    world.learn(client, host)
    assert world.knows(other_client) == set()
    assert world.via(other_client, other_client.get(host)) == "egress"


def test_a_clash_of_ports_is_refused_and_shown(world, protocol):
    pod = world.lab.pod("shop", f"clash-{protocol}", sidecar=False)
    thief = world.lab.run(
        "thief", ["lazymesh-testapp", "serve", "--name", "thief", "--http", f"{pod.address}:{PORT}"]
    )
    thief.until(lambda: "serving" in thief.output(), 5, "serving")
    world.apply()
    world.lab.start_sidecars([pod], sotw=protocol == "sotw", wait=False)

    def refused():
        listeners = world.lab.sidecars()[pod.id]["types"]["lds"]
        return listeners["nacks"] and listeners["last_nack"]

    words = eventually(refused, 15, "Envoy refuses the listener")
    assert f"{pod.address}:{PORT}" in words
    thief.stop()
    world.lab.stop_sidecars([pod])


def test_loopback_addresses_prove_nothing_unless_the_mesh_says_so():
    with Lab(BOUND) as lab:
        lab.mesh.settings["trustBoundAddresses"] = False
        world = World(lab, services=1)
        pod = lab.pod("shop", "web")
        lab.start_controller().wait_ready()
        lab.start_egress()
        lab.start_sidecars([pod])
        output = lab.egress.process.output
        eventually(lambda: "only the mesh's egresses" in output(), 10, "the egress is refused")
        assert pod.get(world.fresh()).status == 503
        assert lab.dependencies() == {}
