"""Our programs where there is little, or much, or a mistake."""

import os
import pathlib
import subprocess

import pytest
from world import NAMESPACE, World

from lab import Lab, eventually
from lab.population import populate


@pytest.fixture
def lab():
    with Lab() as made:
        yield made


def test_an_empty_mesh_is_served(lab):
    lab.start_controller().wait_ready()
    lab.start_egress().wait_ready()
    assert lab.dependencies() == {}
    World(lab, services=1).apply()  # and it grows from there
    pod = lab.pod(NAMESPACE, "late", inbound=False)
    lab.mesh.write()
    host = next(iter(lab.mesh.services))
    lab.start_sidecars([pod])
    eventually(lambda: pod.get(host).status == 200, 5, "the late service is served")


@pytest.mark.parametrize("program", ["controller", "egress"])
def test_a_second_copy_on_the_same_ports_is_refused(lab, program):
    lab.start_controller().wait_ready()
    lab.start_egress().wait_ready()
    first = getattr(lab, program)
    second = lab.start_egress() if program == "egress" else lab.start_controller(store="other.db")
    try:
        assert second.process.wait(10) != 0
        last = second.process.output().strip().splitlines()[-1]
        assert "in use" in last or "cannot be bound" in last, last
    finally:
        setattr(lab, program, first)
    assert first.get("/readyz").status == 200


def test_a_sidecar_waits_for_a_controller_that_starts_later(lab):
    world = World(lab, services=2)
    pod = lab.pod(NAMESPACE, "early", inbound=False)
    lab.mesh.write()
    lab.start_sidecars([pod], wait=False)
    world.start()
    pod.envoy.wait_ready()
    host = world.fresh()
    assert world.via(pod, pod.get(host)) == "egress"
    world.becomes_direct(pod, host)


def test_nobody_is_served_before_a_mesh_file_that_was_broken_is_mended(lab):
    world = World(lab, services=2)
    pod = lab.pod(NAMESPACE, "early", inbound=False)
    controller = lab.start_controller(text="services: [")
    lab.start_sidecars([pod], wait=False)

    def refused():
        ready = controller.get("/readyz")
        return ready.status == 503 and "mesh.yaml:" in ready.text

    controller.process.until(refused, 10, "the broken file is shown")
    cds = "cluster_manager.cds.update_"
    eventually(lambda: pod.envoy.stats(cds)[cds + "attempt"] >= 1, 10, "the sidecar asks")
    assert pod.envoy.stats(cds)[cds + "success"] == 0
    assert pod.envoy.get("/ready").status == 503
    lab.mesh.write()
    controller.wait_ready()
    lab.start_egress().wait_ready()
    pod.envoy.wait_ready()
    host = world.fresh()
    assert world.via(pod, pod.get(host)) == "egress"
    world.becomes_direct(pod, host)


@pytest.mark.parametrize("protocol", ["delta", "sotw"])
def test_ten_thousand_services(lab, protocol):
    world = World(lab, services=4)
    populate(lab.mesh, 10_000)
    world.start()
    with world.client(protocol) as lazy:
        assert world.knows(lazy) == set()
        host = world.fresh()
        assert world.via(lazy, lazy.get(host)) == "egress"
        world.becomes_direct(lazy, host)
        assert world.knows(lazy) == {host}
        with world.client(protocol, namespace="plain") as full:
            eventually(
                lambda: full.envoy.cluster_count() >= len(lab.mesh.services),
                60,
                "the whole mesh",
                interval=0.5,
            )
            assert world.via(full, full.get(host)) == "direct"


def test_wrong_arguments_are_one_clear_line(lab):
    for argv in (
        [
            "lazymesh-controller",
            "--mesh",
            "/nowhere.yaml",
            "--store",
            lab.path("x.db"),
            "--grpc",
            "nonsense",
        ],
        ["lazymesh-egress", "--listen", "nonsense"],
        ["lazymeshctl", "bootstrap", "shop/nobody", "--mesh", "/nowhere.yaml"],
    ):
        done = subprocess.run(
            [lab.program(argv[0]), *argv[1:]],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        assert done.returncode != 0
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_mesh_file_that_cannot_be_used_is_told_apart(lab):
    empty = lab.path("empty.yaml")
    pathlib.Path(empty).touch()
    for file, reason in ((lab.path("missing.yaml"), "No such file"), (empty, "the file is empty")):
        done = subprocess.run(
            [lab.program("lazymeshctl"), "bootstrap", "shop/nobody", "--mesh", file],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        assert done.returncode == 1
        assert reason in done.stderr


def test_a_controller_that_cannot_write_its_addresses_ends(lab):
    done = subprocess.run(
        [
            lab.program("lazymesh-controller"),
            *("--mesh", lab.path("mesh.yaml"), "--store", lab.path("other.db")),
            *("--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
            *("--addresses-file", "/nowhere/addresses.json"),
        ],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 1
    assert "/nowhere/addresses.json" in done.stderr


def test_bootstrap_finds_the_mesh_file(lab, tmp_path):
    lab.pod(NAMESPACE, "web")
    lab.mesh.namespace(NAMESPACE)
    text = lab.mesh.text()

    def bootstrap(*more, **environment):
        return subprocess.run(
            [lab.program("lazymeshctl"), "bootstrap", f"{NAMESPACE}/web", *more],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            cwd=tmp_path,
            env={**os.environ, **environment},
        )

    missing = bootstrap()
    assert missing.returncode == 1
    assert "mesh.yaml" in missing.stderr and "--mesh" in missing.stderr
    (tmp_path / "mesh.yaml").write_text(text)
    here = bootstrap()
    assert here.returncode == 0, here.stderr
    assert f"~web.{NAMESPACE}~" in here.stdout
    (tmp_path / "mesh.yaml").rename(tmp_path / "other.yaml")
    assert bootstrap(LAZYMESH_MESH="other.yaml").stdout == here.stdout
    assert bootstrap("--mesh", "other.yaml", LAZYMESH_MESH="nowhere.yaml").stdout == here.stdout
