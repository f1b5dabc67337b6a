"""raw.broker_positions: what the broker last said of each position."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import BrokerPosition
from ingest.outcome import Located, Outcome
from ingest.sql import statement
from ingest.staging import insert_rows
from ingest.values import EARLIEST

COLUMNS = ("account_name", "symbol", "qty", "avg_entry_price", "observed_at")


def write(cursor: Cursor, located: list[Located], outcome: Outcome) -> None:
    """Store what was observed later than what is known, by the receiver's clock.

    A row states no instant of its own: it was observed when it was received. Only
    another quantity or price counts as written; the same again moves ``observed_at``
    on, so that a late copy of something older stays without effect.
    """
    if not located:
        return
    symbols = {"symbols": list({position.symbol for _, position in located})}
    cursor.execute(statement("writer/known_positions"), symbols)
    known = {row[:2]: row[2:] for row in cursor.fetchall()}
    changed: set[tuple[str, str]] = set()
    for entry, position in located:
        p: BrokerPosition = position
        key, observed_at = (p.account_name, p.symbol), entry.received_at or EARLIEST
        stored = known.get(key)
        said = (p.qty, p.avg_entry_price)
        is_newer = stored is None or observed_at > stored[2]
        if is_newer:
            known[key] = (*said, observed_at)
            changed.add(key)
        is_new = is_newer and (stored is None or said != stored[:2])
        outcome.tally["position", "written" if is_new else "duplicate"] += 1
    rows = ((*key, *known[key]) for key in changed)
    insert_rows(cursor, "insert_positions", COLUMNS, rows)
