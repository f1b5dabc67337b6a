"""The spool: what goes in comes out, durable, in order, within its limits."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import UsageError
from ingest.recording import read_lines
from ingest.spool import Position, Spool
from ingest.spool.groups import LIMIT, Groups
from tests.support.paths import ROOT
from tests.support.spools import fill, numbered, read_all, segments, until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def hectic() -> Iterator[None]:
    """Threads are interrupted as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_lines_come_out_as_they_went_in(folder: Path) -> None:
    with Spool(folder) as spool:
        spool.append(b"one\ntwo\n", 2)
        spool.append(b"")
        spool.append(b"\n")
        spool.append(b'{"broken\n')
        assert spool.appended_lines == 4
        assert read_all(spool) == [b"one", b"two", b"", b'{"broken']
        assert spool.read(100, 0) is None
        assert spool.depth_bytes == 18


def test_it_is_a_recording_that_only_its_user_reads(folder: Path) -> None:
    with Spool(folder) as spool:
        spool.append(b'{"from": "orders"}\n')
        assert spool.flush(10)
        segment = folder / "00000001.jsonl"
        assert list(read_lines(str(segment))) == [b'{"from": "orders"}']
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(segment.stat().st_mode) == 0o600


def test_the_commit_interval_is_bounded(folder: Path) -> None:
    for seconds in (0.21, 0.0):
        with pytest.raises(UsageError, match=r"at most 0\.2 seconds"):
            Spool(folder, commit_seconds=seconds)
    with Spool(folder, commit_seconds=0.2) as spool:
        spool.append(b"a\n")
        batch = spool.read(100, 5)
        assert batch is not None
        assert 0.19 < time.monotonic() - batch.groups[0][0] < 2


def test_flush_does_not_wait_for_the_interval(folder: Path) -> None:
    with Spool(folder, commit_seconds=0.2) as spool:
        taken: list[float] = []
        for _ in range(3):
            begun = time.monotonic()
            spool.append(b"a\n")
            assert spool.flush(10)
            taken.append(time.monotonic() - begun)
        assert min(taken) < 0.15


def test_read_waits_for_lines_and_not_for_ever(folder: Path) -> None:
    with Spool(folder) as spool:
        begun = time.monotonic()
        assert spool.read(100, 0.05) is None
        assert 0.04 < time.monotonic() - begun < 2
        threading.Timer(0.05, spool.append, [b"a\n"]).start()
        batch = spool.read(100, 10)
        assert batch is not None and batch.lines == [b"a"]


def test_nothing_is_handed_out_before_it_is_synced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_sync, synced = threading.Event(), []
    real_fsync, real_fdatasync = os.fsync, os.fdatasync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real_fsync(descriptor)

    def fdatasync(descriptor: int) -> None:
        assert may_sync.wait(10)
        real_fdatasync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with Spool(folder, commit_seconds=0.001) as spool:
        spool.append(b"a\n")
        until(lambda: (folder / "00000001.jsonl").exists())
        assert spool.read(100, 0.05) is None
        assert not spool.flush(0.01)
        may_sync.set()
        assert spool.flush(10)
        assert folder in synced  # the segment's name
        assert spool.read(100, 0) is not None


def test_a_batch_is_bounded_but_never_splits_a_line(folder: Path) -> None:
    with Spool(folder) as spool:
        spool.append(b"aaa\nbbb\n" + b"c" * 100_000 + b"\nd\n", 4)
        assert spool.flush(10)
        batches = []
        while batch := spool.read(9, 0):
            batches.append(batch.lines)
        assert batches == [[b"aaa", b"bbb"], [b"c" * 100_000], [b"d"]]


def test_what_is_not_done_comes_again(folder: Path) -> None:
    with Spool(folder) as spool:
        fill(spool, 0, 10)
        first, second = spool.read(8, 0), spool.read(4, 0)
        assert first is not None and second is not None
        assert first.lines == numbered(0, 4)
        spool.rewind()
        again = spool.read(8, 0)
        assert again == first
        spool.done(first.end)
        spool.rewind()
        assert spool.depth_bytes == 12
        assert read_all(spool) == numbered(4, 10)
    with Spool(folder) as spool:
        assert spool.depth_bytes == 12
        assert read_all(spool) == numbered(4, 10)
        spool.done(second.end)
        spool.done(first.end)  # going back means nothing
        spool.rewind()
        assert read_all(spool) == numbered(6, 10)


def test_finished_segments_are_deleted(folder: Path) -> None:
    with Spool(folder, segment_bytes=6) as spool:
        fill(spool, 0, 10)
        assert segments(folder) == [f"0000000{n}.jsonl" for n in (1, 2, 3, 4)]
        read_all(spool, 2)
        spool.done(Position(3, 2))
        assert segments(folder) == ["00000003.jsonl", "00000004.jsonl"]
        assert spool.depth_bytes == 6
        spool.done(Position(4, 2))
        assert spool.depth_bytes == 0
        fill(spool, 10, 11)
        assert read_all(spool) == numbered(10, 11)
    with Spool(folder, segment_bytes=6) as spool:
        assert read_all(spool) == numbered(10, 11)
        assert segments(folder) == ["00000004.jsonl"]


def test_groups_tell_when_lines_were_received(folder: Path) -> None:
    opened = time.monotonic()
    with Spool(folder) as spool:
        spool.append(b"a\nb\nc\n", 3)
        assert spool.flush(10)
        between = time.monotonic()
        spool.append(b"d\n")
        assert spool.flush(10)
        cut, rest = spool.read(4, 0), spool.read(100, 0)
        assert cut is not None and rest is not None
        ((since, count),) = cut.groups
        assert opened < since < between and count == 2
        assert rest.groups[0] == (since, 1)
        assert rest.groups[1][0] > between and rest.groups[1][1] == 1
    with Spool(folder) as spool:
        batch = spool.read(100, 0)
        assert batch is not None
        ((since, count),) = batch.groups
        assert since > rest.groups[1][0] and count == 4


def test_a_long_backlog_is_measured_more_coarsely_never_younger() -> None:
    groups = Groups()
    number = 3 * LIMIT + 1
    for n in range(number):
        groups.add(Position(1 + n // 1001, 2 * (n % 1001 + 1)), float(n))
    assert len(groups._groups) <= LIMIT
    seen = 0
    for segment in range(1, 1 + number // 1001 + 1):
        data = b"x\n" * min(1001, number - seen)
        found = groups.within(Position(segment, 0), data)
        assert sum(count for _, count in found) == len(data) // 2
        for since, count in found:
            assert seen - 8 <= since <= seen
            seen += count
    assert seen == number
    groups.forget(Position(99, 0))
    assert not groups._groups


def test_full_at_its_limit_until_some_is_done(folder: Path) -> None:
    stop = threading.Event()
    with Spool(folder, limit_bytes=6) as spool:
        fill(spool, 0, 2)
        assert not spool.is_full and spool.wait_for_room(stop)
        fill(spool, 2, 4)  # the last one is over the limit, and kept
        assert spool.is_full and spool.depth_bytes == 8
        batch = spool.read(4, 0)
        assert batch is not None
        waited: list[bool] = []
        waiter = threading.Thread(
            target=lambda: waited.append(spool.wait_for_room(stop))
        )
        waiter.start()
        time.sleep(0.05)
        assert not waited
        spool.done(batch.end)
        waiter.join(5)
        assert waited == [True] and not spool.is_full
        assert read_all(spool) == numbered(2, 4)
        fill(spool, 4, 7)
        stop.set()
        assert not spool.wait_for_room(stop)


def test_a_second_process_is_refused(folder: Path) -> None:
    with Spool(folder):
        program = (
            "from pathlib import Path\n"
            "from ingest.errors import ExcursionError\n"
            "from ingest.spool import Spool\n"
            f"try: Spool(Path({str(folder)!r}))\n"
            "except ExcursionError as error: print(error)\n"
        )
        second = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert second.stdout == (
            f"the spool {folder} is in use by process {os.getpid()}: stop that one"
            " first, or give this one a spool folder of its own\n"
        )
    Spool(folder).close()


def test_done_after_a_rewind_counts(folder: Path) -> None:
    with Spool(folder, segment_bytes=4) as spool:
        fill(spool, 0, 8)
        read_all(spool, 4)
        spool.rewind()
        spool.done(Position(3, 2))
        assert read_all(spool) == numbered(5, 8)


def test_closing_writes_the_rest_and_is_final(folder: Path) -> None:
    spool = Spool(folder, commit_seconds=0.2)
    reader = threading.Thread(target=lambda: spool.read(100, 30))
    reader.start()
    spool.append(b"a\n")
    spool.close()
    reader.join(5)
    assert not reader.is_alive()
    assert spool.is_full and not spool.wait_for_room(threading.Event())
    spool.close()
    spool.done(Position(1, 2))
    assert spool.read(100, 0) is None
    with Spool(folder) as again:
        assert read_all(again) == [b"a"]


@pytest.mark.usefixtures("hectic")
def test_threads_appending_at_once_lose_nothing_and_keep_their_order(
    folder: Path,
) -> None:
    each, names = 5000, (b"a", b"b", b"c", b"d")
    with Spool(folder, commit_seconds=0.001, segment_bytes=4000) as spool:

        def work(name: bytes) -> None:
            for number in range(each):
                spool.append(b"%b %d\n" % (name, number))

        threads = [threading.Thread(target=work, args=[name]) for name in names]
        for thread in threads:
            thread.start()
        lines: list[bytes] = []
        while len(lines) < each * len(names):
            batch = spool.read(10_000, 10)
            assert batch is not None
            lines += batch.lines
            spool.done(batch.end)
        for thread in threads:
            thread.join()
        assert spool.depth_bytes == 0
        assert spool.appended_lines == each * len(names)
        assert not spool._groups._groups
    for name in names:
        mine = [line for line in lines if line.startswith(name)]
        assert mine == [b"%b %d" % (name, number) for number in range(each)]
