"""What `excursion ingest` is told: accounts, keys, endpoints, limits.

From ``excursion.toml`` (``EXCURSION_CONFIG``, else in the checkout or the working
directory) and the environment, which wins. docs/operating.md lists every setting.
Reading only; nothing is connected to.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from ingest import config
from ingest.errors import UsageError

FILE_NAME = "excursion.toml"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SIZES = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]iB)?", re.IGNORECASE)


def _bytes(value: Any) -> Any:
    """``4GiB`` to a number of bytes; a plain number is bytes already."""
    match = SIZE.fullmatch(str(value).strip())
    if match is None:
        raise ValueError('write a size as "4GiB", "500MiB" or a number of bytes')
    return int(float(match[1]) * SIZES[(match[2] or "").upper()])


def _symbols(value: Any) -> Any:
    """A list, or the environment's comma-separated one."""
    if isinstance(value, str):
        return [symbol for part in value.split(",") if (symbol := part.strip())]
    return value


def _endpoint(schemes: tuple[str, str]) -> AfterValidator:
    """A URL of one of (encrypted, plain) schemes; plain only to this machine."""
    encrypted, plain = schemes

    def check(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"write it as {encrypted}://host/...")
        if parts.scheme == plain and parts.hostname not in LOOPBACK:
            raise ValueError(
                f"{plain}:// would send the keys unencrypted: write {encrypted}://"
            )
        return url.rstrip("/")

    return AfterValidator(check)


HttpUrl = Annotated[str, _endpoint(("https", "http"))]
SocketUrl = Annotated[str, _endpoint(("wss", "ws"))]
Bytes = Annotated[int, BeforeValidator(_bytes)]
Symbols = Annotated[list[str], BeforeValidator(_symbols)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Account(_Section):
    """One Alpaca account. Without URLs: Alpaca's own, paper or live."""

    key_id: SecretStr = Field(min_length=1)
    secret_key: SecretStr = Field(min_length=1)
    paper: bool = True
    trading_url: HttpUrl | None = None
    stream_url: SocketUrl | None = None


class MarketData(_Section):
    """Where marks come from, and how many of them are kept.

    ``account``: whose keys are used (default: the first account's). Symbols beyond
    ``max_*_symbols`` of a feed are polled as REST snapshots every
    ``snapshot_seconds``. ``watch``: symbols to mark although no account holds them.
    """

    account: str | None = None
    stock_feed: Literal["iex", "sip"] = "iex"
    option_feed: Literal["indicative", "opra"] = "indicative"
    stock_url: SocketUrl | None = None
    option_url: SocketUrl | None = None
    crypto_url: SocketUrl | None = None
    rest_url: HttpUrl | None = None
    max_stock_symbols: int = Field(30, ge=0)
    max_option_symbols: int = Field(200, ge=0)
    max_crypto_symbols: int = Field(30, ge=0)
    quotes: Literal["thinned", "all"] = "thinned"
    watch: Symbols = []
    snapshot_seconds: float = Field(60, ge=1)
    silent_seconds: float = Field(60, ge=1)


class Ingest(_Section):
    """The daemon itself. ``backfill_days``: how far back the first catch-up goes."""

    spool_limit: Bytes = Field(4 << 30, ge=1 << 20)
    commit_ms: float = Field(50, ge=1, le=200)
    http_host: str = "127.0.0.1"
    http_port: int = Field(9464, ge=0, le=65535)
    catchup_seconds: float = Field(30, ge=1, le=60)
    overlap_minutes: float = Field(15, ge=6)
    backfill_days: int = Field(90, ge=1)
    requests_per_minute: int = Field(180, ge=1)
    request_timeout_seconds: float = Field(10, gt=0, le=60)
    connect_seconds: float = Field(20, gt=0, le=60)
    ping_seconds: float = Field(10, gt=0, le=30)
    grace_seconds: float = Field(20, ge=0)


class IngestSettings(_Section):
    """Everything `excursion ingest` is told."""

    accounts: dict[str, Account] = Field(min_length=1)
    market_data: MarketData = MarketData()
    ingest: Ingest = Ingest()

    @property
    def data_account(self) -> Account:
        """The account whose keys open the market data."""
        name = self.market_data.account or next(iter(self.accounts))
        return self.accounts[name]

    @property
    def secrets(self) -> list[str]:
        """What no log line may hold; an account's name is in nearly every one."""
        keys = {
            secret.get_secret_value()
            for account in self.accounts.values()
            for secret in (account.key_id, account.secret_key)
        }
        return sorted(keys - self.accounts.keys())


def load(
    environ: Mapping[str, str] | None = None, *, cwd: Path | None = None
) -> IngestSettings:
    """Read the settings.

    Raises:
        UsageError: one line that names the setting, what is wrong and what to write;
            it never repeats a value that could be a key.
    """
    env = os.environ if environ is None else environ
    here = Path.cwd() if cwd is None else cwd
    found = _file(env, here)
    given = _toml(found) if found else {}
    accounts = given.setdefault("accounts", {})
    if not isinstance(accounts, dict):
        raise UsageError("[accounts] must be a table: write [accounts.main]")
    names = [*accounts, *_symbols(env.get("EXCURSION_ACCOUNTS", ""))]
    if not names and env.get("APCA_API_KEY_ID"):
        names = ["main"]
    if not names:
        raise UsageError(
            "no account to record: write [accounts.main] with key_id and secret_key"
            f" into {FILE_NAME}, or set APCA_API_KEY_ID and APCA_API_SECRET_KEY"
        )
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
            raise UsageError(
                f"account name {name!r}: use letters, digits, - and _ (at most 63)"
            )
        accounts[name] = _account(name, accounts.get(name, {}), env, len(names) == 1)
    for section, model in (("market_data", MarketData), ("ingest", Ingest)):
        given[section] = _overridden(given.get(section, {}), section, model, env)
    try:
        settings = IngestSettings.model_validate(given)
    except ValidationError as error:
        raise UsageError(_explain(error, found)) from None
    chosen = settings.market_data.account
    if chosen is not None and chosen not in settings.accounts:
        raise UsageError(f"market_data.account: there is no account {chosen!r}")
    return settings


def _file(env: Mapping[str, str], cwd: Path) -> Path | None:
    named = env.get("EXCURSION_CONFIG", "").strip()
    if named:
        path = cwd / named
        if not path.is_file():
            raise UsageError(f"EXCURSION_CONFIG: there is no file {named}")
        return path
    for folder in dict.fromkeys((cwd, config.load({}, cwd=cwd).root)):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} is not TOML: {error}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path.name}: {error.strerror}") from None


def _account(name: str, given: Any, env: Mapping[str, str], is_only: bool) -> Any:
    """An account's table with what the environment says of it.

    For account ``my-bot`` that is EXCURSION_MY_BOT_KEY_ID and so on, each also as
    a _FILE that holds the value (a container's secret); for the only account also
    Alpaca's own names.
    """
    if not isinstance(given, dict):
        raise UsageError(f"accounts.{name} must be a table: write [accounts.{name}]")
    prefix = f"EXCURSION_{name.upper().replace('-', '_')}_"
    said = dict(given)
    if is_only:
        alpaca = {"key_id": "APCA_API_KEY_ID", "secret_key": "APCA_API_SECRET_KEY"}
        said.update({key: env[n] for key, n in alpaca.items() if env.get(n)})
        if url := env.get("APCA_API_BASE_URL"):
            # Alpaca's own tools take it with and without the version.
            said["trading_url"] = re.sub(r"/v2/?$", "", url)
            said["paper"] = "paper" in url
    for field in Account.model_fields:
        variable = prefix + field.upper()
        if env.get(variable):
            said[field] = env[variable]
        elif path := env.get(f"{variable}_FILE"):
            try:
                said[field] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise UsageError(f"{variable}_FILE: cannot read {path}") from None
        if field in ("key_id", "secret_key") and not said.get(field):
            raise UsageError(
                f"accounts.{name}.{field} is missing: set it in {FILE_NAME} or"
                f" {variable} in the environment"
            )
    return said


def _overridden(
    given: Any, section: str, model: type[_Section], env: Mapping[str, str]
) -> Any:
    if not isinstance(given, dict):
        raise UsageError(f"[{section}] must be a table")
    names = {field: f"EXCURSION_{field.upper()}" for field in model.model_fields}
    if section == "market_data":
        names["account"] = "EXCURSION_MARKET_DATA_ACCOUNT"
    said = {field: env[name] for field, name in names.items() if env.get(name)}
    return {**given, **said}


def _explain(error: ValidationError, path: Path | None) -> str:
    """The first mistake in one line, without the value: it may be a key."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{path.name if path else 'settings'}: there is no setting {where}"
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said[:1].lower()}{said[1:]}"
