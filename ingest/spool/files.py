"""The files of a spool folder: lock, segments and their torn ends, cursor."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple

from ingest.errors import ExcursionError

SEGMENT = re.compile(r"(\d{8,})\.jsonl")
CURSOR = re.compile(rb"(\d+) (\d+) ([0-9a-f]{8})\n")
BLOCK_BYTES = 1 << 16


class Position(NamedTuple):
    """A place between two lines: a segment's number and a byte offset in it."""

    segment: int
    offset: int


class DamagedTail(NamedTuple):
    """The unfinished end of a segment that was cut off; ``size`` in bytes.

    ``kept_as`` is the file that holds it now.
    """

    segment: int
    offset: int
    size: int
    kept_as: Path


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:08}.jsonl"


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: files created, renamed and deleted."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(folder: Path) -> int:
    """Take the folder for this process; returns the descriptor that holds the lock.

    The kernel releases it when the process ends, however it ends. Raises
    ExcursionError where another process has it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        process = f"process {holder}" if holder else "another process"
        raise ExcursionError(
            f"the spool {folder} is in use by {process}: stop that one first, or give"
            " this one a spool folder of its own"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    # The process id is for the message above only: a full disk may refuse it.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def segment_numbers(folder: Path) -> list[int]:
    matches = (SEGMENT.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def mend(folder: Path, number: int) -> tuple[int, DamagedTail | None]:
    """Cut off the torn end of a segment; returns its size then and what was cut.

    Torn is what follows the last newline, and lines at the very end that hold NUL
    bytes: after a power loss a file may have grown without its data having arrived.
    (No line of a recording holds a NUL: JSON escapes it.) Raises OSError.
    """
    with segment_path(folder, number).open("r+b") as segment:
        size = segment.seek(0, os.SEEK_END)
        offset = _whole_lines_end(segment.fileno(), size)
        damage = None
        if offset < size:
            tail = os.pread(segment.fileno(), size - offset, offset)
            kept_as = _keep(folder, f"torn-{number:08}-{offset}", tail)
            damage = DamagedTail(number, offset, size - offset, kept_as)
            segment.truncate(offset)
        # What a killed process had written but not synced is delivered too, so it
        # has to be as durable as the rest.
        os.fsync(segment.fileno())
    return offset, damage


def _whole_lines_end(descriptor: int, size: int) -> int:
    end = _line_start(descriptor, size)
    while end > 0:
        start = _line_start(descriptor, end - 1)
        if b"\0" not in os.pread(descriptor, end - start, start):
            break
        end = start
    return end


def _line_start(descriptor: int, end: int) -> int:
    """Where the line starts that a byte at ``end`` would belong to."""
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _keep(folder: Path, name: str, data: bytes) -> Path:
    """Save a torn end under a name that holds nothing else; returns the file."""
    path, copies = folder / name, 1
    # The same bytes, or the first of them, are there when a process was killed between
    # here and the cut.
    while path.exists() and not data.startswith(path.read_bytes()):
        copies += 1
        path = folder / f"{name}-{copies}"
    path.touch(0o600)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
    return path


def load_cursor(folder: Path, sizes: dict[int, int]) -> Position | None:
    """The saved cursor, None where there is none that fits the segments.

    A cursor that does not fit is deleted: once the segments have grown it could seem
    to fit, and lines would be skipped. Raises OSError.
    """
    path = folder / "cursor"
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    cursor = _parse_cursor(text)
    if cursor is not None and 0 <= cursor.offset <= sizes.get(cursor.segment, -1):
        if cursor.offset == 0:
            return cursor
        with segment_path(folder, cursor.segment).open("rb") as segment:
            segment.seek(cursor.offset - 1)
            if segment.read(1) == b"\n":
                return cursor
    path.unlink()
    sync_folder(folder)
    return None


def _parse_cursor(text: bytes) -> Position | None:
    match = CURSOR.fullmatch(text)
    if match is None:
        return None
    cursor = Position(int(match[1]), int(match[2]))
    return cursor if _cursor_text(cursor) == text else None


def _cursor_text(cursor: Position) -> bytes:
    place = b"%d %d" % cursor
    return b"%b %08x\n" % (place, zlib.crc32(place))


def save_cursor(folder: Path, cursor: Position) -> None:
    """Replace the cursor file; killed at any point, the old or the new one is there.

    The folder is not synced: after a power loss the older cursor may be back, and the
    lines between the two are written once more, which changes nothing. Raises OSError.
    """
    path = folder / "cursor.new"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, _cursor_text(cursor))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.rename(folder / "cursor")
