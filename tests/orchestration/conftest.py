"""What Dagster loads, from a manifest of the suite's own."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# What Dagster and dbt import warns of its own parts.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dagster_dbt  # noqa: F401

from tests.support.paths import ROOT
from tests.support.postgres import Database, Server

if TYPE_CHECKING:
    from dagster import Definitions


#: One name for the databases of all these tests, one after the other: for another one
#: dbt's programs, which are not those of `tests.support.dbt`, would parse all anew.
SUFFIX = "dagster"


@pytest.fixture(scope="package", autouse=True)
def target(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A target folder with a manifest, away from the developer's own."""
    from orchestration import manifest

    folder = tmp_path_factory.mktemp("target")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", str(folder))
        with pytest.MonkeyPatch.context() as meanwhile:
            meanwhile.setenv("DATABASE_URL", server.named(SUFFIX).url)
            manifest.prepare()
        yield folder


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with server.created(suffix=SUFFIX) as created:
        yield created


@pytest.fixture
def empty_database(server: Server) -> Iterator[Database]:
    with server.created(migrated=False, suffix=SUFFIX) as created:
        yield created


@pytest.fixture
def built(server: Server, built_sample: Database) -> Iterator[Database]:
    with server.cloned(built_sample, suffix=SUFFIX) as created:
        yield created


@pytest.fixture
def definitions(target: Path) -> Definitions:
    from orchestration.definitions import defs

    return defs


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what Dagster and dbt read, to be broken."""
    copy = tmp_path / "checkout"
    for name in ("models", "macros", "seeds", "tests/dbt", "orchestration", "ingest"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture
def dagster_home(tmp_path: Path) -> Path:
    """An instance's folder with the project's settings, made as `make dev` makes it."""
    from scripts.dev import write_settings

    home = tmp_path / "dagster"
    home.mkdir()
    write_settings(home)
    return home


@pytest.fixture(autouse=True)
def no_dagster_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("DAGSTER_"):
            monkeypatch.delenv(name)
