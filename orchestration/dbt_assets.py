"""The dbt project as assets: sources, seeds and models, with the tests as checks."""

# Not `from __future__ import annotations`: Dagster reads the types of dbt_build's
# arguments, and does not look texts up.
import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from dagster import AssetExecutionContext, AssetSpec, Config
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    dbt_assets,
)
from pydantic import Field

from orchestration.checks import load_manifest
from orchestration.manifest import target_path
from orchestration.project import DBT_PROJECT


class FolderTranslator(DagsterDbtTranslator):
    """Names and groups for assets as the repository has them.

    The group of a model is its folder under ``models``; sources are ``raw``, after
    the schema that ``ingest`` owns.
    """

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        match dbt_resource_props["resource_type"]:
            case "source":
                return "raw"
            case "seed":
                return "seeds"
        folder: str = dbt_resource_props["fqn"][1]
        return folder

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        # The default appends the model's whole SQL, which buries the sentence that
        # says what a row is.
        written: str = dbt_resource_props.get("description") or ""
        return written or dbt_resource_props["original_file_path"]


TRANSLATOR = FolderTranslator(
    DagsterDbtTranslatorSettings(
        enable_asset_checks=True, enable_source_tests_as_checks=True
    )
)
MANIFEST = load_manifest(DBT_PROJECT.manifest_path)


class BuildConfig(Config):
    """What a run may be told.

    A run by hand needs none of it.
    """

    as_of_date: str | None = Field(
        default=None,
        description="Trading date (New York, YYYY-MM-DD) that strategy_stats is"
        " computed for. Left out: the trading date of the newest exit.",
    )


def build_arguments(as_of_date: str | None) -> list[str]:
    """Arguments of dbt for a date, or for dbt's own choice of it.

    Raises:
        ValueError: It is not a date.
    """
    # Unit tests try the SQL on made-up rows: nothing that a night could change.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if as_of_date:
        variables = {"as_of_date": date.fromisoformat(as_of_date).isoformat()}
        arguments += ["--vars", json.dumps(variables)]
    return arguments


@dbt_assets(
    manifest=MANIFEST,
    project=DBT_PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    name="dbt_build",
)
def dbt_build(
    context: AssetExecutionContext, dbt: DbtCliResource, config: BuildConfig
) -> Iterator[Any]:
    """Build and test what was selected; a failed test stops what depends on it."""
    yield from dbt.cli(
        build_arguments(config.as_of_date),
        context=context,
        # One folder for all runs, which come one at a time: dagster-dbt's choice is a
        # new one of some megabytes for each, and nobody removes it.
        target_path=target_path() / "dagster",
    ).stream()


def source_assets() -> list[AssetSpec]:
    """The raw tables, which ``ingest`` writes and no run here does."""
    return [
        TRANSLATOR.get_asset_spec(MANIFEST, unique_id, DBT_PROJECT)
        for unique_id in MANIFEST["sources"]
    ]
