"""raw.marks: observed prices, in one partition per UTC day."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.batch import EPOCH, MICROSECOND, Columns, Observed
from ingest.outcome import Outcome
from ingest.packing import copy_packed, packed, row_of, unpacked
from ingest.sql import statement

COLUMNS = ("ts", "price", "bid", "ask", "symbol_id", "is_usable")

HOUR = 3_600 * 1_000_000
DAY = 24 * HOUR

# Stored marks are read to compare with a batch up to so many times as it holds itself.
# Beyond, as where it is sparse and old, the server is asked about each mark.
MOST_STORED = 4

NOTHING: Columns = {
    "ts": np.empty(0, np.int64),
    **{name: np.empty(0) for name in ("price", "bid", "ask")},
    "symbol_id": np.empty(0, np.int64),
}

# A trade has neither bid nor ask.
QUOTE_ROW = row_of(
    ts="i8", price="f8", bid="f8", ask="f8", symbol_id="i4", is_usable="?"
)
TRADE_ROW = row_of(
    ts="i8", price="f8", bid=None, ask=None, symbol_id="i4", is_usable="?"
)
STORED_ROW = row_of(ts="i8", price="f8", bid="f8", ask="f8", symbol_id="i4")


class Days:
    """The partitions known to exist, for one connection.

    ``ahead``: how many days beyond the newest mark get theirs before they need it.
    ``touched`` names those that were written to, for a vacuum afterwards.
    """

    def __init__(self, ahead: int = 0) -> None:
        self.touched: set[str] = set()
        self._ahead = ahead
        self._known: set[date] = set()

    def forget(self) -> None:
        """After a rollback: partitions made in the transaction are gone with it."""
        self._known.clear()

    def ensure(self, cursor: Cursor, day: date) -> None:
        """Create the partition of a day where it is missing; of the newest, the next.

        The day is that of a mark, not this machine's: what is ahead of a recording
        from years ago are the days after it.
        """
        if day in self._known:
            return
        is_newest = day >= max(self._known, default=day)
        cursor.execute(
            "select raw.add_marks_day(%(day)s::date + n)"
            " from generate_series(0, %(ahead)s) as n",
            {"day": day, "ahead": self._ahead if is_newest else 0},
        )
        self._known.add(day)
        self.touched.add(f"raw.marks_{day:%Y%m%d}")


def write(
    cursor: Cursor, marks: Observed, ids: dict[str, int], days: Days, outcome: Outcome
) -> None:
    """Store marks; of equal (symbol, instant, price) the tightest quote is kept."""
    if not len(marks):
        return
    sent = _with_ids(marks, ids)
    seen = np.unique(sent["ts"] // DAY).tolist()
    for day in seen:
        days.ensure(cursor, _midnight(day).date())
    span = {"since": _midnight(seen[0]), "until": _midnight(seen[-1] + 1)}
    # Most batches are newer than all that is stored, the others mostly stored already:
    # to read what is there costs less than to let the server insert each mark with ON
    # CONFLICT. The writer's lock keeps others from storing one in between.
    stored = _stored(cursor, sent, {**span, "most": MOST_STORED * len(marks) + 1})
    if len(stored["ts"]) <= MOST_STORED * len(marks):
        new, others = _best(stored, sent)
        _copy(cursor, new)
    else:
        new, others = NOTHING, _best(NOTHING, sent)[0]
    written, hours = len(new["ts"]), _hours(new)
    if len(others["ts"]):
        cursor.execute(statement("writer/insert_marks"), {**_arrays(others), **span})
        for symbol_id, hour_at, count in cursor.fetchall():
            written += count
            hours.add((symbol_id, (hour_at - EPOCH) // MICROSECOND))
    _note(cursor, hours)
    outcome.count("mark", len(marks), written)


def _with_ids(marks: Observed, ids: dict[str, int]) -> Columns:
    columns = dict(marks.columns)
    known = np.array([ids[symbol] for symbol in marks.symbols])
    columns["symbol_id"] = known[columns.pop("symbol")]
    return columns


def _stored(cursor: Cursor, sent: Columns, limits: dict[str, Any]) -> Columns:
    """What is stored of the symbols between their first and last instants."""
    order = np.lexsort((sent["ts"], sent["symbol_id"]))
    symbol_ids, instants = sent["symbol_id"][order], sent["ts"][order]
    firsts = np.flatnonzero(np.diff(symbol_ids, prepend=-1))
    lasts = np.append(firsts[1:], len(order)) - 1
    query = cursor.mogrify(
        statement("writer/stored_marks"),
        {
            "symbol_ids": symbol_ids[firsts].tolist(),
            "firsts": _instants(instants[firsts]),
            "lasts": _instants(instants[lasts]),
            **limits,
        },
    )
    copied = io.BytesIO()
    cursor.copy_expert(query, copied)
    return unpacked(copied.getvalue(), STORED_ROW)


def _best(stored: Columns, sent: Columns) -> tuple[Columns, Columns]:
    """What to write, one mark a key: those whose key is new, and those that replace.

    The best of a key has the highest bid, then the lowest ask; a trade (NaN sorts last)
    gives way to any quote; of equals the stored one stays.
    """
    both = {name: np.concatenate([stored[name], sent[name]]) for name in sent}
    order = np.lexsort(
        (both["ask"], -both["bid"], both["price"], both["ts"], both["symbol_id"])
    )
    is_first = np.zeros(len(order), dtype=bool)
    is_first[0] = True
    for key in ("price", "ts", "symbol_id"):
        column = both[key][order]
        is_first[1:] |= column[1:] != column[:-1]
    is_stored = order < len(stored["ts"])
    key_number = np.cumsum(is_first) - 1
    is_known = np.zeros(key_number[-1] + 1, dtype=bool)
    is_known[key_number[is_stored]] = True
    best = order[is_first & ~is_stored]
    replaces = is_known[key_number[is_first & ~is_stored]]
    return _where(both, best[~replaces]), _where(both, best[replaces])


def _where(columns: Columns, chosen: np.ndarray[Any, Any]) -> Columns:
    return {name: column[chosen] for name, column in columns.items()}


def _copy(cursor: Cursor, columns: Columns) -> None:
    is_trade = np.isnan(columns["bid"])
    trades, quotes = _where(columns, is_trade), _where(columns, ~is_trade)
    for rows in (trades, quotes):
        rows["is_usable"] = rows["price"] > 0
    del trades["bid"], trades["ask"]
    copy_packed(
        cursor,
        "raw.marks",
        COLUMNS,
        [packed(quotes, QUOTE_ROW), packed(trades, TRADE_ROW)],
    )


def _hours(columns: Columns) -> set[tuple[int, int]]:
    """Each (symbol_id, UTC hour) of marks that are in the order of their keys."""
    symbol_ids, hours = columns["symbol_id"], columns["ts"] // HOUR
    is_first = np.ones(len(hours), dtype=bool)
    is_first[1:] = (np.diff(symbol_ids) != 0) | (np.diff(hours) != 0)
    firsts = np.flatnonzero(is_first)
    return set(
        zip(symbol_ids[firsts].tolist(), (hours[firsts] * HOUR).tolist(), strict=True)
    )


def _note(cursor: Cursor, hours: set[tuple[int, int]]) -> None:
    """Tell the position models which hours have marks that they have not seen."""
    if not hours:
        return
    symbol_ids, instants = zip(*hours, strict=True)
    cursor.execute(
        statement("writer/note_marks"),
        {"symbol_ids": list(symbol_ids), "hours": _instants(np.array(instants))},
    )


def _arrays(columns: Columns) -> dict[str, str]:
    """The columns as PostgreSQL's text of arrays; repr gives each float exactly."""
    texts = {
        "prices": map(repr, columns["price"].tolist()),
        "bids": map(repr, columns["bid"].tolist()),
        "asks": map(repr, columns["ask"].tolist()),
        "symbol_ids": map(str, columns["symbol_id"].tolist()),
    }
    arrays = {name: f"{{{','.join(values)}}}" for name, values in texts.items()}
    return {**arrays, "instants": _instants(columns["ts"])}


def _instants(microseconds: np.ndarray[Any, Any]) -> str:
    """An array of timestamps in UTC as PostgreSQL's text."""
    instants = np.datetime64("2000-01-01", "us") + microseconds
    return f"{{{','.join(np.datetime_as_string(instants).tolist())}}}"


def _midnight(day: int) -> datetime:
    """The instant at which a day begins that is so many days after EPOCH."""
    return EPOCH + timedelta(days=day)
