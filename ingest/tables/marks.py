"""raw.marks: observed prices, in one partition per UTC day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from struct import Struct

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import Mark
from ingest.outcome import Outcome
from ingest.sql import statement
from ingest.staging import copy_packed

COLUMNS = ("ts", "price", "bid", "ask", "symbol_id", "is_usable")

# Rows in COPY's binary format (see copy_packed): six fields, each after its length. To
# pack a row costs a fifth of what it costs to write its floats and instant as text, and
# the server reads it quicker too. A trade has neither bid nor ask.
QUOTE_ROW = Struct(">h iq id id id ii i?").pack
TRADE_ROW = Struct(">h iq id i i ii i?").pack

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
DAY = 86_400 * 1_000_000

# symbol_id, microseconds since EPOCH, price: the primary key.
Key = tuple[int, int, float]


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
    tightest: dict[Key, Mark] = {}
    for mark in marks:
        key = (ids[mark.symbol], _microseconds(mark.observed_at), mark.price)
        other = tightest.get(key)
        if other is None or (mark.bid or 0) > (other.bid or 0):
            tightest[key] = mark
    seen = {microseconds // DAY for _, microseconds, _ in tightest}
    for day in seen:
        days.ensure(cursor, (EPOCH + day * timedelta(days=1)).date())
    newest = _newest(cursor, {symbol_id for symbol_id, _, _ in tightest}, seen)
    # Most batches are newer than all that is stored. What is newer than the newest mark
    # of its symbol cannot be stored yet: COPY takes it straight, at half of what the
    # server needs for staging it and inserting with ON CONFLICT. The writer's lock
    # keeps others from storing one in between.
    new: list[bytes] = []
    rest: list[bytes] = []
    for key, mark in tightest.items():
        symbol_id, microseconds, _ = key
        rows = new if microseconds > newest.get(symbol_id, -1) else rest
        rows.append(_packed(key, mark))
    copy_packed(cursor, "raw.marks", COLUMNS, new)
    written = len(new)
    if rest:
        cursor.execute(
            "create temp table if not exists stage_marks (ts timestamptz, price float8,"
            " bid float8, ask float8, symbol_id integer, is_usable boolean)"
            " on commit delete rows"
        )
        copy_packed(cursor, "stage_marks", COLUMNS, rest)
        cursor.execute(statement("writer/insert_marks"))
        written += cursor.rowcount
    outcome.count("mark", len(marks), written)


def _newest(cursor: Cursor, symbol_ids: set[int], days: set[int]) -> dict[int, int]:
    """By symbol_id the instant of its newest stored mark of these days."""
    span = {
        "since": EPOCH + min(days) * timedelta(days=1),
        "until": EPOCH + (max(days) + 1) * timedelta(days=1),
    }
    cursor.execute(
        statement("writer/newest_marks"), {"symbol_ids": list(symbol_ids), **span}
    )
    return {symbol_id: _microseconds(ts) for symbol_id, ts in cursor.fetchall()}


def _microseconds(instant: datetime) -> int:
    """An instant as PostgreSQL sends it: microseconds since 2000."""
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _packed(key: Key, mark: Mark) -> bytes:
    symbol_id, microseconds, price = key
    if mark.bid is None:
        return TRADE_ROW(
            6, 8, microseconds, 8, price, -1, -1, 4, symbol_id, 1, mark.is_usable
        )
    return QUOTE_ROW(
        *(6, 8, microseconds, 8, price, 8, mark.bid, 8, mark.ask),
        *(4, symbol_id, 1, mark.is_usable),
    )
