"""Programs that are killed and come back: what was learned never fails, what is unknown waits and
is learned then."""

import pytest

from lab import eventually

RECONNECT_SECONDS = 30  # Envoy's own longest pause between two attempts


@pytest.fixture
def learned(world, client):
    """Three services that the client has learned."""
    hosts = [world.fresh() for _ in range(3)]
    world.learn(client, *hosts)
    return hosts


def test_controller_killed_and_restarted_under_load(world, client, learned):
    controller = world.lab.controller
    unknown = world.fresh()
    load = client.load(learned, connections=2, rate=100)
    before = world.lab.dependencies()
    controller.process.kill()
    assert client.get(unknown).status == 503
    controller.restart().wait_ready()
    after = eventually(lambda: world.lab.dependencies(), 5, "what was learned")
    assert before.keys() <= after.keys()
    eventually(lambda: client.get(unknown).status == 200, 10, "the unknown service is served again")
    world.becomes_direct(client, unknown, seconds=RECONNECT_SECONDS)
    eventually(lambda: world.lab.sidecars()[client.id], 10, "the sidecar is back")
    assert world.knows(client) == {*learned, unknown}
    report = load.stop()
    assert report["failed"] == 0, report
    assert set(report["peers"]) == {client.address}, "all direct, before, during and after"


def test_egress_killed_and_restarted_under_load(world, client, learned):
    unknown = world.fresh()
    load = client.load(learned, connections=2, rate=100)
    world.lab.egress.process.kill()
    assert client.get(unknown).status == 503
    world.lab.egress.restart().wait_ready()
    eventually(lambda: client.get(unknown).status == 200, 10, "the unknown service is served again")
    world.becomes_direct(client, unknown)
    report = load.stop()
    assert report["failed"] == 0, report
    assert set(report["peers"]) == {client.address}


def test_a_dependency_survives_a_kill_right_after_its_widening(world, client):
    host = world.fresh()
    world.learn(client, host)
    world.lab.controller.process.kill()
    world.lab.controller.restart().wait_ready()
    assert any(source == client.id and name == host for source, name, _ in world.lab.dependencies())
    client.envoy.restart().wait_ready()
    assert world.via(client, client.get(host)) == "direct"


def test_an_unchanged_sidecar_is_sent_nothing_by_a_restarted_controller(world, client):
    world.learn(client, world.fresh(), world.fresh())
    before = _updates(client)
    world.lab.controller.process.kill()
    world.lab.controller.restart().wait_ready()
    eventually(lambda: client.id in world.lab.sidecars(), 10, "the sidecar is back")
    # One widening shows that the stream works and that nothing else came before it: one new
    # cluster, its endpoints, the routes, no listener.
    world.learn(client, world.fresh())
    taken = {name: count - before[name] for name, count in _updates(client).items()}
    assert taken == {"cds": 1, "lds": 0, "rds": 1}
    assert world.sent(client) == {"cds": 1, "eds": 1, "lds": 0, "rds": 1}


def test_a_restarted_sidecar_has_its_scope_from_the_start(world, client, learned):
    client.envoy.restart().wait_ready()
    for host in learned:
        assert world.via(client, client.get(host)) == "direct"
    assert world.knows(client) == set(learned)


def _updates(pod):
    stats = pod.envoy.stats("update_success$")
    return {
        "cds": stats["cluster_manager.cds.update_success"],
        "lds": stats["listener_manager.lds.update_success"],
        "rds": sum(value for name, value in stats.items() if ".rds." in name),
    }
