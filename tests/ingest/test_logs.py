"""Log lines: one JSON object each, no secret in any, and never an exception."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from ingest import logs
from ingest.errors import UsageError
from tests.support.paths import ROOT

KEY = "PK4XQ9ZT1"
SECRET = 's3cr/et+"q=uo te\\ü'


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logging is the process's: what a test configures must not outlive it."""
    monkeypatch.delenv(logs.FORMAT_VARIABLE, raising=False)
    root, own = logging.getLogger(), logging.getLogger("ingest")
    kept = list(root.handlers), root.level, own.level, threading.excepthook
    yield
    logging.captureWarnings(False)
    root.handlers[:], level, own_level, threading.excepthook = kept
    root.setLevel(level)
    own.setLevel(own_level)
    logs._redactor = logs.Redactor()


class Lines(io.StringIO):
    """A stream that hands out what was written, as objects."""

    def read_all(self) -> list[dict[str, Any]]:
        # splitlines ends lines where some readers do and others do not.
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def last(self) -> dict[str, Any]:
        return self.read_all()[-1]


class Terminal(Lines):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def lines() -> Lines:
    stream = Lines()
    logs.configure(stream, [KEY, SECRET], "DEBUG")
    return stream


logger = logs.get("ingest.test")


def without_pytest() -> None:
    """Take pytest's own handlers off, which raise; the fixture puts them back."""
    root = logging.getLogger()
    root.handlers[:] = [
        each for each in root.handlers if type(each) is logs.LineHandler
    ]


def test_a_line_is_one_object_with_an_action(lines: Lines) -> None:
    logger.info(
        "stream_live", stream="trading:main", message="two\nlines\u2028and\x85more"
    )
    said = lines.last()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said.pop("at"))
    assert said == {
        "level": "info",
        "action": "stream_live",
        "stream": "trading:main",
        "message": "two\nlines\u2028and\x85more",
    }
    assert list(lines.last())[:3] == ["at", "level", "action"]


def test_what_json_does_not_know_becomes_text(lines: Lines) -> None:
    logger.warning(
        "odd_fields",
        at_time=datetime(2026, 3, 2, 15, 30, 0, 123456, tzinfo=UTC),
        price=Decimal("1.10"),
        path=Path("/tmp/x"),
        names={"b"},
        deep={"a": [1, {"c": None}]},
        nan=float("nan"),
        level="mine",
        surrogate="\ud800",
    )
    said = lines.last()
    assert said["at_time"] == "2026-03-02T15:30:00.123Z"
    assert (said["price"], said["path"], said["names"]) == ("1.10", "/tmp/x", ["b"])
    assert said["deep"] == {"a": [1, {"c": None}]}
    assert said["nan"] == "nan"
    assert (said["level"], said["level_"]) == ("warning", "mine")


def test_a_traceback_is_one_field(lines: Lines) -> None:
    try:
        raise ValueError(f"key {KEY}")
    except ValueError:
        logger.exception("drain_failed", batch=3)
        logging.getLogger("alpaca.trading.stream").exception("error in the stream")
    for said in lines.read_all():
        assert said["traceback"].startswith("Traceback (most recent call last):\n")
        assert said["traceback"].endswith("ValueError: key ***")
    assert [said["action"] for said in lines.read_all()] == ["drain_failed", "library"]
    assert lines.last()["logger"] == "alpaca.trading.stream"


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr({"key": SECRET}),
    ],
    ids=["raw", "url", "url-all", "url-lower", "plus", "json", "json-wide", "repr"],
)
def test_no_secret_is_in_any_line(lines: Lines, written: str) -> None:
    without_pytest()
    library = logging.getLogger("urllib3.connectionpool")
    text = f"<{written}> and {KEY}"
    logger.info("asked", message=text, nested={text: [text, (text,)]}, it=[{1: text}])
    library.warning("GET %s -> %s", text, ValueError(text))
    try:
        raise RuntimeError(text)
    except RuntimeError:
        logger.exception("asked")
        library.exception("failed: %s", text)
    logger.info(f"not an action {text}")
    logging.getLogger("odd").error("%d of %s", text)
    assert len(lines.read_all()) == 6
    for said in lines.read_all():
        told = json.dumps(said)
        decoded = str(said)
        for part in (KEY, "s3cr"):
            assert part not in told and part not in decoded
        assert "***" in told


def test_a_secret_that_is_a_number_or_a_word_of_json_breaks_no_line() -> None:
    stream = Lines()
    logs.configure(stream, ["1234567", "info", '"', "", "level"])
    logger.info("asked", number=1234567, message='info "')
    said = stream.last()
    assert said["level"] == "info" and said["action"] == "asked"
    assert (said["number"], said["message"]) == ("***", "*** ***")


def test_the_end_of_a_long_secret_does_not_survive_shortening(lines: Lines) -> None:
    half = logs.LONGEST_TEXT // 2
    logger.info("asked", message="x" * (half - 4) + KEY + "y" * logs.LONGEST_TEXT)
    message = lines.last()["message"]
    assert len(message) < logs.LONGEST_TEXT + 100
    assert KEY[:4] not in message


def test_libraries_are_heard_once_a_minute_of_the_same(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    [handler] = [
        each
        for each in logging.getLogger().handlers
        if isinstance(each, logs.LineHandler)
    ]
    now = 1_000.0
    monkeypatch.setattr(handler, "_clock", lambda: now)
    library = logging.getLogger("alpaca.data.live.websocket")
    for port in range(40_000, 40_100):
        library.error(f"data websocket error: ('127.0.0.1', {port})")
        now += 0.5
    library.error("another one")
    library.warning("another one")
    logger.error("alarm")
    logger.error("alarm")
    said = [(each["level"], each.get("message")) for each in lines.read_all()]
    assert said == [
        ("error", "data websocket error: ('127.0.0.1', 40000)"),
        ("error", "another one"),
        ("warning", "another one"),
        ("error", None),
        ("error", None),
    ]
    now += 10.5
    library.error("data websocket error: ('127.0.0.1', 1)")
    assert lines.last()["repeated"] == 99
    # What it remembers does not grow for ever.
    for n in range(3 * logs.REMEMBERED):
        library.error("x" * n)
    assert len(handler._said) == logs.REMEMBERED


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


def test_logging_never_raises(lines: Lines) -> None:
    without_pytest()
    circle: list[Any] = []
    circle.append(circle)
    logger.info("asked", value=Unprintable(), circle=circle)
    assert lines.last()["value"] == "<Unprintable: ZeroDivisionError>"
    logger.info("asked", **{"a b": 1})
    logger.info("asked", huge=10**5000)
    assert lines.last()["action"] == "log_failed"
    logging.getLogger("library").error("%s", Unprintable())
    logging.getLogger("library").error(Unprintable())
    assert all(said["action"] for said in lines.read_all())
    lines.close()
    logger.error("asked")


def test_debug_is_ours_alone(lines: Lines) -> None:
    logging.getLogger("websockets.client").debug("> Authorization: %s", KEY)
    logger.debug("asked")
    logging.getLogger("alpaca").info("started trading stream")
    assert [said["action"] for said in lines.read_all()] == ["asked", "library"]
    logs.configure(lines, level="warning")
    logger.info("not_said")
    logging.getLogger("alpaca").info("not said")
    assert len(lines.read_all()) == 2


def test_libraries_are_heard_from_warnings_up(lines: Lines) -> None:
    logs.configure(lines)
    for name in ("alpaca.trading.stream", "websockets.client", "odd"):
        logging.getLogger(name).info("connected")
        logging.getLogger(name).warning("failed")
    logger.info("asked")
    assert [each.get("logger") for each in lines.read_all()] == [
        "alpaca.trading.stream",
        "websockets.client",
        "odd",
        None,
    ]
    logs.configure(lines, level="error")
    logging.getLogger("alpaca").warning("not said")
    assert len(lines.read_all()) == 4


def test_what_is_set_aside_is_told_ten_times_a_minute_and_code(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    [handler] = [
        each
        for each in logging.getLogger().handlers
        if isinstance(each, logs.LineHandler)
    ]
    now = 1_000.0
    monkeypatch.setattr(handler, "_clock", lambda: now)
    for n in range(100):
        logger.warning("quarantined", code="not_json", reason=f"column {n}")
        now += 0.1
    logger.warning("quarantined", code="no_symbol", reason="no symbol")
    for _ in range(30):
        logger.warning("stream_error", code="not_json")
    said = lines.read_all()
    assert [each["reason"] for each in said[:11]] == [
        *(f"column {n}" for n in range(10)),
        "no symbol",
    ]
    assert len(said) == 41 and not any("repeated" in each for each in said)
    now += 60
    for _ in range(2):
        logger.warning("quarantined", code="not_json", reason="later")
    assert [each.get("repeated") for each in lines.read_all()[41:]] == [90, None]


def test_a_short_secret_is_masked_as_a_word_only(lines: Lines) -> None:
    logs.configure(lines, ["ten", "listen"])
    logger.info("asked", message="ten listening often (ten) key=ten&x listens")
    assert lines.last()["message"] == "*** ***ing often (***) key=***&x ***s"


def test_configuring_again_replaces_the_first(lines: Lines) -> None:
    second = Lines()
    logs.configure(second)
    logger.info("asked")
    assert (lines.getvalue(), len(second.read_all())) == ("", 1)


def test_a_thread_that_dies_is_one_line(lines: Lines) -> None:
    thread = threading.Thread(target=lambda: int(KEY), name="drain")
    thread.start()
    thread.join()
    said = lines.last()
    assert (said["action"], said["thread"]) == ("thread_failed", "drain")
    assert KEY not in said["traceback"]


def test_a_terminal_gets_coloured_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    logs.configure(stream, [KEY])
    logger.error("stream_down", stream="trading:main", message=f"\x1b[2J {KEY}\nno")
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("drain_failed")
    first, second = stream.getvalue().splitlines()
    shown = r"\d\d:\d\d:\d\dZ \x1b\[31merror  \x1b\[0m stream_down "
    assert re.match(shown, first)
    assert first.endswith(r"\x1b[2J ***\nno stream=trading:main")
    assert second.endswith('drain_failed error="ValueError: bad"')
    logger.info(
        "started",
        accounts={"income": "paper", "momentum": "live"},
        streams=["trading:income", "iex"],
        none=[],
        deep=[["a"]],
        spaced=["a b", "c"],
        counts=[1, None],
    )
    assert (
        stream.getvalue()
        .splitlines()[-1]
        .endswith(
            "started accounts=income:paper,momentum:live streams=trading:income,iex"
            ' none=[] deep=[["a"]] spaced="[\\"a b\\", \\"c\\"]" counts=1,null'
        )
    )
    monkeypatch.setenv("NO_COLOR", "1")
    logs.configure(plain := Terminal())
    logger.info("asked")
    assert "\x1b" not in plain.getvalue()


def test_the_form_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.FORMAT_VARIABLE, "json")
    logs.configure(terminal := Terminal())
    logger.info("asked")
    assert terminal.last()["action"] == "asked"
    monkeypatch.setenv(logs.FORMAT_VARIABLE, "text")
    logs.configure(piped := Lines())
    logger.info("asked", n=1)
    assert re.fullmatch(r"\S+Z info    asked n=1\n", piped.getvalue())
    monkeypatch.setenv(logs.FORMAT_VARIABLE, "xml")
    with pytest.raises(UsageError, match="EXCURSION_LOG_FORMAT=xml: write json or"):
        logs.configure(Lines())
    with pytest.raises(UsageError, match="log level 'loud'"):
        logs.configure(Lines(), level="loud")


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logger.info("asked")
    sys.stderr.flush()
    assert json.loads(capsys.readouterr().err)["action"] == "asked"


def actions(path: Path) -> Iterator[str]:
    """What a module logs: the first arguments of calls on its logger."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="LOG" | "logger")),
                args=[ast.Constant(value=str(action)), *_],
            ):
                yield action


def test_each_action_is_documented() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    page = page.partition("\n## Logs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| ((?:`[a-z_]+`(?:, )?)+) \| [a-z ,]+ \|", page)
    documented = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    modules = (ROOT / "ingest").rglob("*.py")
    logged = {action for path in modules for action in actions(path)}
    made_here = {"thread_failed", "log_failed", "unnamed", "library"}
    assert logged | made_here == documented
    assert all(re.fullmatch("[a-z][a-z_]*", action) for action in logged)
