"""The dates that statistics are computed for."""

from __future__ import annotations

from typing import Protocol

from dagster import DailyPartitionsDefinition, PartitionKeyRange

#: Before any recording that is known; what is earlier is dbt's by hand.
FIRST_DATE = "2013-01-01"

#: One partition a date of New York, the one that has begun among them: at 02:00 UTC the
#: trading day is over and its date is not.
DATES = DailyPartitionsDefinition(
    start_date=FIRST_DATE, timezone="America/New_York", end_offset=1
)


class Partitioned(Protocol):
    """What is asked of a step's context."""

    @property
    def has_partition_key_range(self) -> bool: ...

    @property
    def has_partition_key(self) -> bool: ...

    @property
    def partition_key_range(self) -> PartitionKeyRange: ...


def asked(context: Partitioned) -> tuple[str, str] | None:
    """The first and the last date of a run; None: by dbt's own choice."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return None
    dates = context.partition_key_range
    return dates.start, dates.end
