"""Opening a spool again: torn ends, cursors of all kinds, and anything in any order."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.spool import Batch, DamagedTail, Position, Spool, files
from tests.support.spools import read_all, segments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def make(folder: Path, lines: list[bytes], segment_bytes: int = 1 << 20) -> None:
    with Spool(folder, segment_bytes=segment_bytes) as spool:
        for line in lines:
            spool.append(line + b"\n")
            assert spool.flush(10)


LONG = 3 * files.BLOCK_BYTES


@pytest.mark.parametrize(
    "torn",
    [
        b"{",
        b"x" * LONG,
        b"\0" * 4096,
        b"\0" * LONG,
        b"half a line\0\0\0",
        b"\0\0\0\0the end of a line\n",
        b"one\0\n" + b"\0" * LONG + b"\nthree\0",
    ],
    ids=["text", "long", "nul", "many nul", "text, nul", "nul, line", "several"],
)
@pytest.mark.parametrize("lines", [[], [b"a", b"", b"c" * LONG]], ids=["only", "after"])
def test_a_torn_end_is_cut_off_kept_and_told(
    folder: Path, lines: list[bytes], torn: bytes
) -> None:
    make(folder, [*lines, b"last"])
    segment = folder / "00000001.jsonl"
    if not lines:
        segment.write_bytes(b"")
    whole = segment.read_bytes()
    segment.write_bytes(whole + torn)
    damage: list[DamagedTail] = []
    with Spool(folder, on_damage=damage.append) as spool:
        assert read_all(spool) == whole.split(b"\n")[:-1]
        kept_as = folder / f"torn-00000001-{len(whole)}"
        assert damage == [DamagedTail(1, len(whole), len(torn), kept_as)]
        assert kept_as.read_bytes() == torn
        assert spool.damaged_tails == 1
        spool.append(b"next\n")
        assert read_all(spool) == [b"next"]
    with Spool(folder) as spool:
        assert spool.damaged_tails == 0


def test_torn_ends_at_one_place_are_all_kept(folder: Path) -> None:
    make(folder, [b"a"])
    for torn in (b"first", b"second", b"second", b"secondly"):
        with (folder / "00000001.jsonl").open("ab") as segment:
            segment.write(torn)
        Spool(folder).close()
    kept = sorted(path.read_bytes() for path in folder.glob("torn-*"))
    assert kept == [b"first", b"secondly"]


def test_a_torn_end_of_an_earlier_segment_is_cut_too(folder: Path) -> None:
    make(folder, [b"a", b"b"], segment_bytes=1)
    with (folder / "00000001.jsonl").open("ab") as segment:
        segment.write(b"torn")
    with Spool(folder) as spool:
        assert spool.damaged_tails == 1
        assert read_all(spool) == [b"a", b"b"]


def saved(position: Position) -> Callable[[Path], None]:
    return lambda folder: files.save_cursor(folder, position)


def bytes_of(text: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "cursor").write_bytes(text) and None


def valid_but_one_digit(folder: Path) -> None:
    files.save_cursor(folder, Position(1, 2))
    text = (folder / "cursor").read_bytes()
    (folder / "cursor").write_bytes(text.replace(b"1 2", b"1 4"))


DAMAGED: list[Callable[[Path], None]] = [
    lambda folder: (folder / "cursor").unlink(),
    bytes_of(b""),
    bytes_of(b"\0" * 20),
    bytes_of(b"1 2\n"),
    bytes_of("１ ２ 00000000\n".encode()),
    valid_but_one_digit,
    saved(Position(1, 3)),  # inside a line
    saved(Position(2, 100)),  # ahead of its file
    saved(Position(9, 0)),  # in a segment that is not there
    saved(Position(0, 0)),
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_cursor_that_does_not_fit_skips_nothing(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    lines = [b"a", b"b", b"c", b"d"]
    make(folder, lines, segment_bytes=4)
    saved(Position(1, 2))(folder)
    damage(folder)
    with Spool(folder) as spool:
        assert spool.depth_bytes == 8
        assert read_all(spool) == lines
        # Nor does it once the segments have grown to where it points.
        spool.append(b"e\n" * 60)
        assert len(read_all(spool)) == 60
    with Spool(folder) as spool:
        assert len(read_all(spool)) == 64


def test_a_good_cursor_is_followed_and_what_is_behind_it_deleted(folder: Path) -> None:
    make(folder, [b"a", b"b", b"c", b"d"], segment_bytes=4)
    saved(Position(2, 2))(folder)
    with Spool(folder) as spool:
        assert spool.depth_bytes == 2
        assert read_all(spool) == [b"d"]
    assert not (folder / "00000001.jsonl").exists()


def test_missing_and_empty_segments_are_passed_over(folder: Path) -> None:
    make(folder, [b"a", b"b", b"c", b"d"], segment_bytes=2)
    saved(Position(1, 2))(folder)
    (folder / "00000001.jsonl").unlink()
    (folder / "00000002.jsonl").write_bytes(b"")
    (folder / "00000004.jsonl").rename(folder / "123456789.jsonl")
    (folder / "notes.jsonl").write_bytes(b"not a segment\n")
    with Spool(folder, segment_bytes=2) as spool:
        spool.append(b"e\n")
        assert read_all(spool) == [b"c", b"d", b"e"]
        assert (folder / "123456790.jsonl").exists()


def test_a_full_segment_from_before_is_freed_and_a_new_life_begins_anew(
    folder: Path,
) -> None:
    make(folder, [b"a", b"b"], segment_bytes=4)
    with Spool(folder, segment_bytes=4) as spool:
        batch = spool.read(100, 0)
        assert batch is not None and batch.lines == [b"a", b"b"]
        spool.done(batch.end)
        assert segments(folder) == [] and spool.depth_bytes == 0
    # The cursor is behind all that there was: it must not hide what comes.
    with Spool(folder, segment_bytes=4) as spool:
        assert spool.read(100, 0) is None
        spool.append(b"c\n")
        assert read_all(spool) == [b"c"]
    with Spool(folder, segment_bytes=4) as spool:
        assert read_all(spool) == [b"c"]


class Model:
    """What a spool must do, on a list; ``read`` and ``done`` count lines."""

    def __init__(self, folder: Path, choose: random.Random) -> None:
        self.folder, self.choose = folder, choose
        self.lines: list[bytes] = []
        self.read = self.done = 0
        self.batches: list[tuple[int, Batch]] = []
        self.damage: list[DamagedTail] = []
        self.spool = self.opened()

    def opened(self) -> Spool:
        return Spool(
            self.folder,
            commit_seconds=0.001,
            segment_bytes=self.choose.choice([1, 30, 100, 1000]),
            on_damage=self.damage.append,
        )

    def append(self) -> None:
        count = self.choose.choice([1, 1, 2, 20])
        sizes = [self.choose.choice([0, 1, 5, 40, 200]) for _ in range(count)]
        new = [b"%d" % self.choose.randrange(10**9) * size for size in sizes]
        self.lines += new
        self.spool.append(b"".join(line + b"\n" for line in new), count)

    def flush(self) -> None:
        assert self.spool.flush(10)

    def read_some(self) -> None:
        max_bytes = self.choose.choice([1, 10, 60, 500, 100_000])
        batch = self.spool.read(max_bytes, 0)
        if batch is None:
            return
        following = self.read + len(batch.lines)
        assert batch.lines == self.lines[self.read : following]
        size = sum(len(line) + 1 for line in batch.lines)
        assert len(batch.lines) == 1 or size <= max_bytes
        assert sum(count for _, count in batch.groups) == len(batch.lines)
        assert all(count for _, count in batch.groups)
        self.read = following
        self.batches.append((following, batch))

    def finish(self) -> None:
        if self.batches:
            self.done, batch = self.choose.choice(self.batches)
            self.batches = [each for each in self.batches if each[0] > self.done]
            self.spool.done(batch.end)

    def rewind(self) -> None:
        self.spool.rewind()
        self.read, self.batches = self.done, []

    def reopen(self) -> None:
        self.spool.close()
        self.spool = self.opened()
        self.read, self.batches = self.done, []

    def tear(self) -> None:
        self.spool.close()
        segments = sorted(self.folder.glob("*.jsonl"))
        torn = self.choose.choice([b"{", b"\0" * 9, b"a\0\nb", b"\0\n", b"x" * 300])
        if segments:
            with segments[-1].open("ab") as segment:
                segment.write(torn)
        before = len(self.damage)
        self.spool = self.opened()
        assert [each.size for each in self.damage[before:]] == (
            [len(torn)] if segments else []
        )
        self.read, self.batches = self.done, []

    def lose_cursor(self) -> None:
        self.spool.close()
        self.choose.choice([saved(Position(77, 7)), bytes_of(b"1 2 3")])(self.folder)
        self.spool = self.opened()
        # From the oldest segment on: somewhere at or before what was done.
        again = read_all(self.spool)
        start = len(self.lines) - len(again)
        assert start <= self.done
        assert again == self.lines[start:]
        self.done = start
        self.rewind()

    def check(self) -> None:
        undone = sum(len(line) + 1 for line in self.lines[self.done :])
        assert self.spool.depth_bytes == undone

    def end(self) -> None:
        self.rewind()
        assert read_all(self.spool) == self.lines[self.done :]


ACTIONS = [
    *[Model.append] * 4,
    *[Model.read_some] * 5,
    *[Model.finish] * 2,
    *[Model.flush] * 2,
    Model.rewind,
    Model.reopen,
    Model.tear,
    Model.lose_cursor,
]


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of syncs cost nothing there."""
    shm = Path("/dev/shm")
    place = shm if os.access(shm, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        yield Path(name)


@settings(max_examples=300)
@given(
    actions=st.lists(st.sampled_from(ACTIONS), min_size=5, max_size=60),
    seed=st.integers(0, 10**6),
)
def test_it_behaves_like_a_list(
    memory: Path, actions: list[Callable[[Model], None]], seed: int
) -> None:
    folder = memory / "spool"
    model = Model(folder, random.Random(seed))
    try:
        for action in actions:
            action(model)
            model.check()
        model.end()
    finally:
        model.spool.close()
        shutil.rmtree(folder)
    assert threading.active_count() < 20
