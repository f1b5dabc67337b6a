"""raw.instruments: every symbol that a fact names, and its number."""

from __future__ import annotations

from dataclasses import astuple

from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from ingest import values
from ingest.facts import Instrument
from ingest.sql import statement


class Instruments:
    """The symbols known so far, with their ids, for one connection."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self._stored: set[tuple[str, str]] = set()

    def forget(self) -> None:
        """After a rollback: what was learnt in the transaction is gone with it."""
        self.ids.clear()
        self._stored.clear()

    def ensure(self, cursor: Cursor, seen: set[tuple[str, str | None]]) -> None:
        """Store the new ones among ``seen``: (symbol, the broker's asset class)."""
        found = {values.instrument(symbol, hint) for symbol, hint in seen}
        new = [i for i in found if (i.symbol, i.asset_class) not in self._stored]
        if not new:
            return
        # One row a symbol: the broker's word (crypto) before what its spelling says.
        rows: dict[str, Instrument] = {}
        for instrument in new:
            if instrument.asset_class == "crypto" or instrument.symbol not in rows:
                rows[instrument.symbol] = instrument
        execute_values(
            cursor,
            statement("writer/ensure_instruments"),
            [astuple(instrument) for instrument in rows.values()],
        )
        cursor.execute(statement("writer/instrument_ids"), {"symbols": list(rows)})
        self.ids.update(cursor.fetchall())
        self._stored.update((i.symbol, i.asset_class) for i in new)
