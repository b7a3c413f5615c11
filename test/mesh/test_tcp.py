"""TCP that is not HTTP: to the egress by original destination, then direct."""

import contextlib

import pytest

from lab import eventually


@pytest.mark.parametrize("speaks_first", ["client", "server"])
def test_tcp_goes_by_the_egress_and_the_next_connection_direct(world, client, speaks_first):
    port = 7001 if speaks_first == "client" else 7002
    host = f"tcp-{client.name}.shop.svc.cluster.local"
    world.mesh.service(
        host, "shop", [world.lab.next_vip()], [(port, "tcp")], [(world.backend.address, port)]
    )
    world.apply()
    assert _peer(client, host, port, speaks_first) == world.egress_ip
    eventually(lambda: _peer(client, host, port, speaks_first) == client.address, 5, "direct")
    assert world.knows(client) == {host}
    assert (client.id, host, port) in world.lab.dependencies()
    del world.mesh.services[host]


def test_tcp_to_an_address_outside_the_mesh_is_closed(world, client):
    with client.tcp(("10.200.0.1", 7001)) as connection:
        connection.sendall(b"hello\n")
        connection.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""


def _peer(client, host, port, speaks_first):
    """Who the application said had connected; and what it is sent must come back."""
    with client.tcp(client.where(host, port)) as connection:
        file = connection.makefile("rwb")
        if speaks_first == "client":
            file.write(b"hello\n")
            file.flush()
        name, peer = file.readline().decode().split()
        if speaks_first == "server":
            file.write(b"hello\n")
            file.flush()
        assert name == "backend"
        assert file.readline() == b"hello\n"
        return peer
