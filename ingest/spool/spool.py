"""The spool as the daemon uses it: append, read, done."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ingest.errors import ExcursionError, UsageError
from ingest.spool import files
from ingest.spool.files import DamagedTail, Position
from ingest.spool.groups import Groups
from ingest.spool.problems import Problems
from ingest.spool.segments import (
    PIECE_BYTES,
    SMALL_PIECE_BYTES,
    SegmentReader,
    SegmentWriter,
    piece_end,
)

# What a killed process may lose is bounded by this, whatever the settings say.
LONGEST_COMMIT_SECONDS = 0.2
RETRY_SECONDS = 1.0
# A disk that hangs must not keep the process from ending.
CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive durable lines, without their newlines.

    ``end``: the position behind the last line, for Spool.done. ``groups``: monotonic
    time of the oldest line of each group commit in it (or of the group of which a part
    lies in it) and the number of its lines here. Lines of an earlier process count
    from the opening of the spool.
    """

    lines: list[bytes]
    end: Position
    groups: list[tuple[float, int]]


class Spool:
    """A queue of lines on disk: many threads append, one reads.

    Lines that were read come again after ``rewind`` or a restart until ``done`` said
    that they are in the database. ``limit_bytes`` bounds what is not done,
    ``buffer_bytes`` what is not yet on disk; both only make ``is_full`` true: who is
    in the middle of a message may still append, and stops receiving then.

    ``on_problem`` is called from the spool's threads with a line for a person when it
    cannot be written, and with None when it can again. ``on_damage`` is called while
    opening. Neither may raise.

    ``damaged_tails`` counts torn ends found at opening, ``appended_lines`` the lines
    appended since.

    Raises UsageError for a commit_seconds that risks more than 0.2 s, ExcursionError
    where the folder is in use or cannot be read and written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int = 4 << 30,
        commit_seconds: float = 0.05,
        segment_bytes: int = 64 << 20,
        buffer_bytes: int = 64 << 20,
        on_problem: Callable[[str | None], None] = lambda problem: None,
        on_damage: Callable[[DamagedTail], None] = lambda damage: None,
    ) -> None:
        if not 0 < commit_seconds <= LONGEST_COMMIT_SECONDS:
            raise UsageError(
                f"the spool's commit interval must be over 0 and at most"
                f" {LONGEST_COMMIT_SECONDS} seconds, not {commit_seconds:g}"
            )
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._buffer_bytes = buffer_bytes
        self._commit_seconds = commit_seconds
        self._problems = Problems(on_problem)
        self.damaged_tails = 0
        self.appended_lines = 0

        # Guards all that follows but the reader's own; never held during I/O.
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # for the commit thread
        self._changed = threading.Condition(self._lock)  # for everyone else
        self._pending: list[bytes] = []
        self._since = 0.0  # of the oldest line in _pending
        self._is_hurried = False
        self._is_closing = False
        self._sizes: dict[int, int] = {}  # durable bytes of each segment, ascending
        self._growing = 1  # the segment that lines are added to; those before are whole
        self._groups = Groups()

        # The reader's: also taken by close(), so that no file is touched after it.
        self._reader_lock = threading.Lock()
        self._reader = SegmentReader(folder)
        self._is_closed = False

        self._open(on_damage)
        # Bytes not done yet when it was opened and since, of these durable, and done.
        left = sum(self._sizes.values()) - self._cursor.offset
        self._appended = self._durable = left
        self._consumed = 0
        self._writer = SegmentWriter(folder, self._last_end(), segment_bytes)
        self._growing = self._writer.end.segment
        self._thread = threading.Thread(
            target=self._commit_forever, name="spool", daemon=True
        )
        self._thread.start()

    def _open(self, on_damage: Callable[[DamagedTail], None]) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_descriptor = files.lock(self._folder)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            opened_at = time.monotonic()
            for number in files.segment_numbers(self._folder):
                self._sizes[number], damage = files.mend(self._folder, number)
                self._groups.add(Position(number, self._sizes[number]), opened_at)
                if damage is not None:
                    self.damaged_tails += 1
                    on_damage(damage)
            cursor = files.load_cursor(self._folder, self._sizes)
            self._cursor = cursor or Position(next(iter(self._sizes), 1), 0)
            self._position = self._cursor
            self._delete_behind(self._cursor)
        except OSError as error:
            os.close(self._lock_descriptor)
            raise self._unusable(error) from None
        except BaseException:
            os.close(self._lock_descriptor)
            raise

    def _unusable(self, error: OSError) -> ExcursionError:
        return ExcursionError(
            f"cannot use the spool {self._folder}: {error.filename or 'its files'}:"
            f" {error.strerror}; it needs a folder that this user may read and write,"
            " on a disk with free space"
        )

    def _last_end(self) -> Position:
        return Position(*next(reversed(self._sizes.items()), (1, 0)))

    def append(self, data: bytes, count: int = 1) -> None:
        """Add whole lines, each ending in a newline; ``count`` is how many.

        Never waits, never raises, does no I/O. After close() the data are lost.
        """
        if not data:
            return
        with self._lock:
            if not self._pending:
                self._since = time.monotonic()
                self._work.notify()
            self._pending.append(data)
            self._appended += len(data)
            self.appended_lines += count

    @property
    def depth_bytes(self) -> int:
        """Received and not yet done, on disk or not."""
        return self._appended - self._consumed

    @property
    def is_full(self) -> bool:
        """Whether to stop receiving: too much is waiting, or the spool is closing."""
        return (
            self._is_closing
            or self._appended - self._consumed >= self._limit_bytes
            or self._appended - self._durable >= self._buffer_bytes
        )

    def wait_for_room(self, stop: threading.Event) -> bool:
        """Wait while it is full; false when stopped or closed instead."""
        while self.is_full:
            with self._lock:
                if stop.is_set() or self._is_closing:
                    return False
                self._changed.wait(0.1)  # stop does not notify
        return not stop.is_set()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended is durable; false after timeout seconds."""
        with self._lock:
            target = self._appended
            self._is_hurried = self._durable < target
            self._work.notify()
            return self._changed.wait_for(lambda: self._durable >= target, timeout)

    def _commit_forever(self) -> None:
        while True:
            with self._lock:
                while not self._pending and not self._is_closing:
                    self._work.wait()
                due = self._since + self._commit_seconds
                while not self._is_hurried and not self._is_closing:
                    left = due - time.monotonic()
                    if left <= 0:
                        break
                    self._work.wait(left)
                pending, since = self._pending, self._since
                self._pending, self._is_hurried = [], False
            if not pending:
                return  # closing, and everything is written
            if not self._commit(b"".join(pending), since):
                return

    def _commit(self, data: bytes, since: float) -> bool:
        """Write lines piece by piece until it works; false when closing came first."""
        start, limit = 0, PIECE_BYTES
        while start < len(data):
            piece = data[start : piece_end(data, start, limit)]
            try:
                end = self._writer.write(piece)
            except Exception as error:  # noqa: BLE001 - nothing may end this thread
                reason = getattr(error, "strerror", None) or repr(error)
                self._problems.report(
                    "write",
                    f"the spool cannot be written: {reason} ({self._folder}); nothing"
                    " is dropped, receiving stops when the buffer is full",
                )
                with self._lock:
                    if self._is_closing:
                        return False
                    self._work.wait_for(
                        lambda: self._is_hurried or self._is_closing, RETRY_SECONDS
                    )
                    self._is_hurried = False
                limit = SMALL_PIECE_BYTES
                continue
            start += len(piece)
            with self._lock:
                self._sizes[end.segment] = end.offset
                self._growing = self._writer.end.segment
                self._groups.add(end, since)
                self._durable += len(piece)
                self._changed.notify_all()
        self._problems.report("write", None)
        return True

    def read(self, max_bytes: int, timeout: float) -> Batch | None:
        """The next durable lines, of max_bytes together or one longer line.

        Waits up to timeout seconds for some; None when there are none or it was
        closed. Raises ExcursionError where a segment cannot be read.
        """
        with self._lock:
            self._changed.wait_for(
                lambda: self._find_unread() or self._is_closing, timeout
            )
            if not self._find_unread():
                return None
        with self._reader_lock:
            if self._is_closed:
                return None
            start = self._position
            with self._lock:
                available = self._sizes[start.segment] - start.offset
            try:
                data = self._reader.read(start, max(1, max_bytes), available)
            except OSError as error:
                self._reader.close()
                path = files.segment_path(self._folder, start.segment)
                raise ExcursionError(
                    f"cannot read the spool's {path}: {error.strerror}; make it"
                    " readable, or move it away and replay it later"
                ) from None
            end = self._position = Position(start.segment, start.offset + len(data))
            with self._lock:
                groups = self._groups.within(start, data)
        return Batch(data[:-1].split(b"\n"), end, groups)

    def _find_unread(self) -> bool:
        """Whether there are unread durable lines; moves on from a finished segment."""
        segment, offset = self._position
        if offset < self._sizes.get(segment, 0):
            return True
        for number, size in self._sizes.items():
            if number > segment and size:
                self._position = Position(number, 0)
                return True
        return False

    def rewind(self) -> None:
        """The next read starts at the first line that is not done."""
        with self._reader_lock, self._lock:
            self._position = self._cursor

    def done(self, end: Position) -> None:
        """Everything before end is in the database: remember it, free the disk.

        Never raises: a cursor that cannot be saved is reported as a problem and saved
        with the next one; until then a restart reads some lines again. After close()
        it does nothing.
        """
        with self._reader_lock:
            if self._is_closed or end <= self._cursor:
                return
            end = self._past_whole(end)
            # First, as room may be what the cursor lacks. Killed between the two, the
            # old cursor points into a deleted segment: that means the oldest there is.
            self._delete_behind(end)
            self._save_cursor(end)
            with self._lock:
                self._cursor = end
                self._position = max(self._position, end)
                self._groups.forget(end)
                # What is in the segments is durable and not done, but for the part
                # of the first one before the cursor.
                stored = sum(self._sizes.values()) - end.offset
                self._consumed = self._durable - stored
                self._changed.notify_all()

    def _past_whole(self, end: Position) -> Position:
        """The next segment's start for the end of one that nothing is added to.

        Else the last one would stay until there is a next one, for which a full disk
        has no room.
        """
        with self._lock:
            is_whole = end.segment < self._growing
            if is_whole and end.offset == self._sizes[end.segment]:
                return Position(end.segment + 1, 0)
        return end

    def _save_cursor(self, end: Position) -> None:
        try:
            files.save_cursor(self._folder, end)
        except OSError as error:
            self._problems.report(
                "cursor",
                f"the spool's cursor cannot be saved: {error.strerror}"
                f" ({self._folder}); after a restart lines are read again",
            )
        else:
            self._problems.report("cursor", None)

    def _delete_behind(self, cursor: Position) -> None:
        self._reader.leave(cursor.segment)
        with self._lock:
            behind = [number for number in self._sizes if number < cursor.segment]
        for number in behind:
            # One that cannot be deleted now is deleted by the next opening.
            with contextlib.suppress(OSError):
                files.segment_path(self._folder, number).unlink()
        with self._lock:
            for number in behind:
                del self._sizes[number]

    def close(self) -> None:
        """Write what can be written, stop, release the folder. Twice is once."""
        with self._lock:
            self._is_closing = True
            self._work.notify_all()
            self._changed.notify_all()
        self._thread.join(CLOSE_SECONDS)
        with self._reader_lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._reader.close()
        lost = self._appended - self._durable
        if lost:
            self._problems.last_words(
                f"the spool was closed with {lost:,} bytes that are not on disk"
            )
        # A thread that still hangs in a write keeps the lock until the process ends.
        if not self._thread.is_alive():
            self._writer.close()
            os.close(self._lock_descriptor)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
