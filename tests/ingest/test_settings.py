"""What the daemon is told, and what it says when it is told wrongly."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from ingest import settings
from ingest.errors import UsageError

from tests.support.paths import ROOT

KEYS = {"APCA_API_KEY_ID": "PKLONGENOUGH", "APCA_API_SECRET_KEY": "sEcReT"}


def load(folder: Path, text: str = "", **environ: str) -> settings.IngestSettings:
    if text:
        (folder / "excursion.toml").write_text(text)
    environ.setdefault("EXCURSION_CONFIG", "excursion.toml" if text else "")
    return settings.load(environ, cwd=folder)


def test_alpacas_own_variables_are_enough(tmp_path: Path) -> None:
    told = load(tmp_path, **KEYS)

    assert list(told.accounts) == ["main"]
    assert told.accounts["main"].paper
    assert told.accounts["main"].trading_url is None


def test_alpacas_base_url_tells_paper_from_live(tmp_path: Path) -> None:
    told = load(tmp_path, **KEYS, APCA_API_BASE_URL="https://api.alpaca.markets/v2")

    assert not told.accounts["main"].paper
    assert told.accounts["main"].trading_url == "https://api.alpaca.markets"


def test_several_accounts_from_the_environment(tmp_path: Path) -> None:
    told = load(
        tmp_path,
        EXCURSION_ACCOUNTS="paper, my-bot",
        EXCURSION_PAPER_KEY_ID="a",
        EXCURSION_PAPER_SECRET_KEY="b",
        EXCURSION_MY_BOT_KEY_ID="c",
        EXCURSION_MY_BOT_SECRET_KEY="d",
        EXCURSION_MY_BOT_PAPER="false",
        EXCURSION_MARKET_DATA_ACCOUNT="my-bot",
    )

    assert list(told.accounts) == ["paper", "my-bot"]
    assert told.data_account is told.accounts["my-bot"]
    assert not told.data_account.paper
    assert sorted(told.secrets) == ["a", "b", "c", "d"]


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    text = '[accounts.main]\nkey_id = "old"\nsecret_key = "s"\n[ingest]\nhttp_port = 1\n'
    told = load(
        tmp_path,
        text,
        EXCURSION_MAIN_KEY_ID="new",
        EXCURSION_HTTP_PORT="2",
        EXCURSION_SPOOL_LIMIT="1.5GiB",
        EXCURSION_WATCH="SPY,BTC/USD",
    )

    assert told.accounts["main"].key_id.get_secret_value() == "new"
    assert told.ingest.http_port == 2
    assert told.ingest.spool_limit == 3 << 29
    assert told.market_data.watch == ["SPY", "BTC/USD"]


def test_a_key_can_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("sEcReT\n")
    told = load(
        tmp_path,
        EXCURSION_ACCOUNTS="main",
        EXCURSION_MAIN_KEY_ID="a",
        EXCURSION_MAIN_SECRET_KEY_FILE=str(tmp_path / "secret"),
    )

    assert told.accounts["main"].secret_key.get_secret_value() == "sEcReT"


def test_the_example_shows_the_defaults() -> None:
    text = (ROOT / "excursion.example.toml").read_text()
    told = settings.IngestSettings.model_validate(tomllib.loads(text))
    keys = {"key_id": "a", "secret_key": "b"}
    least = settings.IngestSettings.model_validate({"accounts": {"main": keys}})

    assert told.market_data == least.market_data
    assert told.ingest == least.ingest
    for model in (settings.Account, settings.MarketData, settings.Ingest):
        for field in model.model_fields:
            assert f"{field} = " in text


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("", {}, "no account to record: write [accounts.main]"),
        ("", {"APCA_API_KEY_ID": "PKLONG"}, "accounts.main.secret_key is missing"),
        ("[accounts.main]\nkey_id = 'PKLONG'\n", {}, "accounts.main.secret_key is"),
        ("[accounts", {}, "excursion.toml is not TOML"),
        ("accounts = 3", {}, "[accounts] must be a table"),
        ("[accounts]\nmain = 3", {}, "accounts.main must be a table"),
        ("market_data = 3", KEYS, "[market_data] must be a table"),
        ("[ingest]\nhttp_prot = 1", KEYS, "there is no setting ingest.http_prot"),
        ("", {**KEYS, "EXCURSION_HTTP_PORT": "x"}, "ingest.http_port: "),
        ("", {**KEYS, "EXCURSION_COMMIT_MS": "500"}, "ingest.commit_ms: "),
        ("", {**KEYS, "EXCURSION_SPOOL_LIMIT": "lots"}, "write a size as"),
        ("", {**KEYS, "EXCURSION_STOCK_FEED": "all"}, "market_data.stock_feed: "),
        (
            "",
            {**KEYS, "APCA_API_BASE_URL": "http://api.example.com"},
            "would send the keys unencrypted",
        ),
        ("", {**KEYS, "EXCURSION_MAIN_STREAM_URL": "https://x"}, "write it as wss://"),
        ("", {**KEYS, "EXCURSION_MARKET_DATA_ACCOUNT": "y"}, "there is no account 'y'"),
        ("", {"EXCURSION_CONFIG": "no.toml"}, "EXCURSION_CONFIG: there is no file"),
        ("", {"EXCURSION_ACCOUNTS": "a b"}, "account name 'a b'"),
        (
            "",
            {"EXCURSION_ACCOUNTS": "m", "EXCURSION_M_KEY_ID_FILE": "/no/such"},
            "EXCURSION_M_KEY_ID_FILE: cannot read",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, text: str, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text, **environ)

    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert "PKLONG" not in message and "sEcReT" not in message
