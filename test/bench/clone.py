#!/usr/bin/env python3
"""./run bench clone: how long it takes from a fresh clone to a demo that has shown everything, with
nothing cached and then again."""

import os
import subprocess
import tempfile
import time

from lab.measures import ROOT, run

MOST_SECONDS = {"clone.demo_cold": 720, "clone.demo_warm": 30}  # in this order
PROMISED = {name: ("s", f"≤ {most}") for name, most in MOST_SECONDS.items()}


def demo(clone, cache):
    """Seconds that `./run demo --once` takes in this clone."""
    # Nothing of this build's environment but what any shell has.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LAZYMESH_", "CCACHE_", "PYTHON"))
    }
    begun = time.monotonic()
    subprocess.run(
        ["./run", "demo", "--once"], cwd=clone, env={**kept, "LAZYMESH_CACHE": cache}, check=True
    )
    return time.monotonic() - begun


def measure(report):
    with tempfile.TemporaryDirectory(prefix="lazymesh-clone-") as folder:
        clone, cache = os.path.join(folder, "lazymesh"), os.path.join(folder, "cache")
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        for name, most in MOST_SECONDS.items():
            with report.part(name):
                taken = demo(clone, cache)
                report.add(name, taken, taken <= most, [taken])


if __name__ == "__main__":
    run("clone", PROMISED, measure)
