"""The dbt project as Dagster sees it: one object, with a manifest to read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import yaml
from dagster_dbt import DbtCliResource, DbtProject
from packaging.version import Version

from orchestration import manifest

# A step builds a part of the models. A test that reads more than these and what they
# are made of is the next step's; by dbt's own default, eager, both would run it.
os.environ.setdefault("DBT_INDIRECT_SELECTION", "buildable")

DBT_PROJECT = DbtProject(project_dir=manifest.ROOT, target_path=manifest.target_path())

# `dagster dev` loads this again after every change and starts a process for every
# run, which is why it parses only what changed. Elsewhere the manifest is part of
# what is deployed, and nothing may write it.
if DBT_PROJECT.preparer.using_dagster_dev():
    manifest.prepare()
else:
    manifest.require()


def variable(name: str) -> Any:
    """The value of a dbt variable as the project states it."""
    project = yaml.safe_load((manifest.ROOT / "dbt_project.yml").read_text("utf-8"))
    return project["vars"][name]


class QuickDbt(DbtCliResource):
    """dbt's command line, without what dagster-dbt's own fetches of metadata need.

    A fifth of a night without news went into asking dbt for its version, in a process
    of its own, and into loading dbt here as well. Should a release of dagster-dbt name
    these otherwise, a night takes longer and nothing else.
    """

    @property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        return None


def dbt_resource() -> DbtCliResource:
    """The command line of dbt, found without an activated environment."""
    return QuickDbt(
        project_dir=DBT_PROJECT,  # type: ignore[arg-type]
        dbt_executable=manifest.dbt_executable(),
    )
