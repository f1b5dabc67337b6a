"""Tests as checks: which asset a test is a check of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dagster import Definitions

from orchestration.attachments import attachment, load_manifest, meaning
from orchestration.manifest import manifest_path


def manifest(parents: dict[str, list[str]]) -> dict[str, Any]:
    """A manifest of these edges."""
    children: dict[str, list[str]] = {}
    for child, read in parents.items():
        for node in read:
            children.setdefault(node, []).append(child)
    nodes = {
        name: {
            "unique_id": name,
            "resource_type": name.partition(".")[0],
            "raw_code": "-- What holds.\nselect 1",
        }
        for name in parents
    }
    return {"nodes": nodes, "parent_map": parents, "child_map": children}


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        (["model.early", "model.late"], "model.late"),
        (["model.late", "model.early"], "model.late"),
        (["source.read", "model.early"], "model.early"),
        (["source.unread", "source.read"], "source.read"),
        (["model.early"], "model.early"),
        ([], None),
    ],
)
def test_a_test_belongs_to_what_is_built_last(
    reads: list[str], expected: str | None
) -> None:
    edges = {
        "model.early": ["source.read"],
        "model.late": ["model.early"],
        "test.it": reads,
    }

    assert attachment(manifest(edges), "test.it") == expected


def test_what_dbt_has_attached_stays(tmp_path: Path) -> None:
    written = manifest({"model.late": ["model.early"], "test.it": ["model.late"]})
    written["nodes"]["test.it"]["attached_node"] = "model.early"
    (tmp_path / "manifest.json").write_text(json.dumps(written))

    read = load_manifest(tmp_path / "manifest.json")

    assert read["nodes"]["test.it"]["attached_node"] == "model.early"
    assert read["nodes"]["test.it"]["meta"] == {"description": "What holds."}


def test_a_test_says_what_it_means() -> None:
    generic = {
        "test_metadata": {
            "name": "expression_is_true",
            "kwargs": {"model": "{{ get_where() }}", "expression": "a <= b"},
        }
    }
    singular = {"raw_code": "-- Nothing is lost,\n-- nor twice.\nselect 1\n-- end"}

    assert meaning(generic) == "expression_is_true: expression a <= b"
    assert meaning(singular) == "Nothing is lost, nor twice."


def test_every_check_is_described(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    bare = [
        key.name
        for key in graph.asset_check_keys
        if not graph.get_check_spec(key).description
    ]

    assert bare == []


#: Of orchestration/checks.py.
PYTHON_CHECKS = {"open_positions_are_the_brokers", "features_cover_the_last_30_dates"}


def test_every_data_test_is_a_check(definitions: Definitions) -> None:
    nodes = load_manifest(manifest_path())["nodes"].values()
    tests = {
        node["name"]
        for node in nodes
        # Without a parent: a test of a generic test, on literal rows.
        if node["resource_type"] == "test" and node["depends_on"]["nodes"]
    }

    keys = definitions.resolve_asset_graph().asset_check_keys

    checks = [key.name for key in keys]
    assert len(checks) == len(set(checks))
    assert set(checks) == tests | PYTHON_CHECKS
