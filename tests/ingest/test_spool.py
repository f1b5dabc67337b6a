"""The spool: what goes in comes out, durable, in order, within its limits."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from ingest.errors import ExcursionError, UsageError
from ingest.recording import read_lines
from ingest.spool import Position, Spool, files
from ingest.spool.groups import LIMIT, Groups
from tests.support.paths import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of one megabyte."""
    point = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(point)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        point.rmdir()
        pytest.skip("mounting a small disk is not permitted here")
    yield point
    subprocess.run(["umount", str(point)], check=True)
    point.rmdir()


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def read_durable(spool: Spool, max_bytes: int = 1 << 20) -> list[bytes]:
    lines: list[bytes] = []
    while batch := spool.read(max_bytes, 0):
        lines += batch.lines
    return lines


def read_all(spool: Spool, max_bytes: int = 1 << 20) -> list[bytes]:
    assert spool.flush(10)
    return read_durable(spool, max_bytes)


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.jsonl"))


def numbered(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last)]


def fill(spool: Spool, first: int, last: int) -> None:
    """Append numbered lines, each its own group commit."""
    for line in numbered(first, last):
        spool.append(line + b"\n")
        assert spool.flush(10)


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
    for name in names:
        mine = [line for line in lines if line.startswith(name)]
        assert mine == [b"%b %d" % (name, number) for number in range(each)]


def test_a_full_disk_drops_nothing_and_is_said_once(small_disk: Path) -> None:
    said: list[str | None] = []
    lines = [b"%d %b" % (number, b"x" * 1000) for number in range(2000)]
    with Spool(
        small_disk / "spool",
        segment_bytes=100_000,
        buffer_bytes=900_000,
        commit_seconds=0.001,
        on_problem=said.append,
    ) as spool:
        for line in lines:
            spool.append(line + b"\n")
            time.sleep(0.0001)
        until(lambda: bool(said))
        assert said[0] is not None
        assert said[0].startswith(
            "the spool cannot be written: No space left on device"
        )
        assert spool.is_full
        assert not spool.flush(0.05)
        # Reading goes on, and what is done makes room by itself.
        got: list[bytes] = []
        deadline = time.monotonic() + 20
        while len(got) < len(lines) and time.monotonic() < deadline:
            if batch := spool.read(50_000, 2):
                got += batch.lines
                spool.done(batch.end)
        assert got == lines
        assert said[-1] is None
        # A part of the room may be enough for a while: ended, and begun again.
        assert len(said) <= 6
        assert all(one != next_one for one, next_one in pairwise(said))
        assert not spool.is_full and spool.depth_bytes == 0


def test_a_half_written_tail_is_cut_before_the_next_attempt(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel refuses what is behind a file size limit, after writing up to it."""
    said: list[str | None] = []
    cuts: list[int] = []
    real_ftruncate = os.ftruncate

    def ftruncate(descriptor: int, size: int) -> None:
        cuts.append(size)
        real_ftruncate(descriptor, size)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Spool(folder, commit_seconds=0.001, on_problem=said.append) as spool:
        fill(spool, 0, 10)
        monkeypatch.setattr(os, "ftruncate", ftruncate)
        resource.setrlimit(resource.RLIMIT_FSIZE, (25, hard))
        try:
            spool.append(b"a longer line\n")
            until(lambda: bool(said))
            assert (folder / "00000001.jsonl").stat().st_size == 25
            spool.append(b"10\n")
            assert read_durable(spool) == numbered(0, 10)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert spool.flush(10)
        until(lambda: said[-1] is None)
        assert len(said) == 2
        assert cuts and set(cuts) == {20}
        assert read_all(spool) == [b"a longer line", b"10"]
        assert (folder / "00000001.jsonl").stat().st_size == 37


def test_after_a_failed_sync_the_lines_are_written_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str | None] = []
    failures, written = [errno.EIO, errno.EIO], []
    real_fdatasync, real_pwrite = os.fdatasync, os.pwrite

    def fdatasync(descriptor: int) -> None:
        if failures:
            raise OSError(failures.pop(), "Input/output error")
        real_fdatasync(descriptor)

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        written.append((bytes(data), offset))
        return real_pwrite(descriptor, data, offset)

    with Spool(folder, commit_seconds=0.001, on_problem=said.append) as spool:
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        monkeypatch.setattr(os, "pwrite", pwrite)
        spool.append(b"a\n")
        until(lambda: bool(said))
        assert spool.flush(10)
        assert read_all(spool) == [b"a"]
        assert written == [(b"a\n", 0)] * 3
        until(lambda: said[-1] is None)
        assert said == [said[0], None] and "Input/output error" in str(said[0])


def test_closing_says_what_could_not_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    said: list[str | None] = []
    spool = Spool(folder, commit_seconds=0.001, on_problem=said.append)
    monkeypatch.setattr(os, "pwrite", refuse)
    spool.append(b"a\n")
    until(lambda: bool(said))
    spool.append(b"bc\n")
    spool.close()
    assert said[-1] == "the spool was closed with 5 bytes that are not on disk"


def test_a_cursor_that_cannot_be_saved_is_said_and_costs_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str | None] = []
    with Spool(folder, segment_bytes=6, on_problem=said.append) as spool:
        fill(spool, 0, 8)
        read_all(spool)

        def refuse(folder: Path, cursor: Position) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as full:
            full.setattr(files, "save_cursor", refuse)
            spool.done(Position(2, 2))
            spool.done(Position(2, 4))
            assert said == [said[0]] and "No space left" in str(said[0])
            assert segments(folder)[0] == "00000002.jsonl"
        shutil.copytree(folder, folder.with_name("copy"))
        spool.done(Position(3, 2))
        assert said[1:] == [None]
    with Spool(folder.with_name("copy")) as killed:
        assert read_all(killed) == numbered(3, 8)
    with Spool(folder) as spool:
        assert read_all(spool) == numbered(7, 8)


def test_what_cannot_be_used_is_said_in_one_line(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(ExcursionError, match=f"cannot use the spool {folder}"):
        Spool(folder)
    folder.unlink()
    (folder / "00000001.jsonl").mkdir(parents=True)
    with pytest.raises(ExcursionError, match=r"00000001\.jsonl: Is a directory"):
        Spool(folder)
    (folder / "00000001.jsonl").rmdir()
    with Spool(folder) as spool:
        fill(spool, 0, 3)
        (folder / "00000001.jsonl").rename(folder / "moved")
        with pytest.raises(ExcursionError, match=r"00000001\.jsonl: No such file"):
            spool.read(100, 0)
        (folder / "moved").rename(folder / "00000001.jsonl")
        assert read_all(spool) == numbered(0, 3)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_a_segment_of_another_user_is_said_in_one_line() -> None:
    # Not below tmp_path, where another user may not even look.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "spool"
        with Spool(folder) as spool:
            fill(spool, 0, 1)
        folder.chmod(0o777)
        (folder / "lock").chmod(0o666)
        os.seteuid(65534)
        try:
            with pytest.raises(
                ExcursionError, match=r"1\.jsonl: Permission denied; it"
            ):
                Spool(folder)
        finally:
            os.seteuid(0)
