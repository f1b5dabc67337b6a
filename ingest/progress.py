"""Up to where an account was caught up with, remembered across restarts.

A small JSON file beside the spool, not a table: it must be known while the database is
down. Losing it costs requests, never a fact: everything is asked for again.
"""

from __future__ import annotations

import json
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any


class Progress:
    """The broker's clock at the last complete catch-up, sweep and non-trade query."""

    def __init__(self, path: Path) -> None:
        self._path = path
        said = _read(path)
        self.caught_up_to: datetime | None = _instant(said.get("caught_up_to"))
        self.non_trade_up_to: datetime | None = _instant(said.get("non_trade_up_to"))
        self.last_sweep: date | None = _date(said.get("last_sweep"))
        #: The broker's id of the account, once it was asked for.
        self.account_id: str | None = _string(said.get("account_id"))
        #: Whether the account's positions were never explained in full.
        self.is_unreconciled = not said.get("is_reconciled")

    @property
    def is_first(self) -> bool:
        """Whether this account was never caught up with."""
        return self.caught_up_to is None

    def is_sweep_due(self, today: date) -> bool:
        """Once for each of the broker's dates, and at the first start."""
        return today != self.last_sweep

    def is_non_trade_due(self, now: datetime, every_seconds: float) -> bool:
        last = self.non_trade_up_to
        # A clock that was set back is no reason to wait.
        return last is None or abs(now - last) >= timedelta(seconds=every_seconds)

    def reached(self, broker_now: datetime) -> None:
        self.caught_up_to = broker_now
        self._save()

    def swept(self, day: date) -> None:
        self.last_sweep = day

    def non_trade_reached(self, broker_now: datetime) -> None:
        self.non_trade_up_to = broker_now

    def identified(self, account_id: str) -> None:
        if self.account_id != account_id:
            self.account_id = account_id
            self._save()

    def reconciled(self) -> None:
        if self.is_unreconciled:
            self.is_unreconciled = False
            self._save()

    def _save(self) -> None:
        said = {
            "caught_up_to": _text(self.caught_up_to),
            "non_trade_up_to": _text(self.non_trade_up_to),
            "last_sweep": _text(self.last_sweep),
            "account_id": self.account_id,
            "is_reconciled": not self.is_unreconciled,
        }
        temporary = self._path.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def _read(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _instant(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None
