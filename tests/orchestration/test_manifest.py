"""The manifest: when it is made again, and what a user reads when it cannot be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration import manifest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose manifest is newer than its files."""
    root = tmp_path / "project"
    (root / "models" / "marts").mkdir(parents=True)
    (root / "models" / "marts" / "one.sql").touch()
    (root / "models" / "marts" / "two.sql").touch()
    (root / "dbt_project.yml").touch()
    (root / "target").mkdir()
    (root / "target" / "manifest.json").touch()
    for path in (root, *root.rglob("*")):
        if path.name != "manifest.json":
            os.utime(path, (0, 0))
    monkeypatch.setattr(manifest, "ROOT", root)
    monkeypatch.delenv("DBT_TARGET_PATH")
    return root


def test_a_manifest_newer_than_the_project_is_kept(project: Path) -> None:
    assert not manifest.is_stale()
    assert not manifest.prepare()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "models" / "marts" / "one.sql").write_text("select 1"),
        lambda root: (root / "models" / "marts" / "three.sql").touch(),
        lambda root: (root / "models" / "marts" / "two.sql").unlink(),
        lambda root: (root / "dbt_project.yml").write_text("name: other"),
        lambda root: (root / "target" / "manifest.json").unlink(),
    ],
    ids=["edited", "added", "removed", "configured", "never made"],
)
def test_a_change_makes_it_stale(
    project: Path, change: Callable[[Path], object]
) -> None:
    made = project / "target" / "manifest.json"
    os.utime(made, (1, 1))

    change(project)

    assert manifest.is_stale()


def test_a_missing_manifest_is_one_clear_line(project: Path) -> None:
    (project / "target" / "manifest.json").unlink()

    with pytest.raises(manifest.ManifestError, match=r"^[^\n]*run `dbt parse` first"):
        manifest.require()


def test_prepare_shows_what_dbt_says(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "ROOT", checkout)
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    broken = checkout / "models" / "marts" / "broken.sql"
    broken.write_text("select * from {{ ref('nothing_of_this_name') }}")

    with pytest.raises(manifest.ManifestError, match="nothing_of_this_name"):
        manifest.prepare()

    broken.unlink()
    assert manifest.prepare()
    assert not manifest.prepare()
