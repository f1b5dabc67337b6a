"""What is due, and what is remembered across restarts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ingest.progress import Progress

NOW = datetime(2026, 3, 2, 16, tzinfo=UTC)


def test_a_broker_s_clock_that_was_set_back_delays_nothing(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.json")
    progress.swept(date(2026, 3, 2))
    progress.non_trade_reached(NOW)

    assert not progress.is_sweep_due(date(2026, 3, 2))
    assert progress.is_sweep_due(date(2025, 3, 2))
    assert not progress.is_non_trade_due(NOW + timedelta(minutes=59), 3600)
    assert progress.is_non_trade_due(NOW - timedelta(days=365), 3600)


def test_it_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    progress = Progress(path)
    assert progress.is_first and progress.is_unreconciled
    progress.swept(date(2026, 3, 2))
    progress.non_trade_reached(NOW)
    progress.identified("account-1")
    progress.reconciled()
    progress.reached(NOW)

    again = Progress(path)
    assert (again.caught_up_to, again.non_trade_up_to) == (NOW, NOW)
    assert (again.last_sweep, again.account_id) == (date(2026, 3, 2), "account-1")
    assert not again.is_first and not again.is_unreconciled


def test_what_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    for text in ("", "[]", '{"caught_up_to": 3, "last_sweep": "x"}'):
        path.write_text(text)
        assert Progress(path).is_first
