"""Which Alpaca account stands behind a name, so that no two histories are mixed.

A name is only what a setting says. One account under two names would contradict itself,
and a paper account that was reset, or other keys under the old name, would be taken for
the same account going on.
"""

from __future__ import annotations

import threading

from ingest.errors import ExcursionError
from ingest.progress import Progress


class AccountRefusedError(ExcursionError):
    """The keys of a name lead to an account that must not be recorded under it."""


class Identities:
    """The broker's ids of the accounts of one daemon; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}

    def check(self, name: str, account_id: str, progress: Progress) -> None:
        """Remember whose keys these are; raises AccountRefusedError."""
        with self._lock:
            other = self._names.setdefault(account_id, name)
        if other != name:
            raise AccountRefusedError(
                f"accounts {other} and {name} are one and the same at Alpaca: remove"
                " one of them from the settings"
            )
        if progress.account_id not in (None, account_id):
            raise AccountRefusedError(
                f"the keys of {name} lead to another Alpaca account than before (a"
                " paper account that was reset is a new one): record it under another"
                " name"
            )
        progress.identified(account_id)
