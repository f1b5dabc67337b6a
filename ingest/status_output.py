"""``excursion status`` for a person: what needs a look first, then the figures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.alarms import duration
from ingest.stats_output import new_table, print_line, print_table
from ingest.status import Report

NONE = "-"

#: Seconds without a beat after which the heartbeat is old; it beats every 5.
OLD_BEAT = 30.0

#: Columns of the words before what is said of them; the longest is "not running".
NAMES_WIDTH = 11

GOOD, BAD, SOON = "green", "bold red", "yellow"


def show(report: Report, console: Console) -> None:
    """Print the report."""
    if report.daemon is None:
        _show_without_daemon(report, console)
        return
    said = report.daemon
    _show_heading(said, console)
    for title, table in (
        ("Streams", _streams_table(said["streams"])),
        ("Accounts", _accounts_table(said["accounts"])),
        ("Facts", _facts_table(said["counts"]["facts"])),
    ):
        if table.row_count:
            _section(console, title, table)
    console.print()
    for name, value, style in _listed(report, said):
        _print_listed(console, name, value, style)


def _show_heading(said: dict[str, Any], console: Console) -> None:
    since = said["started_at"]
    up_for = _seconds_between(since, said["now"])
    print_line(
        console,
        f"excursion {said['version']}, process {said['pid']}, up"
        f" {duration(up_for)} since {_minute(since)}",
        "bold",
    )
    for alarm in said["alarms"]:
        about = f"{alarm['subject']}: " if alarm["subject"] else ""
        lasting = f" (for {duration(alarm['seconds'])})" if alarm["seconds"] else ""
        _print_marked(console, "ALARM", BAD, about + alarm["message"] + lasting)
    for reason in said["not_ready"]:
        if not any(_covers(alarm, reason) for alarm in said["alarms"]):
            _print_marked(console, "not ready", SOON, reason)
    if said["is_ready"] and not said["alarms"]:
        _print_marked(console, "ready", GOOD, "everything that is wanted is recorded")


def _show_without_daemon(report: Report, console: Console) -> None:
    _print_marked(console, *_not_answering(report))
    if report.database_problem:
        _print_marked(console, "database", BAD, report.database_problem)
        return
    if not report.heartbeats:
        print_line(console, f"no ingester ever wrote to {report.database}", "dim")
        return
    table = new_table("account", "last beat", "stream", "last event", "spool")
    for beat in report.heartbeats:
        live = "was live" if beat["live_since"] else "was not live"
        depth = beat["spool_depth"]
        table.add_row(
            beat["account_name"],
            _ago(beat["beat_age_seconds"]),
            "stopped" if _is_stopped(beat) else live,
            _instant(beat["last_event_at"]),
            _bytes(depth) if depth else NONE,
        )
    _section(console, "Last heartbeats", table)
    if any(beat["spool_depth"] for beat in report.heartbeats):
        console.print()
        print_line(
            console, "What was in the spool is on disk: the next start writes it."
        )
    if any(_is_young(beat) and not _is_stopped(beat) for beat in report.heartbeats):
        console.print()
        print_line(
            console,
            "So young a heartbeat means that an ingester was killed just now, or runs"
            " on another machine or with another http_port (--port).",
        )


def _not_answering(report: Report) -> tuple[str, str, str]:
    """A state word, its style, and the rest: how it ended, where that is known."""
    word, problem = "not running", str(report.daemon_problem)
    if not problem.startswith(word):
        return "no answer", BAD, problem.removeprefix("no answer ")
    why = problem.removeprefix(word).lstrip(": ")
    known = [beat for beat in report.heartbeats if beat["beat_at"] is not None]
    if not known:
        return word, BAD, why
    last = max(known, key=lambda beat: beat["beat_at"])
    ago = _ago(last["beat_age_seconds"])
    if _is_stopped(last):
        return "stopped", SOON, f"{ago}; {why}"
    if _is_young(last):
        return word, BAD, why
    return word, BAD, f"last heartbeat {ago}, it did not stop by itself; {why}"


def _is_stopped(beat: dict[str, Any]) -> bool:
    return beat["beat_at"] is not None and beat["started_at"] is None


def _is_young(beat: dict[str, Any]) -> bool:
    seconds = beat["beat_age_seconds"]
    return seconds is not None and seconds < OLD_BEAT


def _streams_table(streams: list[dict[str, Any]]) -> Table:
    table = new_table(
        "stream", "state", "for", "last event", "restarts", "symbols", text_columns=2
    )
    for stream in streams:
        if stream["is_live"]:
            state, lasting = Text("live", GOOD), _since(stream["live_since"])
        elif stream["is_wanted"]:
            state = Text("not live", BAD)
            lasting = _lasting(stream["not_live_seconds"])
        else:
            state, lasting = Text("not needed", "dim"), NONE
        table.add_row(
            stream["name"],
            state,
            lasting,
            _ago(stream["last_event_age_seconds"]),
            f"{stream['restarts']:,}",
            f"{stream['symbols']:,}" if stream["symbols"] else NONE,
        )
    return table


def _accounts_table(accounts: list[dict[str, Any]]) -> Table:
    table = new_table(
        "account",
        "catch-up",
        "\nage",
        "missed by\nstream",
        "mismatched\npositions",
        "incomplete\norders",
        text_columns=2,
    )
    for account in accounts:
        state = Text("works", GOOD)
        if account["catchup_problem"] is not None:
            never = account["last_catchup_at"] is None
            state = Text("not yet", SOON) if never else Text("fails", BAD)
        table.add_row(
            account["name"],
            state,
            _lasting(account["catchup_age_seconds"]),
            f"{account['missed_by_stream']:,}",
            _worrying(account["mismatches"]),
            _worrying(account["holes"]),
        )
    return table


def _facts_table(facts: list[dict[str, Any]]) -> Table:
    table = new_table("fact", "written", "duplicate")
    for row in facts:
        table.add_row(row["kind"], f"{row['written']:,}", f"{row['duplicate']:,}")
    return table


def _listed(report: Report, said: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    """(name, value, style of the value's first word)."""
    counts, database, spool = said["counts"], said["database"], said["spool"]
    by_channel: dict[str, int] = {}
    for row in counts["received"]:
        by_channel[row["channel"]] = by_channel.get(row["channel"], 0) + row["count"]
    yield "received", _shares(by_channel, "message"), ""
    if counts["thinned"]:
        yield "thinned", _shares(counts["thinned"], "quote"), ""
    if counts["quarantined"]:
        set_aside = _shares(counts["quarantined"], "message")
        yield "quarantine", f"{set_aside}; see raw.quarantine", SOON
    else:
        yield "quarantine", "nothing was set aside", ""
    for account in said["accounts"]:
        if problem := account["catchup_problem"]:
            yield "catch-up", f"{account['name']}: {problem}", ""
    used, limit = _bytes(spool["depth_bytes"]), _bytes(spool["limit_bytes"])
    full = "full: " if spool["is_full"] else ""
    torn = spool["damaged_tails"]
    torn_said = f"; torn last lines after crashes: {torn}" if torn else ""
    yield "spool", f"{full}{used} of {limit}{torn_said}", BAD if full else ""
    commit = database["last_commit_age_seconds"]
    committed = "no commit yet" if commit is None else f"last commit {_ago(commit)}"
    if database["is_up"]:
        yield "database", f"up: {committed}", GOOD
    else:
        yield "database", f"down: {database['problem']}; {committed}", BAD
    beats = {
        beat["account_name"]: beat["beat_age_seconds"] for beat in report.heartbeats
    }
    own = [account["name"] for account in said["accounts"]]
    if not own:
        return
    if report.database_problem:
        yield "heartbeat", f"unknown: {report.database_problem}", SOON
    else:
        ages = ", ".join(f"{name} {_ago(beats.get(name))}" for name in own)
        is_late = any((beats.get(name) or 0) > OLD_BEAT for name in own)
        yield "heartbeat", f"late: {ages}" if is_late else ages, SOON if is_late else ""


def _covers(alarm: dict[str, Any], reason: str) -> bool:
    """Whether the alarm says already what the reason says."""
    subject, message = alarm["subject"], alarm["message"]
    return bool(subject and reason.startswith(f"{subject} ")) or message.startswith(
        reason
    )


def _section(console: Console, title: str, table: Table) -> None:
    console.print()
    print_line(console, title, "bold cyan")
    print_table(console, table)


def _print_marked(console: Console, word: str, style: str, rest: str) -> None:
    """A state word in colour, then what it is about, wrapped under itself."""
    _print_wrapped(console, Text(word, style), NAMES_WIDTH + 2, rest)


def _print_listed(console: Console, name: str, value: str, style: str) -> None:
    word, colon, _ = value.partition(":")
    shown = Text(value)
    if style:
        shown.stylize(style, 0, len(word) if colon else value.find(" "))
    _print_wrapped(console, Text(name), NAMES_WIDTH + 2, shown)


def _print_wrapped(console: Console, head: Text, indent: int, rest: str | Text) -> None:
    body = rest if isinstance(rest, Text) else Text(rest)
    lines = body.wrap(console, max(console.width - indent, 20))
    for number, line in enumerate(lines):
        line.rstrip()
        start = head.copy() if number == 0 else Text()
        start.pad_right(indent - len(start))
        console.print(Text.assemble(start, line), soft_wrap=True)


def _shares(counts: dict[str, int], noun: str) -> str:
    total = sum(counts.values())
    if not total:
        return "nothing"
    plural = noun if total == 1 else f"{noun}s"
    each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"{total:,} {plural} ({each})"


def _worrying(count: int) -> Text:
    return Text(f"{count:,}", BAD if count else "")


def _lasting(seconds: float | None) -> str:
    return NONE if seconds is None else duration(seconds)


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{duration(seconds)} ago"


def _since(text: str | None) -> str:
    return NONE if text is None else duration(_seconds_between(text, None))


def _seconds_between(start: str, end: str | None) -> float:
    last = datetime.fromisoformat(end) if end else datetime.now().astimezone()
    return max(0.0, (last - datetime.fromisoformat(start)).total_seconds())


def _minute(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


def _instant(value: datetime | None) -> str:
    return "never" if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _bytes(count: int) -> str:
    size, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:,.0f} {units[0]}" if units[0] == "B" else f"{size:,.1f} {units[0]}"
