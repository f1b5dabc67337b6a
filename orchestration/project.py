"""The dbt project as Dagster sees it: one object, with a manifest to read."""

from __future__ import annotations

from dagster_dbt import DbtCliResource, DbtProject

from orchestration import manifest

DBT_PROJECT = DbtProject(project_dir=manifest.ROOT, target_path=manifest.target_path())

# `dagster dev` loads this again after every change and starts a process for every
# run, which is why it parses only what changed. Elsewhere the manifest is part of
# what is deployed, and nothing may write it.
if DBT_PROJECT.preparer.using_dagster_dev():
    manifest.prepare()
else:
    manifest.require()


def dbt_resource() -> DbtCliResource:
    """The command line of dbt, found without an activated environment."""
    return DbtCliResource(
        project_dir=DBT_PROJECT, dbt_executable=manifest.dbt_executable()
    )
