"""Checks that look beyond the models: at the broker's word, and at a month of days."""

# Not `from __future__ import annotations`: Dagster reads the types of the arguments.
from decimal import Decimal

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetKey,
    Config,
    MetadataValue,
    TableColumn,
    TableMetadataValue,
    TableRecord,
    TableSchema,
    asset_check,
)
from pydantic import Field

from orchestration.database import connected, query
from orchestration.dbt_runs import lost_database_retried
from orchestration.project import variable
from orchestration.settings import COVERAGE_VARIABLE, min_coverage_pct

MISMATCH = TableSchema(
    [
        TableColumn(name, "text")
        for name in ("account_name", "symbol", "derived_qty", "broker_qty")
    ]
)


@asset_check(
    asset=AssetKey(["active_positions"]),
    description="The open quantity of each account and symbol is what the broker last"
    " said, unless it was traded since.",
)
def open_positions_are_the_brokers(
    context: AssetCheckExecutionContext,
) -> AssetCheckResult:
    # A double would be 1e-08 too, but compared as a decimal it is exact.
    dust = Decimal(str(variable("dust_quantity")))
    with lost_database_retried(context.op_execution_context), connected() as connection:
        rows = query(connection, "open_quantities", {"dust": dust})
        [(stated,)] = query(connection, "broker_positions_count")
    records = [
        TableRecord(dict(zip((c.name for c in MISMATCH.columns), row, strict=True)))
        for row in rows
    ]
    return AssetCheckResult(
        passed=not rows,
        description=f"{len(rows)} of them differ"
        if stated
        else "nothing was compared: no ingester has told what the broker holds",
        metadata={
            "broker positions": MetadataValue.int(stated),
            "differences": MetadataValue.int(len(rows)),
            "which": TableMetadataValue(records, MISMATCH),
        },
    )


class Coverage(Config):
    """The least share of recommended entries that must carry their features."""

    min_coverage_pct: float = Field(
        default_factory=min_coverage_pct,
        ge=0,
        le=100,
        description=f"In percent; the default is that of {COVERAGE_VARIABLE}, or 95.",
    )


@asset_check(
    asset=AssetKey(["feature_coverage"]),
    description="Of the entries that the dispatcher recommended in the last 30 trading"
    " dates, enough carry the features that they were recommended by.",
)
def features_cover_the_last_30_dates(
    context: AssetCheckExecutionContext, config: Coverage
) -> AssetCheckResult:
    with lost_database_retried(context.op_execution_context), connected() as connection:
        [(recommended, featured, first, last)] = query(connection, "feature_coverage")
    least = Decimal(str(config.min_coverage_pct))
    enough = featured * 100 >= least * recommended
    pct = f"{Decimal(featured) * 100 / recommended:.1f} %" if recommended else "none"
    return AssetCheckResult(
        passed=bool(enough),
        severity=AssetCheckSeverity.WARN,
        description=f"{featured:,} of {recommended:,} recommended entries carry their"
        f" features ({pct}; at least {least} %)",
        metadata={"first date": first or "-", "last date": last or "-"},
    )
