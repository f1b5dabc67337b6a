"""Measure the way from a line to a row: ``python -m benchmarks.writer``.

In one run, on one server, with the same marks: plain COPY, parsing, the writer in
batches of several sizes, both together, and all of it once more as duplicates.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks import copying
from benchmarks.machine import description
from benchmarks.server import BenchmarkError, Server, running_server
from ingest.recording import parse_line
from ingest.replay import BATCH_LINES, replay
from ingest.writer import Writer

DATABASE = "written"
SYMBOLS = 40
DAY = datetime(2026, 3, 2, tzinfo=UTC)
OPENS, SESSION = timedelta(hours=14.5), timedelta(hours=6.5)
SMALLER = (2_000, 250)  # of the daemon, busy and calm
FILL_BATCHES = 100
YARDSTICK = f"COPY from Python tuples, {BATCH_LINES:,} a commit"

SIGNATURE, TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Step = Callable[["Bench"], float]


@dataclass
class Marks:
    """The same observations as recorded lines, as tuples and as COPY's binary rows."""

    lines: list[bytes] = field(default_factory=list)
    rows: list[copying.Row] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)

    def add(self, number: int, count: int) -> None:
        symbol = number * 7919 % SYMBOLS
        at = DAY + OPENS + SESSION * number / count
        cents = 10_000 + 100 * symbol + (number * 31 % 1009)
        is_trade = number % 5 == 0
        width = 1 + number % 7
        bid, ask = cents / 100, (cents + width) / 100
        price = bid if is_trade else (2 * cents + width) / 200
        nanos = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}{number % 1000:03d}Z"
        name = f"S{chr(65 + symbol // 26)}{chr(65 + symbol % 26)}"
        head = f'{{"at":"{at:%Y-%m-%dT%H:%M:%S}.999999Z","from":"stock_data","msg":'
        if is_trade:
            body = f'{{"T":"t","S":"{name}","i":{number},"x":"V","p":{bid},"s":100,'
        else:
            body = (
                f'{{"T":"q","S":"{name}","bx":"V","bp":{bid},"bs":3,"ax":"Q",'
                f'"ap":{ask},"as":4,'
            )
        tail = f'"c":["R"],"z":"C","t":"{nanos}"}}}}'
        self.lines.append((head + body + tail).encode())
        instant = (at - EPOCH) // MICROSECOND
        if is_trade:
            self.rows.append((at, price, None, None, symbol + 1, True))
            self.packed.append(
                struct.pack(
                    ">hiqidiiiii?", 6, 8, instant, 8, price, -1, -1, 4, symbol + 1, 1, 1
                )
            )
        else:
            self.rows.append((at, price, bid, ask, symbol + 1, True))
            self.packed.append(
                struct.pack(
                    ">hiqidididiii?",
                    *(6, 8, instant, 8, price, 8, bid, 8, ask, 4, symbol + 1, 1, 1),
                )
            )


@dataclass
class Bench:
    """What the steps share; ``batches`` are milliseconds of single batches by step."""

    server: Server
    connection: Connection
    marks: Marks
    recording: Path
    batches: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def empty(self) -> None:
        """No stored facts, and the server's earlier work written out."""
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(
                "truncate raw.marks, raw.fills, raw.alpaca_event_dedupe, raw.orders"
            )
        copying.make_table(self.connection)
        self.server.settle()


def copy_tuples(bench: Bench) -> float:
    bench.empty()
    seconds = 0.0
    for rows in _cut(bench.marks.rows, BATCH_LINES):
        started = time.perf_counter()
        copying.copy_rows(bench.connection, rows)
        seconds += time.perf_counter() - started
    _require_rows(bench, "bench.marks")
    return seconds


def copy_packed(bench: Bench) -> float:
    """Binary rows that were packed beforehand: what the server alone needs."""
    bench.empty()
    seconds = 0.0
    statement = copying.COPY_IN + " (format binary)"
    for rows in _cut(bench.marks.packed, BATCH_LINES):
        data = io.BytesIO(SIGNATURE + b"".join(rows) + TRAILER)
        started = time.perf_counter()
        with bench.connection, bench.connection.cursor() as cursor:
            cursor.copy_expert(statement, data, size=1 << 20)
        seconds += time.perf_counter() - started
    _require_rows(bench, "bench.marks")
    return seconds


def parse(bench: Bench) -> float:
    seconds = 0.0
    for lines in _cut(bench.marks.lines, BATCH_LINES):
        started = time.perf_counter()
        entries = [parse_line(line) for line in lines]
        seconds += time.perf_counter() - started
        if any(entry.problem for entry in entries):
            raise BenchmarkError("a line of the benchmark could not be read")
    return seconds


def write(size: int, *, again: bool = False) -> Step:
    """Write all marks in batches of ``size``; ``again``: they are stored already."""

    def step(bench: Bench) -> float:
        if not again:
            bench.empty()
        writer, seconds = Writer(bench.connection), 0.0
        name = f"{'again' if again else 'new'} {size}"
        written = 0
        for lines in _cut(bench.marks.lines, size):
            entries = [parse_line(line) for line in lines]
            started = time.perf_counter()
            tally = writer.write(entries)
            took = time.perf_counter() - started
            seconds += took
            bench.batches[name].append(took * 1000)
            written += tally["mark", "written"]
        _require_rows(bench, "raw.marks")
        if written != (0 if again else len(bench.marks.rows)):
            raise BenchmarkError(f"{written} marks were counted as written")
        return seconds

    return step


def parse_and_write(bench: Bench) -> float:
    bench.empty()
    writer = Writer(bench.connection)
    started = time.perf_counter()
    for lines in _cut(bench.marks.lines, BATCH_LINES):
        writer.write([parse_line(line) for line in lines])
    seconds = time.perf_counter() - started
    _require_rows(bench, "raw.marks")
    return seconds


def replayed(*, again: bool = False) -> Step:
    """A replay of the recording, without the start of a process."""

    def step(bench: Bench) -> float:
        if not again:
            bench.empty()
        started = time.perf_counter()
        replay(bench.connection, [str(bench.recording)])
        seconds = time.perf_counter() - started
        _require_rows(bench, "raw.marks")
        return seconds

    return step


def steps() -> dict[str, Step]:
    """All of them by name; one that writes again follows the one that wrote."""
    largest = BATCH_LINES
    found: dict[str, Step] = {
        YARDSTICK: copy_tuples,
        "COPY of packed binary rows, ready beforehand": copy_packed,
        "parse": parse,
        f"write, batches of {largest:,}": write(largest),
        f"write, batches of {largest:,}, all duplicates": write(largest, again=True),
    }
    for size in SMALLER:
        found[f"write, batches of {size:,}"] = write(size)
        found[f"write, batches of {size:,}, all duplicates"] = write(size, again=True)
    found["parse and write in turn"] = parse_and_write
    found["replay of a file"] = replayed()
    found["replay of a file, all duplicates"] = replayed(again=True)
    return found


def fills(bench: Bench) -> None:
    """Milliseconds of batches of 250 frames of orders: half fills, half new orders."""
    bench.empty()
    writer = Writer(bench.connection)
    size = SMALLER[-1]
    batches = [
        [_frame(number) for number in range(start, start + size)]
        for start in range(0, FILL_BATCHES * size, size)
    ]
    for name in ("fills new", "fills again"):
        for lines in batches:
            entries = [parse_line(line) for line in lines]
            started = time.perf_counter()
            writer.write(entries)
            bench.batches[name].append((time.perf_counter() - started) * 1000)
    with bench.connection, bench.connection.cursor() as cursor:
        cursor.execute("select count(*) from raw.fills")
        if cursor.fetchone() != (FILL_BATCHES * size // 2,):
            raise BenchmarkError("raw.fills does not hold the fills that were written")


def _frame(number: int) -> bytes:
    order = number // 2
    is_fill = number % 2
    at = DAY + OPENS + timedelta(seconds=number)
    instant = f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z"
    state = {
        "id": f"{order:08x}-0000-4000-8000-000000000000",
        "client_order_id": f"client-{order}",
        "created_at": instant,
        "updated_at": instant,
        "submitted_at": instant,
        "symbol": f"S{chr(65 + order % 20)}",
        "asset_class": "us_equity",
        "qty": "10",
        "filled_qty": "10" if is_fill else "0",
        "filled_avg_price": "100" if is_fill else None,
        "order_class": "",
        "order_type": "market",
        "type": "market",
        "side": "buy",
        "time_in_force": "day",
        "status": "filled" if is_fill else "new",
        "legs": None,
    }
    data = {
        "event": "fill" if is_fill else "new",
        "execution_id": f"{number:08x}-1111-4111-8111-111111111111",
        "timestamp": instant,
        "order": state,
    }
    if is_fill:
        data |= {"price": "100", "qty": "10", "position_qty": "10"}
    message = {"stream": "trade_updates", "data": data}
    line = {"at": instant, "from": "trade_updates", "account": "main", "msg": message}
    return json.dumps(line).encode()


def _cut(items: Sequence[copying.Row] | Sequence[bytes], size: int) -> Iterator[list]:  # type: ignore[type-arg]
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _require_rows(bench: Bench, table: str) -> None:
    with bench.connection, bench.connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table}")  # noqa: S608
        found = cursor.fetchone()
    if found != (len(bench.marks.rows),):
        raise BenchmarkError(f"{table} holds {found} rows of {len(bench.marks.rows)}")


def measure(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """Seconds of each step in each round, the order turned round every time."""
    everything = steps()
    names = list(everything)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    # A step and the one that repeats its work stay together.
    groups: list[list[str]] = []
    for name in names:
        if name.endswith("all duplicates"):
            groups[-1].append(name)
        else:
            groups.append([name])
    for number in range(rounds):
        for group in groups if number % 2 == 0 else reversed(groups):
            for name in group:
                gc.collect()
                seconds[name].append(everything[name](bench))
        fills(bench)
    return seconds


def run(count: int, rounds: int) -> list[str]:
    """Measure with so many marks; the figures as lines of Markdown."""
    # As replay sets it.
    gc.set_threshold(500_000, 10, 10)
    with running_server() as server:
        server.recreate(DATABASE)
        connection = server.connect(DATABASE)
        machine = description(connection)
        marks = Marks()
        for number in range(count):
            marks.add(number, count)
        recording = server.folder / "marks.jsonl"
        recording.write_bytes(b"\n".join(marks.lines) + b"\n")
        bench = Bench(server, connection, marks, recording)
        write(BATCH_LINES)(bench)  # makes the partition, warms everything up
        bench.batches.clear()
        seconds = measure(bench, rounds)
        connection.close()
        return [f"{machine}.", "", *_lines(bench, seconds)]


def _lines(bench: Bench, seconds: dict[str, list[float]]) -> list[str]:
    count = len(bench.marks.rows)
    yardstick = median(seconds[YARDSTICK])
    lines = [
        f"{count:,} marks, medians of {len(seconds[YARDSTICK])} rounds.",
        "",
        "| what | figure | µs a row | ratio |",
        "|---|---|---|---|",
    ]
    for name, rounds in seconds.items():
        middle = median(rounds)
        lines.append(
            f"| {name} | {count / middle:,.0f} rows/s | {middle / count * 1e6:.2f}"
            f" | {yardstick / middle:.2f} |"
        )
    lines += ["", "| batch | median ms | p99 ms |", "|---|---|---|"]
    lines += [
        f"| {name} | {median(found):.2f} | {quantiles(found, n=100)[98]:.2f} |"
        for name, found in bench.batches.items()
    ]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.writer",
        description="Measure parsing and the writer against plain COPY.",
    )
    parser.add_argument("--marks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    try:
        print("\n".join(run(options.marks, options.rounds)))
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
