"""The mesh file's JSON Schema, as an editor applies it: what the document shows is valid, and
common mistakes are not. (That it has the loader's keys is a unit test of the loader.)"""

import copy
import json
import pathlib
import re

import jsonschema
import pytest
import yaml

DOCS = pathlib.Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "mesh.schema.json").read_text(encoding="utf-8"))
EXAMPLES = [
    yaml.safe_load(block)
    for block in re.findall(
        r"```yaml\n(.*?)```", (DOCS / "mesh-file.md").read_text(encoding="utf-8"), re.DOTALL
    )
]
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def test_the_schema_itself_is_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_valid(number):
    VALIDATOR.validate(EXAMPLES[number])


def test_there_are_examples():
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["sevices"], []),
        (["settings", "lazy"], "on"),
        (["settings", "shape"], "sidecar"),
        (["settings", "egress"], ["10.0.0.2"]),
        (["settings", "reporters"], ["egress.example"]),
        (["settings", "trustBoundAddresses"], "yes"),
        (["namespaces", 0, "name"], "Shop"),
        (["namespaces", 0, "labels", "lazymesh.io/lazy"], "true"),
        (["services", 0, "host"], "Reviews.shop"),
        (["services", 0, "vips"], ["10.96.0.256"]),
        (["services", 0, "ports"], []),
        (["services", 0, "ports", 0, "number"], 70000),
        (["services", 0, "ports", 0, "number"], "9080"),
        (["services", 0, "ports", 0, "protocol"], "udp"),
        (["services", 0, "exportTo"], ["Shop"]),
        (["services", 0, "endpoints", 0, "weight"], 0),
        (["services", 0, "endpoints", 0, "health"], "sick"),
        (["services", 0, "endpoints", 0, "locality"], "a/b/c/d"),
        (["services", 0, "endpoints", 0, "adress"], "10.1.0.5"),
        (["services", 0, "routes"], []),
        (["workloads", 0, "addresses"], "10.1.0.2"),
    ],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, list) and part else None,
)
def test_a_mistake_is_refused(path, value):
    mesh = copy.deepcopy(EXAMPLES[0])
    item = mesh
    for key in path[:-1]:
        item = item[key]
    item[path[-1]] = value
    assert [list(error.absolute_path) for error in VALIDATOR.iter_errors(mesh)], "accepted"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (["namespaces", 0], "name"),
        (["services", 0], "host"),
        (["services", 0], "ports"),
        (["services", 0, "ports", 0], "number"),
        (["services", 0, "endpoints", 0], "address"),
        (["workloads", 0], "namespace"),
    ],
)
def test_what_is_required_is_missed(path, key):
    mesh = copy.deepcopy(EXAMPLES[0])
    item = mesh
    for step in path:
        item = item[step]
    del item[key]
    (error,) = VALIDATOR.iter_errors(mesh)
    assert list(error.absolute_path) == path and f"'{key}' is a required" in error.message
