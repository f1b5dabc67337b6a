"""The command ``excursion standin``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import ExcursionError, UsageError

if TYPE_CHECKING:
    from standin.control import Control
    from standin.faults import Faults
    from standin.playback import Plan
    from standin.server import Keys, StandIn

FIRST_LINE = "This is excursion's stand-in, not Alpaca: it trades nothing, on loopback"


@click.command(short_help="Serve a local Alpaca that plays recordings.")
@click.argument("recordings", nargs=-1, metavar="[RECORDING]...")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Loopback port of everything; 0: a free one.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="How many times as fast as it was recorded; 0: as fast as it goes.",
)
@click.option(
    "--max-gap",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Longer stretches without a message are passed over, as nights are.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Play once all accounts listen and all symbols are subscribed, or Enter.",
)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="NAME=KEY:SECRET",
    help="An account and its keys (default: those of the recording, key = name).",
)
@click.option(
    "--fault",
    "fault_settings",
    multiple=True,
    metavar="PART.NAME=VALUE",
    help="What goes wrong from the start, as in trading.repeat=3; --faults lists all.",
)
@click.option(
    "--faults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, is_wanted: _list_faults(context, is_wanted),
    help="List what can go wrong, with defaults, and exit.",
)
@click.option(
    "--settings",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the ingester's settings there, instead of printing them.",
)
def standin(
    recordings: tuple[str, ...],
    port: int,
    speed: float,
    max_gap: float | None,
    wait: bool,
    accounts: tuple[str, ...],
    fault_settings: tuple[str, ...],
    settings: Path | None,
) -> None:
    """Serve a local Alpaca, and play recordings on it.

    Trading stream, market data streams and REST on one loopback port, for trying out
    and testing the ingester. While it runs: /standin/state tells what goes on, POST
    /standin/start begins a playback that waits, POST /standin/faults puts it wrong.
    """
    try:
        from standin.alpaca import default_keys
        from standin.playback import Plan, look
    except ModuleNotFoundError as error:
        if error.name not in ("aiohttp", "yarl", "multidict"):
            raise
        raise ExcursionError(
            "the stand-in needs aiohttp: pip install 'excursion[standin]'"
        ) from None
    given = dict(map(_account, accounts))
    faults = _faults(fault_settings)
    contents = look(recordings)
    keys = default_keys(contents, given)
    plan = Plan(recordings, contents, speed, wait, max_gap)
    # Ctrl-C may come before the handlers of signals are in place.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(plan, keys, faults, port, settings))


def _account(text: str) -> tuple[str, tuple[str, str | None]]:
    name, has_keys, keys = text.partition("=")
    key, has_secret, secret = keys.partition(":")
    if not (name and has_keys and key and has_secret and secret):
        raise UsageError(f"--account must be NAME=KEY:SECRET, not {text}")
    return name, (key, secret)


def _faults(settings: tuple[str, ...]) -> Faults:
    import orjson
    from pydantic import ValidationError

    from standin.faults import Faults, explain

    faults = Faults()
    for setting in settings:
        path, has_value, text = setting.partition("=")
        part, has_name, name = path.partition(".")
        if not has_value:
            raise UsageError(f"--fault must be PART.NAME=VALUE, not {setting}")
        value: Any = text
        with contextlib.suppress(orjson.JSONDecodeError):
            value = orjson.loads(text)  # numbers, true, lists; else it is a word
        try:
            faults.change({part: {name: value} if has_name else value})
        except ValidationError as error:
            raise UsageError(f"--fault {setting}: {explain(error)}") from None
    return faults


def _list_faults(context: click.Context, is_wanted: bool) -> None:
    from standin.faults import described

    if not is_wanted:
        return
    for name, meaning in described():
        click.echo(f"{name:<34}  {meaning}")
    context.exit()


async def _serve(
    plan: Plan, keys: Keys, faults: Faults, port: int, settings: Path | None
) -> None:
    from standin.alpaca import stopped
    from standin.control import Control
    from standin.playback import Playback
    from standin.server import StandIn

    _log_to_stderr()
    standin = StandIn(keys, faults)
    playback = Playback(standin, plan) if plan.paths else None
    control = Control(standin, playback)
    standin.extra_routes = control.routes()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await standin.start(port)
    # Whoever reads the settings may send the signal at once.
    if playback is not None:
        loop.add_signal_handler(signal.SIGUSR1, playback.begin)
        if plan.wait and sys.stdin is not None and sys.stdin.isatty():
            loop.add_reader(sys.stdin, _on_enter, loop, playback.begin)
    _introduce(standin, keys, control, settings)
    player = asyncio.create_task(playback.run()) if playback else None
    if player is not None:
        # One that fails ends the stand-in; one that is done does not.
        player.add_done_callback(
            lambda t: stopping.set() if not t.cancelled() and t.exception() else None
        )
    await stopping.wait()
    failed = player.exception() if player is not None and player.done() else None
    await stopped(standin, control, player)
    if failed is not None:
        raise failed


def _on_enter(loop: asyncio.AbstractEventLoop, begin: Any) -> None:
    sys.stdin.readline()
    loop.remove_reader(sys.stdin)
    begin()


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("standin")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _introduce(
    standin: StandIn, keys: Keys, control: Control, settings: Path | None
) -> None:
    """Say what this is, and print or write the settings that lead here."""
    playback = control.playback
    plan = playback.plan if playback is not None else None
    text = _settings(standin.port, keys, plan)
    if settings is not None:
        # Before anything is announced that does not come to pass.
        try:
            settings.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--settings {settings}: {error.strerror}") from None
    click.echo(f"{FIRST_LINE} http://127.0.0.1:{standin.port}")
    if plan is not None:
        pace = f"at {plan.speed:g} times real time" if plan.speed else "at once"
        when = "when everybody listens (or Enter)" if plan.wait else "now"
        count, left_out = plan.contents.lines, plan.contents.left_out
        click.echo(
            f"plays {count:,} messages {pace}, starting {when};"
            f" {left_out:,} lines are not Alpaca's and are left out"
        )
    if settings is None:
        click.echo(f"settings of the ingester (TOML):\n\n{text}", nl=False)
    else:
        click.echo(f"settings of the ingester: EXCURSION_CONFIG={settings.absolute()}")
    sys.stdout.flush()


def _settings(port: int, keys: Keys, plan: Plan | None) -> str:
    """An excursion.toml that leads here."""
    from standin import data_stream, trading_stream

    http, sockets = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
    lines = []
    for name, (key, secret) in sorted(keys.items()):
        lines += [
            f"[accounts.{_toml_key(name)}]",
            f'key_id = "{key}"',
            f'secret_key = "{"any" if secret is None else secret}"',
            f'trading_url = "{http}"',
            f'stream_url = "{sockets}{trading_stream.PATH}"',
            "",
        ]
    lines.append("[market_data]")
    for family, feed in (
        ("stock", "iex"),
        ("option", "indicative"),
        ("crypto", "crypto"),
    ):
        lines.append(f'{family}_url = "{sockets}{data_stream.PATHS[feed]}"')
    lines.append(f'rest_url = "{http}"')
    if plan is not None and plan.wait:
        # What is waited for is every symbol, held or not.
        symbols = plan.contents.symbols
        watch = ", ".join(f'"{s}"' for s in sorted(set().union(*symbols.values())))
        lines.append(f"watch = [{watch}]")
        for family, wanted in sorted(symbols.items()):
            lines.append(f"max_{family}_symbols = {len(wanted)}")
    return "\n".join(lines) + "\n"


def _toml_key(name: str) -> str:
    is_bare = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    return name if is_bare else f'"{name}"'
