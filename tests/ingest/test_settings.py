"""What the daemon is told, and what it says when it is told wrongly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
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
    text = (
        '[accounts.main]\nkey_id = "old"\nsecret_key = "s"\n[ingest]\nhttp_port = 1\n'
    )
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
        (
            "",
            {**KEYS, "EXCURSION_HTTP_PORT": "x"},
            "EXCURSION_HTTP_PORT: write a whole number from 0 to 65535",
        ),
        (
            "",
            {**KEYS, "EXCURSION_COMMIT_MS": "500"},
            "EXCURSION_COMMIT_MS: out of range: write a number from 1 to 200",
        ),
        ("", {**KEYS, "EXCURSION_SPOOL_LIMIT": "lots"}, "write a size as"),
        (
            "",
            {**KEYS, "EXCURSION_STOCK_FEED": "all"},
            "EXCURSION_STOCK_FEED: write one of iex, sip",
        ),
        (
            "[ingest]\nhttp_port = true",
            KEYS,
            "excursion.toml: ingest.http_port: write a whole number from 0 to 65535",
        ),
        ("[ingest]\nhttp_port = '1'", KEYS, "ingest.http_port: write a whole number"),
        ("[ingest]\nping_seconds = nan", KEYS, "write a number above 0, at most 30"),
        ("[ingest]\nconnect_seconds = 0", KEYS, "a number above 0, at most 60"),
        ("[ingest]\nspool_limit = '1KiB'", KEYS, "write a number of at least 1MiB"),
        ("[ingest]\nspool_limit = true", KEYS, "write a size as"),
        ("[ingest]\nhttp_prot = 1", KEYS, "http_prot; did you mean http_port?"),
        ("[ingst]\nhttp_port = 1", KEYS, "setting ingst; did you mean ingest?"),
        ("[accounts.main]\npapr = true", KEYS, "papr; did you mean paper?"),
        (
            "[accounts.main]\npaper = 1",
            KEYS,
            "excursion.toml: accounts.main.paper: write true or false",
        ),
        (
            "",
            {**KEYS, "EXCURSION_MAIN_PAPER": "maybe"},
            "EXCURSION_MAIN_PAPER: write true or false",
        ),
        ("[market_data]\nwatch = [1]", KEYS, "market_data.watch: write a text in "),
        ("[market_data]\nwatch = 1", KEYS, "market_data.watch: write a list of texts"),
        (
            "",
            {**KEYS, "EXCURSION_WATCH": "SPY,spy"},
            "EXCURSION_WATCH: 'spy' is no symbol: upper-case letters, digits, . and /",
        ),
        ("[ingest]\nhttp_host = 'a b'", KEYS, "ingest.http_host: write an address"),
        ("", {**KEYS, "EXCURSION_HTTP_HOST": "127.0.0"}, "HTTP_HOST: write an address"),
        ("", {**KEYS, "EXCURSION_HTTP_HOST": "::1:80:x"}, "write an address"),
        (
            "",
            {**KEYS, "EXCURSION_HTTP_PRT": "1"},
            "EXCURSION_HTTP_PRT: there is no such setting; did you mean"
            " EXCURSION_HTTP_PORT?",
        ),
        ("", {**KEYS, "EXCURSION_ACOUNTS": "a"}, "did you mean EXCURSION_ACCOUNTS?"),
        ("", {**KEYS, "EXCURSION_MIAN_PAPER": "0"}, "mean EXCURSION_MAIN_PAPER?"),
        ("", {**KEYS, "EXCURSION_KEY_ID": "x"}, "did you mean EXCURSION_MAIN_KEY_ID?"),
        (
            "[accounts.main]\nkey_id = 'PK...'\nsecret_key = '...'",
            {},
            "excursion.toml: accounts.main.key_id: that is the example's placeholder",
        ),
        (
            "",
            {**KEYS, "APCA_API_SECRET_KEY": "..."},
            "APCA_API_SECRET_KEY: that is the example's placeholder",
        ),
        (
            "[accounts.main]\ntrading_url = 'https://api.alpaca.markets'",
            KEYS,
            "accounts.main: trading_url is the live account's: write paper = false",
        ),
        (
            "[accounts.main]\npaper = false\n"
            "stream_url = 'wss://paper-api.alpaca.markets/stream'",
            KEYS,
            "accounts.main: stream_url is the paper account's: write paper = true",
        ),
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


def test_the_files_own_name_is_told(tmp_path: Path) -> None:
    for text, said in (
        ("[ingest]\ncommit_ms = 0", "my.toml: ingest.commit_ms: out of range: write"),
        ("[ingest]\ncommit_mz = 5", "my.toml: there is no setting ingest.commit_mz;"),
    ):
        (tmp_path / "my.toml").write_text(text)
        with pytest.raises(UsageError, match=re.escape(said)):
            load(tmp_path, **KEYS, EXCURSION_CONFIG="my.toml")
    (tmp_path / "my.toml").write_text("[accounts.main]\nkey_id = 'a'")
    with pytest.raises(UsageError, match=r"set it in my\.toml or"):
        load(tmp_path, EXCURSION_CONFIG="my.toml")


def test_variables_that_are_no_settings_of_the_daemon_pass(tmp_path: Path) -> None:
    pattern = re.compile(r"EXCURSION_[A-Z][A-Z_]*[A-Z]")
    others = {
        name: "x"
        for folder in ("ingest", "orchestration", "benchmarks", "scripts", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for name in pattern.findall(path.read_text(encoding="utf-8"))
        if path != Path(__file__)
    }
    mine = {name for name in others if name in settings._variables(["main"])}
    others = {n: "x" for n in others if n not in {*mine, "EXCURSION_CONFIG"}}
    assert {"EXCURSION_STATE_DIR", "EXCURSION_TEST_URL"} <= others.keys()
    others["EXCURSION_ACCOUNTS"] = "main"
    # Of an account that is not recorded now, and somebody else's.
    others |= {"EXCURSION_MAIN2_KEY_ID": "x", "EXCURSION_OTHER_THING": "x"}
    others |= {"EXCURSION_MAIN_KEY_ID": "a", "EXCURSION_MAIN_SECRET_KEY": "b"}

    told = load(tmp_path, **others, EXCURSION_HTTP_PRT="")

    assert list(told.accounts) == ["main"]


@pytest.mark.parametrize("host", ["10.0.0.1", "::", "::1", "localhost", "a-1.b_c.net."])
def test_hosts(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, **KEYS, EXCURSION_HTTP_HOST=host).ingest.http_host == host


def test_what_the_settings_say_is_shown(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(
        "[accounts.income]\nkey_id = 'PKLONG'\nsecret_key = 'sEcReT'\n"
        "[accounts.swing]\nkey_id = 'PKLONG'\nsecret_key = 'sEcReT'\npaper = false\n"
        "[market_data]\naccount = 'swing'"
    )
    (tmp_path / "dbt_project.yml").touch()  # a checkout without settings of its own
    environ = {
        "EXCURSION_CONFIG": "my.toml",
        "EXCURSION_STATE_DIR": str(tmp_path / "state"),
        "DATABASE_URL": "postgresql://me:hidden@db.example:5433/trades",
    }

    def check(environ: dict[str, str]) -> str:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EXCURSION_", "APCA_", "PG", "DATABASE_"))
        }
        done = subprocess.run(
            [Path(sys.executable).with_name("excursion"), "ingest", "--check"],
            cwd=tmp_path,
            env={**kept, "PYTHONPATH": str(ROOT), **environ},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    said = check(environ)
    assert said.splitlines() == [
        f"settings are right: {tmp_path / 'my.toml'}, then the environment",
        "account   income  paper  https://paper-api.alpaca.markets",
        "account   swing   live  https://api.alpaca.markets",
        "marks     iex, indicative, crypto, with the keys of swing",
        f"spool     {tmp_path / 'state' / 'spool'}",
        "database  me@db.example:5433/trades, schema raw",
    ]
    del environ["EXCURSION_CONFIG"]
    assert check({**KEYS, **environ}).startswith(
        "settings are right: the environment\n"
    )
