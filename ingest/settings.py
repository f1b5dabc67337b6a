"""What `excursion ingest` is told: accounts, keys, endpoints, limits.

From ``excursion.toml`` (``EXCURSION_CONFIG``, else in the checkout or the working
directory) and the environment, which wins. docs/operating.md lists every setting.
Reading only; nothing is connected to.
"""

from __future__ import annotations

import ipaddress
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
    model_validator,
)

from ingest import config
from ingest.errors import UsageError
from ingest.settings_problems import Place, explain, refuse_unknown

FILE_NAME = "excursion.toml"
PAPER_HOST, LIVE_HOST = "paper-api.alpaca.markets", "api.alpaca.markets"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SIZES = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./]*")
HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
# As a container's environment and other programs write them.
TRUTHS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
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


def _checked_symbols(symbols: list[str]) -> list[str]:
    for symbol in symbols:
        if not SYMBOL.fullmatch(symbol):
            raise ValueError(
                f"{symbol[:40]!r} is no symbol: upper-case letters, digits, . and /"
            )
    return symbols


def _host(host: str) -> str:
    """An address, or what may be a host's name; whether it exists is seen later."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        # A last label of digits would be an address that is none.
        if labels[-1].isdecimal() or not all(map(HOST_LABEL.fullmatch, labels)):
            raise ValueError(
                "write an address of this machine, as 127.0.0.1, or its name"
            ) from None
    return host


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
Symbols = Annotated[
    list[str], BeforeValidator(_symbols), AfterValidator(_checked_symbols)
]
Host = Annotated[str, AfterValidator(_host)]


class _Section(BaseModel):
    # Strict: http_port = true is no port. The environment's texts are converted before.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class Account(_Section):
    """One Alpaca account. Without URLs: Alpaca's own, paper or live."""

    key_id: SecretStr = Field(min_length=1)
    secret_key: SecretStr = Field(min_length=1)
    paper: bool = True
    trading_url: HttpUrl | None = None
    stream_url: SocketUrl | None = None

    @model_validator(mode="after")
    def _is_one_account(self) -> Account:
        """The keys of one go to the other otherwise, and are refused there."""
        for name, url in (
            ("trading_url", self.trading_url),
            ("stream_url", self.stream_url),
        ):
            host = urlsplit(url or "").hostname
            if host == (LIVE_HOST if self.paper else PAPER_HOST):
                other = "live" if self.paper else "paper"
                raise ValueError(
                    f"{name} is the {other} account's: write paper ="
                    f" {str(not self.paper).lower()}, or leave {name} out"
                )
        return self

    @property
    def kind(self) -> Literal["paper", "live"]:
        return "paper" if self.paper else "live"


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
    http_host: Host = "127.0.0.1"
    http_port: int = Field(9464, ge=0, le=65535)
    catchup_seconds: float = Field(30, ge=1, le=60)
    overlap_minutes: float = Field(15, ge=6)
    backfill_days: int = Field(90, ge=1)
    requests_per_minute: int = Field(180, ge=1)
    request_timeout_seconds: float = Field(10, gt=0, le=60)
    connect_seconds: float = Field(20, gt=0, le=60)
    ping_seconds: float = Field(10, gt=0, le=30)
    grace_seconds: float = Field(20, ge=0)
    marks_days_ahead: int = Field(3, ge=0, le=31)


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


SECTIONS: dict[str, type[_Section]] = {"market_data": MarketData, "ingest": Ingest}


def load(
    environ: Mapping[str, str] | None = None, *, cwd: Path | None = None
) -> IngestSettings:
    """Read the settings.

    Raises:
        UsageError: one line that names the setting, what is wrong and what to write;
            it never repeats a value that could be a key.
    """
    env = os.environ if environ is None else environ
    found = file(env, cwd=cwd)
    file_name = found.name if found else FILE_NAME
    given = _toml(found) if found else {}
    accounts = given.setdefault("accounts", {})
    if not isinstance(accounts, dict):
        raise UsageError(f"{file_name}: [accounts] must be a table: [accounts.main]")
    names = [*accounts, *_symbols(env.get("EXCURSION_ACCOUNTS", ""))]
    if not names and env.get("APCA_API_KEY_ID"):
        names = ["main"]
    told = [variable for variable in env if env[variable]]
    refuse_unknown(told, _variables(names), list(Account.model_fields))
    if not names:
        raise UsageError(
            "no account to record: write [accounts.main] with key_id and secret_key"
            f" into {file_name}, or set APCA_API_KEY_ID and APCA_API_SECRET_KEY"
        )
    origins: dict[Place, str] = {}
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
            raise UsageError(
                f"account name {name!r}: use letters, digits, - and _ (at most 63)"
            )
        said, where = _account(name, accounts.get(name, {}), env, len(names) == 1)
        _check_keys(name, said, where, file_name)
        accounts[name] = said
        origins |= {("accounts", name, field): where[field] for field in where}
    for section, model in SECTIONS.items():
        said, where = _overridden(given.get(section, {}), section, model, env)
        given[section] = said
        origins |= {(section, field): where[field] for field in where}
    try:
        settings = IngestSettings.model_validate(given)
    except ValidationError as error:
        source = found.name if found else "settings"
        raise UsageError(explain(error, IngestSettings, origins, source)) from None
    chosen = settings.market_data.account
    if chosen is not None and chosen not in settings.accounts:
        place = ("market_data", "account")
        origin = origins.get(place) or f"{file_name}: market_data.account"
        raise UsageError(f"{origin}: there is no account {chosen!r}")
    return settings


def file(
    environ: Mapping[str, str] | None = None, *, cwd: Path | None = None
) -> Path | None:
    """The file that is read; None: only the environment. UsageError: it is missing."""
    env = os.environ if environ is None else environ
    here = Path.cwd() if cwd is None else cwd
    named = env.get("EXCURSION_CONFIG", "").strip()
    if named:
        path = here / named
        if not path.is_file():
            raise UsageError(f"EXCURSION_CONFIG: there is no file {named}")
        return path
    for folder in dict.fromkeys((here, config.load({}, cwd=here).root)):
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


def _account(
    name: str, given: Any, env: Mapping[str, str], is_only: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """An account's table with what the environment says of it, and by which variables.

    For account ``my-bot`` that is EXCURSION_MY_BOT_KEY_ID and so on, each also as
    a _FILE that holds the value (a container's secret); for the only account also
    Alpaca's own names.
    """
    if not isinstance(given, dict):
        raise UsageError(f"accounts.{name} must be a table: write [accounts.{name}]")
    said, origins = dict(given), {}
    if is_only:
        alpaca = {"key_id": "APCA_API_KEY_ID", "secret_key": "APCA_API_SECRET_KEY"}
        for field, variable in alpaca.items():
            if env.get(variable):
                said[field], origins[field] = env[variable], variable
        if url := env.get("APCA_API_BASE_URL"):
            # Alpaca's own tools take it with and without the version.
            said["trading_url"] = re.sub(r"/v2/?$", "", url)
            said["paper"] = "paper" in url
            origins["trading_url"] = "APCA_API_BASE_URL"
    for field, info in Account.model_fields.items():
        variable = _variable(name, field)
        if env.get(variable):
            text = env[variable]
        elif path := env.get(f"{variable}_FILE"):
            variable += "_FILE"
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise UsageError(f"{variable}: cannot read {path}") from None
        else:
            continue
        said[field], origins[field] = _converted(text, info.annotation), variable
    return said, origins


def _check_keys(
    name: str, said: Mapping[str, Any], origins: Mapping[str, str], file_name: str
) -> None:
    for field in ("key_id", "secret_key"):
        if not said.get(field):
            raise UsageError(
                f"accounts.{name}.{field} is missing: set it in {file_name} or"
                f" {_variable(name, field)} in the environment"
            )
        if str(said[field]).endswith(("...", "…")):
            origin = origins.get(field) or f"{file_name}: accounts.{name}.{field}"
            raise UsageError(
                f"{origin}: that is the example's placeholder: write your own key"
            )


def _overridden(
    given: Any, section: str, model: type[_Section], env: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A section's table with what the environment says, and by which variables."""
    if not isinstance(given, dict):
        raise UsageError(f"[{section}] must be a table")
    said, origins = dict(given), {}
    for field, info in model.model_fields.items():
        variable = _variable(section if field == "account" else "", field)
        if env.get(variable):
            said[field] = _converted(env[variable], info.annotation)
            origins[field] = variable
    return said, origins


def _variable(owner: str, field: str) -> str:
    """The environment's name of a setting; ``owner``: an account, or nothing."""
    parts = ["EXCURSION", *filter(None, [owner.replace("-", "_")]), field]
    return "_".join(parts).upper()


def _variables(accounts: list[str]) -> list[str]:
    """All variables that settings of these accounts are read from."""
    found = [
        _variable(section if field == "account" else "", field)
        for section, model in SECTIONS.items()
        for field in model.model_fields
    ]
    for name in accounts:
        own = [_variable(name, field) for field in Account.model_fields]
        found += [*own, *(f"{variable}_FILE" for variable in own)]
    return found


def _converted(text: str, annotation: Any) -> Any:
    """The environment knows texts only; one that does not fit is refused later."""
    text = text.strip()
    if annotation is bool:
        return TRUTHS.get(text.lower(), text)
    if annotation in (int, float):
        try:
            return annotation(text)
        except ValueError:
            return text
    return text
