"""raw.marks: observed prices, in one partition per UTC day."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import Mark
from ingest.outcome import Outcome
from ingest.sql import statement
from ingest.staging import copy_lines

COLUMNS = ("ts", "price", "bid", "ask", "symbol_id", "is_usable")


class Days:
    """The partitions known to exist, for one connection.

    ``touched`` names those that were written to, for a vacuum afterwards.
    """

    def __init__(self) -> None:
        self.touched: set[str] = set()
        self._known: set[date] = set()

    def forget(self) -> None:
        """After a rollback: partitions made in the transaction are gone with it."""
        self._known.clear()

    def ensure(self, cursor: Cursor, day: date) -> None:
        """Create the partition of a day where it is missing.

        Attached rather than created in place: that takes a lock which readers of
        marks do not wait for.
        """
        if day in self._known:
            return
        name = f"raw.marks_{day:%Y%m%d}"
        cursor.execute("select to_regclass(%s)", (name,))
        if cursor.fetchone() == (None,):
            cursor.execute(
                f"create table {name} (like raw.marks including defaults"
                " including constraints);"
                f" alter table raw.marks attach partition {name}"
                " for values from (%s) to (%s)",
                (f"{day}T00:00Z", f"{day + timedelta(days=1)}T00:00Z"),
            )
        self._known.add(day)
        self.touched.add(name)


def write(
    cursor: Cursor, marks: list[Mark], ids: dict[str, int], days: Days, outcome: Outcome
) -> None:
    """Store marks; of equal (symbol, instant, price) the tightest quote is kept."""
    if not marks:
        return
    tightest: dict[tuple[str, datetime, float], Mark] = {}
    for mark in marks:
        key = (mark.symbol, mark.observed_at, mark.price)
        other = tightest.get(key)
        if other is None or (mark.bid or 0) > (other.bid or 0):
            tightest[key] = mark
    for day in {mark.observed_at.date() for mark in tightest.values()}:
        days.ensure(cursor, day)
    copy_lines(
        cursor,
        "stage_marks",
        COLUMNS,
        [
            f"{m.observed_at}\t{m.price}\t{_null(m.bid)}\t{_null(m.ask)}"
            f"\t{ids[m.symbol]}\t{m.is_usable}"
            for m in tightest.values()
        ],
    )
    cursor.execute(statement("writer/insert_marks"))
    outcome.count("mark", len(marks), cursor.rowcount)


def _null(number: float | None) -> float | str:
    return "\\N" if number is None else number
