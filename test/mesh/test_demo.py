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


@pytest.mark.parametrize("shape", ["transparent", "bound"])
def test_it_shows_lazy_loading(shape, tmp_path):
    out = tmp_path / "demo.json"
    done = subprocess.run(
        [sys.executable, DEMO, "--once", "--json", out, "--services", "300", "--shape", shape],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(out.read_text())
    assert shown["services"] == 300
    assert shown["requests"]["total"] > 0 and shown["requests"]["failed"] == 0
    assert len(shown["dependencies"]) >= 10
    for dependency in shown["dependencies"]:
        assert (dependency["first_via"], dependency["next_via"]) == ("egress", "direct")
        assert dependency["first_status"] == 200
    held = {workload["name"]: workload for workload in shown["workloads"]}
    assert not held["client-full"]["lazy"] and held["client-full"]["clusters"] >= 300
    assert held["client"]["lazy"] and held["client"]["clusters"] < 20


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
