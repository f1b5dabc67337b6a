"""From the socket to the tables and out again, with nothing going wrong."""

from __future__ import annotations

from pathlib import Path

from standin import running
from tests.support.ingester import Zygote, eventually, ingesting
from tests.support.postgres import Database


def test_a_fill_and_its_marks_arrive(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts={"main": ("key", "secret")}) as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            alpaca.execute("main", "SPY", "buy", 10, "431.25")
            alpaca.wait_live("iex")
            alpaca.market("iex", [{"T": "q", "S": "SPY", "bp": 431.2, "ap": 431.3}])

            eventually(
                lambda: database.query(
                    "select symbol, qty, price::text from raw.fills"
                ),
                [("SPY", 10, "431.25")],
            )
            eventually(
                lambda: database.query("select price from raw.marks"), [(431.25,)]
            )
            assert daemon.stop() == 0
        assert not alpaca.forbidden_requests


def test_a_second_run_writes_nothing(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    def contents() -> list[list[tuple[object, ...]]]:
        tables = (
            "fills", "orders", "alpaca_event_dedupe", "account_activities",
            "quarantine", "marks", "openings",
        )  # fmt: skip
        # When a position was last seen moves on, as it should.
        positions = "select account_name, symbol, qty, avg_entry_price"
        return [
            *(
                database.query(f"select * from raw.{name}")  # noqa: S608
                for name in tables
            ),
            database.query(f"{positions} from raw.broker_positions"),
        ]

    with running(accounts={"main": ("key", "secret")}) as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            for price in ("431.25", "431.5", "432"):
                alpaca.execute("main", "SPY", "buy", 10, price)
            eventually(lambda: database.query("select count(*) from raw.fills"), [(3,)])
            eventually(
                lambda: database.query("select qty from raw.broker_positions"), [(30,)]
            )
            daemon.stop()
        before = contents()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        with ingesting(zygote, database, alpaca, elsewhere) as daemon:
            eventually(lambda: daemon.status()["accounts"][0]["last_catchup_at"])
            eventually(lambda: daemon.status()["spool"]["depth_bytes"], 0)
            daemon.stop()

    assert contents() == before
