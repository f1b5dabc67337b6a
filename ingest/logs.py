"""What the daemon says while it runs: one JSON object a line, with one ``action``.

``action`` is a fixed snake_case word that programs may rely on; docs/operating.md
lists them all. What libraries log comes out as action ``library``. The same thing said
too often within a minute is counted, and told as ``repeated`` later. No secret that
``configure`` was given is in any line, and logging never raises.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO
from urllib.parse import quote, quote_plus

from ingest.errors import UsageError

FORMAT_VARIABLE = "EXCURSION_LOG_FORMAT"

#: Seconds for which what is said too often is only counted.
QUIET_SECONDS = 60.0

#: How often within them a library may say the same,
LIBRARY_TIMES = 1

#: and how often these actions may come with the same ``code``: each message that is set
#: aside is in raw.quarantine, and one bug of a sender makes hundreds.
ACTION_TIMES = {"quarantined": 10}

#: Different things that are remembered for that; the oldest is forgotten first.
REMEMBERED = 500

#: Characters of one text in a line; tracebacks of deep recursions are longer.
LONGEST_TEXT = 16_000

#: Levels of nesting that are told apart; deeper values become text.
DEEPEST = 6

#: A shorter secret is masked only where it is a whole word: within others it is chance.
SHORTEST_WITHIN_WORDS = 6

MASK = "***"

_ACTION = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = frozenset({"at", "level", "action"})
_COLORS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31"}


class Stream(Protocol):
    """Where lines go to, as sys.stderr."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


class Logger:
    """Logs actions with fields: ``logger.info("stream_live", stream="trading:main")``.

    Fields may hold anything: instants become ISO texts, decimals texts, and what JSON
    does not know its ``str``. ``message`` is the one for a person.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, action: str, /, **fields: object) -> None:
        self._log(logging.DEBUG, action, fields)

    def info(self, action: str, /, **fields: object) -> None:
        self._log(logging.INFO, action, fields)

    def warning(self, action: str, /, **fields: object) -> None:
        self._log(logging.WARNING, action, fields)

    def error(self, action: str, /, **fields: object) -> None:
        self._log(logging.ERROR, action, fields)

    def exception(self, action: str, /, **fields: object) -> None:
        """As error, with the exception that is being handled in ``traceback``."""
        self._log(logging.ERROR, action, fields, sys.exc_info())

    def _log(
        self, level: int, action: str, fields: dict[str, object], error: Any = None
    ) -> None:
        # As the message, for whoever attaches a handler of his own, as pytest does.
        extra = {"excursion_fields": fields}
        self._logger.log(level, action, exc_info=error, extra=extra)


def get(name: str) -> Logger:
    """The logger of a module: ``logger = logs.get(__name__)``."""
    return Logger(name)


class Redactor:
    """Replaces secrets in texts, also percent-encoded, JSON-escaped and in reprs."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        patterns: dict[str, str] = {}
        for secret in secrets:
            is_short = len(secret.strip()) < SHORTEST_WITHIN_WORDS
            for form in _forms(secret):
                pattern = re.escape(form)
                if not is_short:
                    patterns[form] = pattern
                else:
                    patterns.setdefault(form, rf"(?<!\w){pattern}(?!\w)")
        # The longest first: a secret may begin with another one.
        ordered = sorted(patterns, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(patterns[form] for form in ordered))
        self._is_idle = not ordered

    def text(self, text: str) -> str:
        return text if self._is_idle else self._pattern.sub(MASK, text)

    def plain(self, value: object, depth: int = 0) -> Any:
        """The value as JSON knows it, without secrets, keys included; never raises."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            shown = self.text(str(value))
            if shown != str(value) or shown in ("nan", "inf", "-inf"):
                return shown
            return value
        if isinstance(value, datetime) and value.tzinfo is not None:
            return instant(value)
        if depth < DEEPEST and isinstance(value, Mapping):
            return {
                self._shown(key): self.plain(each, depth + 1)
                for key, each in value.items()
            }
        if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self.plain(each, depth + 1) for each in value]
        return self._shown(value)

    def _shown(self, value: object) -> str:
        try:
            text = value if isinstance(value, str) else str(value)
        except Exception as error:  # noqa: BLE001
            text = f"<{type(value).__name__}: {type(error).__name__}>"
        # First without secrets, then shortened: half a secret would stay.
        text = self.text(text)
        if len(text) > LONGEST_TEXT:
            half = LONGEST_TEXT // 2
            cut = len(text) - 2 * half
            text = f"{text[:half]} ... {cut} characters ... {text[-half:]}"
        return text


def _forms(secret: str) -> set[str]:
    """How a secret may be written; escapes also within escapes."""
    forms = {secret, secret.strip()} - {""}
    for text in tuple(forms):
        for safe in ("/", ""):
            forms |= {quote(text, safe=safe), quote_plus(text, safe=safe)}
    for text in tuple(forms):
        forms.add(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text))
    for _ in range(2):
        for text in tuple(forms):
            forms.add(repr(text)[1:-1])
            forms |= {
                json.dumps(text, ensure_ascii=each)[1:-1] for each in (True, False)
            }
    return forms


_redactor = Redactor()


def redact(value: object) -> Any:
    """The value as JSON knows it, without the secrets that ``configure`` was given."""
    return _redactor.plain(value)


def instant(value: datetime) -> str:
    """An aware instant as text: UTC, milliseconds, ``Z``."""
    text = value.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def configure(
    stream: Stream | None = None, secrets: Iterable[str] = (), level: str = "INFO"
) -> None:
    """Send all logging of the process to a stream, one line a record.

    ``stream``: default standard error. ``level``: of the project's own records;
    libraries are heard from WARNING (or ``level``, where that is higher), with DEBUG
    from INFO. The form is JSON, on a terminal a coloured line;
    EXCURSION_LOG_FORMAT=json|text decides.

    Raises UsageError for a level or a form that does not exist.
    """
    global _redactor
    out: Any = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise UsageError(
            f"log level {level!r}: write one of debug, info, warning, error"
        )
    form = os.environ.get(FORMAT_VARIABLE, "").strip().lower()
    if form not in ("", "json", "text"):
        raise UsageError(f"{FORMAT_VARIABLE}={form}: write json or text")
    is_terminal = _is_terminal(out)
    as_text = form == "text" or (form == "" and is_terminal)
    _redactor = Redactor(secrets)
    is_colored = is_terminal and not os.environ.get("NO_COLOR")
    handler = LineHandler(out, _redactor, as_text=as_text, is_colored=is_colored)
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, LineHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(
        max(number, logging.WARNING) if number > logging.DEBUG else logging.INFO
    )
    logging.getLogger("ingest").setLevel(number)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_failure


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    """A thread that dies must not leave a traceback of many lines."""
    if failure.exc_type is SystemExit:
        return
    name = failure.thread.name if failure.thread else "?"
    error = (failure.exc_type, failure.exc_value, failure.exc_traceback)
    get(__name__)._log(logging.ERROR, "thread_failed", {"thread": name}, error)


class LineHandler(logging.Handler):
    """Writes records as lines; see the module."""

    def __init__(
        self,
        stream: Stream,
        redactor: Redactor,
        *,
        as_text: bool = False,
        is_colored: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._redactor = redactor
        self._write = self._text if as_text else _json
        self._is_colored = is_colored
        self._clock = clock
        # What was said -> since when, how often it was written and how often not.
        self._said: dict[tuple[str, int, str], tuple[float, int, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._line(record)
        except Exception as error:  # noqa: BLE001
            said = {"message": f"a record of {record.name}: {type(error).__name__}"}
            line = json.dumps({**_head(record, "log_failed"), **said})
        if line is None:
            return
        # A reader that went away is no reason to stop recording.
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except Exception:  # noqa: BLE001, S110
            pass

    def _line(self, record: logging.LogRecord) -> str | None:
        own: dict[str, object] | None = getattr(record, "excursion_fields", None)
        fields: dict[str, object]
        repeated: int | None = 0
        if own is None:
            # Libraries format before they log: what differs is mostly a number.
            said = re.sub(r"\d+", "#", str(record.msg)[:500])
            repeated = self._repeated(record, said, LIBRARY_TIMES)
            action = "library"
            fields = {"logger": record.name, "message": _message(record)}
        elif _ACTION.fullmatch(str(record.msg)):
            action, fields = str(record.msg), own
            if times := ACTION_TIMES.get(action):
                said = f"{action} {self._redactor.plain(own.get('code'))}"
                repeated = self._repeated(record, said, times)
        else:
            action, fields = "unnamed", {"message": record.msg, **own}
        if repeated is None:
            return None
        if repeated:
            fields = {**fields, "repeated": repeated}
        plain = {
            f"{key}_" if key in _RESERVED else key: self._redactor.plain(value)
            for key, value in fields.items()
        }
        if record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info))
            plain["traceback"] = self._redactor.plain(text.rstrip())
        return self._write({**_head(record, action), **plain})

    def _repeated(self, record: logging.LogRecord, said: str, times: int) -> int | None:
        """How often this was left unsaid before; None: leave it unsaid now too."""
        key, now = (record.name, record.levelno, said), self._clock()
        since, written, unsaid = self._said.get(key, (now, 0, 0))
        if now - since >= QUIET_SECONDS:
            since, written = now, 0
        if written >= times:
            self._said[key] = (since, written, unsaid + 1)
            return None
        self._said.pop(key, None)
        self._said[key] = (since, written + 1, 0)
        if len(self._said) > REMEMBERED:
            del self._said[next(iter(self._said))]
        return unsaid

    def _text(self, fields: dict[str, Any]) -> str:
        """For a person: time, level, action, then the message and the fields."""
        at, level, action = fields.pop("at"), fields.pop("level"), fields.pop("action")
        message = fields.pop("message", None)
        if trace := fields.pop("traceback", None):
            # The whole of it is in the JSON form.
            fields["error"] = trace.splitlines()[-1]
        parts = [f"{key}={_word(value)}" for key, value in fields.items()]
        if message is not None:
            parts.insert(0, _printable(str(message)))
        color = _COLORS.get(level, "0") if self._is_colored else None
        shown = f"{level:7}" if color is None else f"\x1b[{color}m{level:7}\x1b[0m"
        return " ".join([at[11:19] + "Z", shown, action, *parts])


def _head(record: logging.LogRecord, action: str) -> dict[str, Any]:
    at = instant(datetime.fromtimestamp(record.created, UTC))
    return {"at": at, "level": record.levelname.lower(), "action": action}


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001
        # Arguments that do not fit the template, as logging itself would complain.
        return f"{record.msg} {record.args!r}"


def _json(fields: dict[str, Any]) -> str:
    # ASCII only: no reader of lines sees an end of line where there is none, and no
    # terminal's encoding is too small.
    return json.dumps(fields, separators=(", ", ": "))


def _word(value: Any) -> str:
    """A field's value; lists as ``a,b`` and objects as ``a:1,b:2``, where flat."""
    parts: list[Any] = []
    if isinstance(value, list):
        parts = value
    elif isinstance(value, dict):
        parts = [part for pair in value.items() for part in pair]
    if parts and not any(isinstance(part, list | dict) for part in parts):
        words = [part if isinstance(part, str) else json.dumps(part) for part in parts]
        apart = r"[\s=,:]" if isinstance(value, dict) else r"[\s=,]"
        if all(word and not re.search(apart, word) for word in words):
            if isinstance(value, dict):
                words = [
                    ":".join(pair) for pair in zip(words[::2], words[1::2], strict=True)
                ]
            return _printable(",".join(words))
    text = value if isinstance(value, str) else json.dumps(value)
    return _printable(json.dumps(text) if re.search(r"[\s=]", text) else text)


def _printable(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )
