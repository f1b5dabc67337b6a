"""Every dbt data test becomes an asset check, singular tests over many models too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def load_manifest(path: Path) -> Mapping[str, Any]:
    """Read a manifest and attach its loose tests.

    dbt attaches a generic test to the model whose YAML names it. A singular test has
    no such model, and dagster-dbt makes a check of it only where it reads just one.
    """
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and not node.get("attached_node"):
            node["attached_node"] = attachment(manifest, node["unique_id"])
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


def _ancestors(manifest: Mapping[str, Any], node: str) -> set[str]:
    found: set[str] = set()
    left = [node]
    while left:
        parents = set(manifest["parent_map"].get(left.pop(), ())) - found
        found |= parents
        left.extend(parents)
    return found
