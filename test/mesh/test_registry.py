"""Edits of the mesh file under running sidecars: what they change, and whom they are sent to."""

import pytest
from world import NAMESPACE, PLAIN, PORT

from lab import eventually


@pytest.fixture
def service(world):
    """A service of the test's own, removed at the end."""
    hosts = []

    def make(name, **options):
        hosts.append(world.service(name, **options))
        world.apply()
        return hosts[-1]

    yield make
    for host in hosts:
        world.mesh.services.pop(host, None)
    world.apply()


def test_a_service_added_is_sent_only_to_those_who_see_it(world, client, protocol, service):
    world.learn(client, world.fresh())
    with world.client(protocol, namespace=PLAIN) as full:
        eventually(lambda: world.knows(full) >= set(world.hosts), 10, "the whole mesh")
        before = world.sent(client)
        added = service(f"added-{client.name}")
        eventually(lambda: added in world.knows(full), 5, "the new service")
        assert world.sent(client) == before
    assert world.via(client, client.get(added)) == "egress"
    world.becomes_direct(client, added)


def test_a_service_changed_is_sent_only_to_those_who_see_it(world, client, other_client, service):
    host = service(f"changed-{client.name}")
    world.learn(client, host)
    world.learn(other_client, world.fresh())
    before = world.sent(other_client)
    world.mesh.services[host]["cluster"] = {"connect_timeout": "7s"}
    world.apply()
    eventually(lambda: _connect_timeout(client, host) == "7s", 5, "the new setting")
    assert world.sent(other_client) == before
    assert world.via(client, client.get(host)) == "direct"


def test_a_service_removed_leaves_the_scope(world, client, other_client, service):
    host = service(f"removed-{client.name}")
    kept = world.fresh()
    world.learn(client, host, kept)
    world.learn(other_client, kept)
    before = world.sent(other_client)
    where = client.where(host)
    del world.mesh.services[host]
    world.apply()
    eventually(lambda: world.knows(client) == {kept}, 5, "the service is gone")
    assert world.sent(other_client) == before
    with client.connect(kept) as connection:
        connection.address = where
        assert connection.request(host).status == 502
    assert world.via(client, client.get(kept)) == "direct"


def test_endpoints_moved_under_load_fail_nothing(world, client, service):
    host = service(f"moved-{client.name}")
    world.learn(client, host)
    assert client.get(host).headers["x-server"] == "backend"
    load = client.load([host], connections=4, rate=100)
    world.mesh.services[host]["endpoints"] = [
        {"address": world.other_backend.address, "port": PORT, "servicePort": PORT}
    ]
    world.apply()
    eventually(
        lambda: client.get(host).headers["x-server"] == "other-backend", 5, "the new endpoint"
    )
    report = load.stop()
    assert report["failed"] == 0, report
    assert report["requests"] > 0


def test_endpoints_moved_reach_the_egress(world, client, service):
    host = service(f"egress-moved-{client.name}")
    world.learn(client, host)  # the egress holds the host now
    world.mesh.services[host]["endpoints"] = [
        {"address": world.other_backend.address, "port": PORT, "servicePort": PORT}
    ]
    world.apply()
    with world.client("delta") as newcomer:
        answer = newcomer.get(host)
        assert world.via(newcomer, answer) == "egress"
        eventually(
            lambda: newcomer.get(host).headers["x-server"] == "other-backend", 5, "the new endpoint"
        )


def test_a_broken_edit_changes_nothing_and_is_shown(world, client):
    known, unknown = world.fresh(), world.fresh()
    world.learn(client, known)
    before = world.sent(client)
    lines = world.mesh.text().splitlines()
    lines[2] = lines[2].replace('"name": "shop"', '"name": 5, "labels": [')
    text = "\n".join(lines)
    assert text != world.mesh.text().rstrip()
    try:
        world.apply(text)
        ready = world.lab.controller.get("/readyz")
        assert ready.status == 200
        assert any("mesh.yaml:" in warning for warning in ready.json()["warnings"]), ready.text
        assert world.sent(client) == before
        assert world.via(client, client.get(known)) == "direct"
        assert world.via(client, client.get(unknown)) == "egress"
    finally:
        world.apply()
    assert not world.lab.controller.get("/readyz").json()["warnings"]
    world.becomes_direct(client, unknown)


def test_a_broken_edit_is_counted(world):
    def failed():
        return sum(
            value
            for name, value in world.lab.controller.metrics().items()
            if name.startswith("lazymesh_registry_reload_total") and "error" in name
        )

    before = failed()
    world.apply("services: [")
    assert failed() == before + 1
    world.apply()


def test_laziness_switched_off_and_on_for_a_namespace(world, client):
    host = world.fresh()
    world.learn(client, host)
    load = client.load([host], connections=2, rate=100)
    world.mesh.namespace(NAMESPACE, **{"lazymesh.io/lazy": "disabled"})
    world.apply()
    eventually(lambda: world.knows(client) >= set(world.hosts), 5, "the whole mesh")
    world.mesh.namespace(NAMESPACE, **{"lazymesh.io/lazy": "enabled"})
    world.apply()
    eventually(lambda: world.knows(client) == {host}, 5, "the scope alone")
    report = load.stop()
    assert report["failed"] == 0, report


def _connect_timeout(client, host):
    clusters = [each["cluster"] for each in client.envoy.config("dynamic_active_clusters")]
    return next(
        each.get("connect_timeout")
        for each in clusters
        if each["name"] == f"outbound|{PORT}||{host}"
    )
