"""Every dbt data test becomes an asset check, singular tests over many models too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any


def load_manifest(path: Path) -> Mapping[str, Any]:
    """Read a manifest, attach its loose tests and let all tests say what they mean.

    dbt attaches a generic test to the model whose YAML names it. A singular test has
    no such model, and dagster-dbt makes a check of it only where it reads just one.
    """
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and not node.get("attached_node"):
            node["attached_node"] = attachment(manifest, node["unique_id"])
        if node["resource_type"] == "test":
            # Where dagster-dbt looks for the description of a check.
            node["meta"] = {"description": meaning(node), **node.get("meta", {})}
    return manifest


def attachment(manifest: Mapping[str, Any], test_id: str) -> str | None:
    """The node whose check a test is: of those it reads, the one built last.

    Built last is the one with the most ancestors. Of raw tables, one that a model
    reads, because others take no checks. Then by name, so that a check does not move
    from one asset to another.
    """

    def rank(node: str) -> tuple[int, bool, str]:
        children = manifest["child_map"].get(node, [])
        is_read = any(child.startswith("model.") for child in children)
        return len(_ancestors(manifest, node)), is_read, node

    return max(manifest["parent_map"].get(test_id, []), key=rank, default=None)


def meaning(test: Mapping[str, Any]) -> str:
    """What holds where a test passes: its arguments, or the comment at its head."""
    if asked := test.get("test_metadata"):
        given = {k: v for k, v in asked["kwargs"].items() if k != "model"}
        return f"{asked['name']}: {', '.join(f'{k} {v}' for k, v in given.items())}"
    lines = takewhile(lambda line: line.startswith("--"), test["raw_code"].splitlines())
    return " ".join(line.removeprefix("--").strip() for line in lines)


def _ancestors(manifest: Mapping[str, Any], node: str) -> set[str]:
    found: set[str] = set()
    left = [node]
    while left:
        parents = set(manifest["parent_map"].get(left.pop(), ())) - found
        found |= parents
        left.extend(parents)
    return found
