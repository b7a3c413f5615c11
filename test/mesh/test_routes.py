"""A user's own routes: the first answer equals the second."""

import pytest


@pytest.fixture
def routed(world, client):
    """A service with routes of its own, one of which leads to another service."""
    other = world.service(f"routed-other-{client.name}", backend=world.other_backend)
    host = f"routed-{client.name}.shop.svc.cluster.local"

    def to(name):
        return {"cluster": f"outbound|9080||{name}"}

    world.service(
        host.split(".")[0],
        routes={
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/gone"},
                            "direct_response": {"status": 410, "body": {"inline_string": "gone"}},
                        },
                        {"match": {"prefix": "/moved"}, "redirect": {"path_redirect": "/there"}},
                        {
                            "match": {"prefix": "/old/"},
                            "route": {**to(host), "prefix_rewrite": "/new/"},
                        },
                        {
                            "match": {
                                "prefix": "/",
                                "headers": [{"name": "x-canary", "string_match": {"exact": "yes"}}],
                            },
                            "route": to(other),
                        },
                        {
                            "match": {"prefix": "/"},
                            "route": to(host),
                            "request_headers_to_add": [
                                {"header": {"key": "x-added", "value": "by-route"}}
                            ],
                            "response_headers_to_add": [
                                {"header": {"key": "x-answered", "value": "by-route"}}
                            ],
                        },
                    ],
                }
            ]
        },
    )
    world.apply()
    yield host
    del world.mesh.services[host], world.mesh.services[other]
    world.apply()


def test_the_first_answer_equals_the_second(world, client, routed):
    first = _ask_all(client, routed)
    world.becomes_direct(client, routed)
    assert _ask_all(client, routed) == first
    plain = first["plain"]
    assert plain["status"] == 200 and plain["server"] == "backend"
    assert plain["answered"] == "by-route" and plain["added"] == "by-route"
    assert first["canary"]["server"] == "other-backend"
    assert first["rewritten"]["path"] == "/new/x?y=1"
    assert first["direct_response"]["status"] == 410
    assert first["redirect"]["status"] == 301


def test_a_route_s_other_service_comes_into_scope_with_it(world, client, routed):
    world.becomes_direct(client, routed)
    other = routed.replace("routed-", "routed-other-", 1)
    assert world.knows(client) == {routed, other}


@pytest.fixture
def elsewhere(world, client):
    """A service all of whose routes lead to another one."""
    other = world.service(f"elsewhere-other-{client.name}", backend=world.other_backend)
    host = f"elsewhere-{client.name}.shop.svc.cluster.local"
    to_other = {"match": {"prefix": "/"}, "route": {"cluster": f"outbound|9080||{other}"}}
    world.service(
        host.split(".")[0],
        routes={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [to_other]}]},
    )
    world.apply()
    yield host
    del world.mesh.services[host], world.mesh.services[other]
    world.apply()


def test_a_service_whose_routes_all_lead_elsewhere_is_learned(world, client, elsewhere):
    first = client.get(elsewhere)
    assert first.status == 200 and first.headers["x-server"] == "other-backend"
    world.becomes_direct(client, elsewhere)
    assert client.get(elsewhere).headers["x-server"] == "other-backend"
    other = elsewhere.replace("elsewhere-", "elsewhere-other-", 1)
    assert world.knows(client) == {elsewhere, other}


REQUESTS = {
    "plain": ("/", {}),
    "canary": ("/", {"x-canary": "yes"}),
    "rewritten": ("/old/x?y=1", {}),
    "direct_response": ("/gone", {}),
    "redirect": ("/moved", {}),
}


def _ask_all(client, host):
    """Every kind of request, each over a connection of its own; what must not depend on the way."""
    return {
        name: _essence(client.get(host, path, headers=headers))
        for name, (path, headers) in REQUESTS.items()
    }


def _essence(answer):
    essence = {
        "status": answer.status,
        "server": answer.headers.get("x-server"),
        "answered": answer.headers.get("x-answered"),
        "location": answer.headers.get("location"),
    }
    if answer.status == 200:
        seen = answer.json()
        essence["path"] = seen["path"]
        essence["added"] = {name.lower(): value for name, value in seen["headers"].items()}.get(
            "x-added"
        )
    else:
        essence["body"] = answer.text
    return essence
