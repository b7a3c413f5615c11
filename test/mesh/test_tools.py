"""What tests and benchmarks rely on to notice a failure."""

import json
import sys

import pytest

from lab import measures


@pytest.mark.parametrize("status", [200, 201, 302, 404, 500])
def test_a_load_takes_anything_but_200_for_a_failure(world, client, status):
    host = world.fresh()
    world.learn(client, host)
    report = client.load([host], requests=20, path=f"/status?code={status}").result(20)
    assert report["status"] == {str(status): 20}
    assert report["failed"] == (0 if status == 200 else 20)
    assert len(report["failures"]) == report["failed"]


def test_a_load_says_when_its_last_answer_changed_peer(world, client):
    host = world.fresh()
    report = client.load([host], rate=200, duration_ms=1000).result(20)
    assert report["peers"].keys() == {world.egress_ip, client.address}
    change = report["last_change"]
    assert 0 < change["ms"] < 1000
    # One connection: everything before was answered by the egress, the rest by the backend.
    assert change["requests"] == report["peers"][world.egress_ip] + 1


def test_a_benchmark_reports_what_it_measured_and_misses_the_rest(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(measures, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["x"])
    promised = {"x.good": ("ms", "≤ 5"), "x.late": ("ms", "≤ 5"), "x.lost": ("ms", "≤ 5")}

    def body(report):
        with report.part("good"):
            report.add("x.good", 4, True, (3, 4), why="because")
        with report.part("lost"):
            report.add("x.lost", [][-1], True, [])
        with report.part("late"):
            report.add("x.late", 6, False, [6])

    with pytest.raises(SystemExit) as ended:
        measures.run("x", promised, body)
    assert ended.value.code == 1
    assert "IndexError" in capsys.readouterr().out
    result = json.loads((tmp_path / "build/bench/x.json").read_text())
    assert [
        (each["name"], each["value"], each["met"], each["raw"]) for each in result["measures"]
    ] == [("x.good", 4, True, [3, 4]), ("x.late", 6, False, [6]), ("x.lost", None, False, [])]
    assert result["measures"][0]["details"] == {"why": "because"}
