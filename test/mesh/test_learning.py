"""The loop: unknown goes to the egress, is learned, and goes direct."""

import concurrent.futures

from world import PLAIN, PORT

from lab import eventually


def test_first_request_goes_by_the_egress_and_the_next_direct(world, client):
    host = world.fresh()
    with client.connect(host) as connection:
        first = connection.request(host)
        assert world.via(client, first) == "egress"
    world.becomes_direct(client, host)
    assert world.via(client, client.get(host)) == "direct"
    learned = world.lab.dependencies()[(client.id, host, PORT)]
    assert learned["reason"] == "learned"
    assert learned["count"] >= 1


def test_a_short_name_is_the_same_service(world, client):
    host = world.fresh()
    short = host.split(".", maxsplit=1)[0]
    with client.connect(host) as connection:
        assert world.via(client, connection.request(short)) == "egress"
        world.becomes_direct(client, host)
        assert world.via(client, connection.request(short)) == "direct"


def test_a_lazy_sidecar_starts_with_no_service(world, client):
    assert world.knows(client) == set()


def test_a_kept_alive_connection_goes_direct_on_a_port_that_nothing_in_scope_had(world, client):
    host = world.service(f"odd-{client.name}", ports=[12345])
    world.apply()
    with client.connect(host, 12345) as connection:
        assert world.via(client, connection.request(host)) == "egress"
        _becomes_direct_on(world, client, connection, host)
    del world.mesh.services[host]


def test_a_kept_alive_connection_is_not_closed_by_the_widening(world, client):
    host = world.fresh()
    with client.connect(host) as connection:
        assert world.via(client, connection.request(host)) == "egress"
        _becomes_direct_on(world, client, connection, host)


def test_two_workloads_never_widen_each_other(world, client, other_client):
    mine, yours = world.fresh(), world.fresh()
    world.learn(client, mine)
    world.learn(other_client, yours)
    assert world.knows(client) == {mine}
    assert world.knows(other_client) == {yours}
    assert world.via(client, client.get(yours)) == "egress"
    assert world.via(other_client, other_client.get(mine)) == "egress"


def test_a_request_cannot_claim_another_source(world, client, other_client):
    host = world.fresh()
    for header in ("x-forwarded-for", "x-real-ip", "x-envoy-external-address"):
        client.get(host, headers={header: other_client.address})
    world.becomes_direct(client, host)
    assert world.knows(other_client) == set()


def test_an_unknown_host_is_refused_with_a_reason(world, client):
    answer = _get_at(world, client, "nobody.example")
    assert answer.status == 502
    assert "nobody.example" in answer.text
    assert world.knows(client) == set()


def test_a_port_that_no_service_has_is_refused_with_a_reason(world, client):
    known = world.fresh()
    world.learn(client, known)
    for host, reason in (
        (known, f"service {known} has no port 9999"),
        ("nobody.example", "no service 'nobody.example' is visible"),
    ):
        with client.connect(known, 9999) as connection:
            answer = connection.request(host)
        assert answer.status == 502
        assert reason in answer.text
    assert world.via(client, client.get(known)) == "direct"
    assert world.knows(client) == {known}


def test_a_service_that_the_caller_may_not_see_is_unknown(world, client):
    host = world.service(f"private-{client.name}", namespace=PLAIN, exportTo=["."])
    world.apply()
    assert client.get(host).status == 502
    assert world.knows(client) == set()
    del world.mesh.services[host]


def test_a_workload_that_is_not_lazy_is_told_about_the_whole_mesh(world, protocol):
    with world.client(protocol, namespace=PLAIN) as pod:
        host = world.fresh()
        eventually(lambda: world.knows(pod) >= set(world.hosts), 10, "the whole mesh")
        assert world.via(pod, pod.get(host)) == "direct"


def test_two_hundred_first_requests_at_once_to_one_unknown_host(world, client):
    host = world.fresh()
    client.get(world.hosts[0])  # so that the caller is known, and the host alone is asked for
    asked = world.lab.controller.metrics()["lazymesh_resolver_queries"]
    report = client.load([host], connections=200, requests=200).result(20)
    assert report["failed"] == 0, report
    assert report["requests"] == 200
    assert world.lab.controller.metrics()["lazymesh_resolver_queries"] <= asked + 1
    world.becomes_direct(client, host)


def test_a_body_goes_through_the_first_request_whole(world, client):
    host = world.fresh()
    body = bytes(range(256)) * (4 << 12)
    with client.connect(host) as connection:
        answer = connection.request(host, "/echo", "POST", body)
    assert world.via(client, answer) == "egress"
    assert answer.body == body


def test_many_workloads_learn_at_the_same_time(world, client, other_client):
    hosts = [world.fresh() for _ in range(3)]
    calls = [(pod, host) for pod in (client, other_client) for host in hosts]
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as threads:
        answers = list(threads.map(lambda call: call[0].get(call[1]), calls))
    assert [answer.status for answer in answers] == [200] * len(calls)
    for pod in (client, other_client):
        for host in hosts:
            world.becomes_direct(pod, host)
        assert world.knows(pod) == set(hosts)


def _becomes_direct_on(world, client, connection, host):
    """The requests of this connection go direct, and it is the same connection all the time."""
    socket = connection.socket

    def direct():
        answer = connection.request(host)
        if connection.socket is not socket:
            raise RuntimeError("the connection was closed")
        return world.via(client, answer) == "direct"

    eventually(direct, 5, "direct on the same connection", interval=0.005)


def _get_at(world, client, host):
    """A request for a host that has no VIP, to where something else listens."""
    with client.connect(world.hosts[0]) as connection:
        return connection.request(host)
