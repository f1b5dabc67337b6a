"""The dbt project as assets: sources, seeds and models, with the tests as checks."""

# Not `from __future__ import annotations`: Dagster reads the types of the arguments,
# and does not look texts up.
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetSpec,
    BackfillPolicy,
)
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)

from orchestration import dbt_runs, partitions
from orchestration.attachments import load_manifest
from orchestration.freshness import POLICIES
from orchestration.project import DBT_PROJECT

#: The one model that is computed for a date.
PARTITIONED = "strategy_stats"

#: Tests of the generic tests, on literal rows: checks of no asset.
OF_NO_ASSET = "fqn:*_finds_*"


class FolderTranslator(DagsterDbtTranslator):
    """Names and groups for assets as the repository has them.

    The group of a model is its folder under ``models``; sources are ``raw``, after
    the schema that ``ingest`` owns.
    """

    def get_asset_spec(
        self,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        policy = POLICIES.get(spec.key.to_user_string())
        return spec.replace_attributes(freshness_policy=policy) if policy else spec

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        match dbt_resource_props["resource_type"]:
            case "source":
                return "raw"
            case "seed":
                return "seeds"
        folder: str = dbt_resource_props["fqn"][1]
        return folder

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        # Who to ask: those who watch the ingester, or those who watch the models.
        is_raw = dbt_resource_props["resource_type"] == "source"
        return ["team:ingest"] if is_raw else ["team:models"]

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


@dbt_assets(
    manifest=MANIFEST,
    project=DBT_PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    name="positions",
    exclude=f"{PARTITIONED} {OF_NO_ASSET}",
)
def positions(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """All but the statistics: what is new is derived and tested."""
    yield from dbt_runs.build(context, dbt)


@dbt_assets(
    manifest=MANIFEST,
    project=DBT_PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    name="statistics",
    select=PARTITIONED,
    partitions_def=partitions.DATES,
    # dbt computes a range of dates in one pass.
    backfill_policy=BackfillPolicy.single_run(),
)
def statistics(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """strategy_stats of one date or of each date of a range."""
    yield from dbt_runs.build(context, dbt, partitions.asked(context))


def source_assets() -> list[AssetSpec]:
    """The raw tables, which ``ingest`` writes and no run here does."""
    return [
        TRANSLATOR.get_asset_spec(MANIFEST, unique_id, DBT_PROJECT)
        for unique_id in MANIFEST["sources"]
    ]
