"""The segments of a spool: written durably, read by whole lines."""

from __future__ import annotations

import os
from pathlib import Path

from ingest.spool.files import Position, segment_path, sync_folder

# Written and synced at once.
PIECE_BYTES = 4 << 20
# After an error: a disk with little room takes a part, which can then be read, done
# and deleted to make room for the rest.
SMALL_PIECE_BYTES = 64 << 10


def piece_end(data: bytes, start: int, limit: int) -> int:
    """Where whole lines of at most limit bytes, or one longer line, end."""
    if len(data) - start <= limit:
        return len(data)
    end = data.rfind(b"\n", start, start + limit) + 1
    return end or data.find(b"\n", start + limit) + 1 or len(data)


class SegmentWriter:
    """Adds whole lines behind the durable end of the last segment.

    ``end`` is that durable end, or the start of the next segment: one that is long
    enough is left at once, so that it can be deleted. After an error everything behind
    the end is cut off before the next attempt, so what was half-written is never
    followed by other lines.
    """

    def __init__(self, folder: Path, end: Position, segment_bytes: int) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._descriptor: int | None = None
        self.end = end
        self._leave_full()

    def write(self, data: bytes) -> Position:
        """Write and sync whole lines; returns where they end. Raises OSError."""
        try:
            descriptor = self._descriptor
            if descriptor is None:
                descriptor = self._descriptor = self._open()
            offset = self.end.offset
            rest = memoryview(data)
            while rest:
                written = os.pwrite(descriptor, rest, offset)
                offset += written
                rest = rest[written:]
            os.fdatasync(descriptor)
        except BaseException:
            # A failed sync leaves it open which pages are on disk: only cutting
            # and writing all of it again makes the next sync mean something.
            self.close()
            raise
        end = self.end = Position(self.end.segment, offset)
        self._leave_full()
        return end

    def _leave_full(self) -> None:
        if self.end.offset >= self._segment_bytes:
            self.close()
            self.end = Position(self.end.segment + 1, 0)

    def _open(self) -> int:
        path = segment_path(self._folder, self.end.segment)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, self.end.offset)
            if self.end.offset == 0:
                sync_folder(self._folder)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


class SegmentReader:
    """Reads whole lines; keeps the segment open that was read last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self._segment = 0

    def read(self, start: Position, max_bytes: int, available: int) -> bytes:
        """Lines of max_bytes together, or one longer one, of the available bytes.

        Raises OSError.
        """
        if self._descriptor is None or self._segment != start.segment:
            self.close()
            path = segment_path(self._folder, start.segment)
            self._descriptor = os.open(path, os.O_RDONLY)
            self._segment = start.segment
        size = min(max_bytes, available)
        data = os.pread(self._descriptor, size, start.offset)
        end = data.rfind(b"\n") + 1
        while not end:  # a line longer than max_bytes: it alone
            if len(data) < size or size == available:
                raise OSError(0, "it is shorter than what was written to it")
            size = min(2 * size, available)
            data = os.pread(self._descriptor, size, start.offset)
            end = data.find(b"\n") + 1
        return data[:end]

    def leave(self, segment: int) -> None:
        """Close what is before a segment: an open file keeps its room on the disk."""
        if self._segment < segment:
            self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)
