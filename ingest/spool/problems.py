"""Telling a person what keeps the spool from working, once."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Problems:
    """What is wrong at the moment, by kind.

    ``tell`` hears a problem when it begins or changes, and None after the last ended.
    """

    def __init__(self, tell: Callable[[str | None], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._current: dict[str, str] = {}
        self._told: str | None = None

    def report(self, kind: str, problem: str | None) -> None:
        if problem is None and kind not in self._current:
            return
        with self._lock:
            if problem is None:
                self._current.pop(kind, None)
            else:
                self._current[kind] = problem
            oldest = next(iter(self._current.values()), None)
            if oldest != self._told:
                self._told = oldest
                self._tell(oldest)

    def last_words(self, problem: str) -> None:
        """A problem that nothing will end any more."""
        with self._lock:
            self._tell(problem)
