"""HTTP over a connection that was opened long before its first request, as connection pools do."""

import time

import pytest
from world import NAMESPACE, PLAIN

LONGER_THAN_INSPECTION = 0.3  # seconds; a sidecar looks for HTTP for 0.1


@pytest.mark.parametrize("namespace,via", [(NAMESPACE, "egress"), (PLAIN, "direct")])
def test_a_connection_that_was_silent_at_first_is_served(world, protocol, namespace, via):
    host = world.fresh()
    with world.client(protocol, namespace) as pod, pod.connect(host) as connection:
        connection.open()
        time.sleep(LONGER_THAN_INSPECTION)
        assert world.via(pod, connection.request(host)) == via
