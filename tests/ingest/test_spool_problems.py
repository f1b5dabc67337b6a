"""A spool on a disk that is full, fails or refuses: nothing is lost, and it is said."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from ingest.errors import ExcursionError
from ingest.spool import Position, Spool, files
from tests.support.spools import (
    fill,
    numbered,
    read_all,
    read_durable,
    segments,
    until,
)


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


def test_a_disk_full_of_what_is_done_is_freed(small_disk: Path) -> None:
    """Also where the last segment has it all, and there is no room to begin another."""
    said: list[str | None] = []
    with Spool(
        small_disk / "spool", segment_bytes=100_000, on_problem=said.append
    ) as spool:
        spool.append(b"x" * 1000 + b"\n" + b"y" * 900_000 + b"\n")
        assert spool.flush(10)
        spool.append(b"z" * 300_000 + b"\n")
        until(lambda: bool(said))
        for line in (b"x" * 1000, b"y" * 900_000):
            batch = spool.read(1000, 0)
            assert batch is not None and batch.lines == [line]
            spool.done(batch.end)
        batch = spool.read(1000, 10)
        assert batch is not None and batch.lines == [b"z" * 300_000]
        spool.done(batch.end)
        assert spool.depth_bytes == 0
        assert said[-1] is None and len(said) == 2
        assert segments(small_disk / "spool") == []


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
    attempts = 0

    def refuse(*_: object) -> int:
        nonlocal attempts
        attempts += 1
        raise OSError(errno.ENOSPC, "No space left on device")

    said: list[str | None] = []
    spool = Spool(folder, commit_seconds=0.001, on_problem=said.append)
    monkeypatch.setattr(os, "pwrite", refuse)
    spool.append(b"a\n")
    until(lambda: bool(said))
    spool.append(b"bc\n")
    time.sleep(0.05)
    assert attempts <= 2  # one a second
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
