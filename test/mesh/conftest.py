"""What the mesh tests share: a running mesh, and fresh clients in it."""

import os

import pytest
from world import World

from lab import Lab


@pytest.fixture(scope="session")
def world():
    """One mesh for all tests that leave it as they found it. Each test makes clients of its own."""
    with Lab() as lab:
        yield World(lab).start()


@pytest.fixture(params=["delta", "sotw"])
def protocol(request):
    """How the sidecars of the test talk xDS."""
    return request.param


@pytest.fixture
def client(world, protocol):
    """A new lazy workload with a real sidecar that knows nothing yet."""
    with world.client(protocol) as pod:
        yield pod


@pytest.fixture
def other_client(world, protocol):
    with world.client(protocol) as pod:
        yield pod


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what our programs said last."""
    report = (yield).get_result()
    if report.failed and "world" in item.funcargs:
        lab = item.funcargs["world"].lab
        for log in sorted(os.listdir(lab.path("logs"))):
            if log.startswith(("controller", "egress")):
                with open(lab.path(f"logs/{log}"), encoding="utf-8", errors="replace") as file:
                    report.sections.append((log, "".join(file.readlines()[-30:])))
