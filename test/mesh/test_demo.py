"""The demo is a promise: it shows what it says, in both shapes, and leaves nothing behind."""

import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest

from lab import eventually

DEMO = pathlib.Path(__file__).parents[2] / "deploy" / "demo" / "demo.py"


# What --json writes: key -> type.
WORKLOAD = {
    "name": str,
    "lazy": bool,
    "clusters": int,
    "listeners": int,
    "memory_allocated_bytes": int,
}
DEPENDENCY = {
    "source": str,
    "destination": str,
    "first_via": str,
    "first_status": int,
    "first_ms": float,
    "converge_ms": float,
    "next_via": str,
}
REQUESTS = {"total": int, "failed": int}


def _once(out, *more, **environment):
    return subprocess.run(
        [sys.executable, DEMO, "--once", "--json", out, *more],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def _form(item):
    return {key: type(value) for key, value in item.items()}


@pytest.mark.parametrize("shape", ["transparent", "bound"])
def test_it_shows_lazy_loading(shape, tmp_path):
    out = tmp_path / "demo.json"
    done = _once(out, "--services", "300", "--shape", shape)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(out.read_text())
    assert shown.keys() == {"services", "workloads", "dependencies", "requests"}
    assert shown["services"] == 300
    assert _form(shown["requests"]) == REQUESTS
    assert shown["requests"]["total"] > 0 and shown["requests"]["failed"] == 0
    assert len(shown["dependencies"]) >= 10
    names = {workload["name"] for workload in shown["workloads"]}
    for dependency in shown["dependencies"]:
        assert _form(dependency) == DEPENDENCY
        assert (dependency["first_via"], dependency["next_via"]) == ("egress", "direct")
        assert dependency["first_status"] == 200
        assert 0 < dependency["first_ms"] < 5000 and 0 < dependency["converge_ms"] < 5000
        assert {dependency["source"], dependency["destination"]} <= names
    for workload in shown["workloads"]:
        assert _form(workload) == WORKLOAD
        assert workload["listeners"] > 0 and workload["memory_allocated_bytes"] > 1e6
    held = {workload["name"]: workload for workload in shown["workloads"]}
    lazy, full = held["client"], held["client-full"]
    assert not full["lazy"] and full["clusters"] >= 300
    assert lazy["lazy"] and lazy["clusters"] < 20
    assert lazy["memory_allocated_bytes"] < full["memory_allocated_bytes"]


def test_it_writes_what_there_is_when_it_fails(tmp_path):
    out = tmp_path / "demo.json"
    done = _once(out, "--services", "20", LAZYMESH_ENVOY="/bin/false")
    assert done.returncode == 1
    assert "demo: Envoy of" in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert json.loads(out.read_text()) == {
        "services": 20,
        "workloads": [],
        "dependencies": [],
        "requests": {"total": 0, "failed": 0},
    }


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_stays_until_it_is_ended_and_leaves_nothing(end, tmp_path):
    with open(tmp_path / "out", "w+", encoding="utf-8") as out:
        demo = subprocess.Popen([sys.executable, DEMO, "--services", "50"], stdout=out, stderr=out)

        def text():
            return (tmp_path / "out").read_text()

        eventually(lambda: "Ctrl-C ends it" in text(), 60, "the demo stands")
        children = _children(demo.pid)
        assert len(children) > 20
        assert demo.poll() is None
        demo.send_signal(end)
        status = demo.wait(20)
    if end == signal.SIGINT:
        assert status == 0
    eventually(
        lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), 5, "no process is left"
    )
    if end != signal.SIGKILL:  # after which the next lab removes it
        assert not glob.glob(os.path.join(tempfile.gettempdir(), f"lazymesh-lab-{demo.pid}-*"))


def _children(pid):
    return [
        int(child)
        for task in os.listdir(f"/proc/{pid}/task")
        for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
    ]
