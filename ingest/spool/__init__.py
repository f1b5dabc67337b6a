"""The spool: what was received, on disk, until it is in the database.

A folder of segments ``00000001.jsonl``, ``00000002.jsonl``, … in the recording format,
so ``excursion replay spool/*.jsonl`` works on it. Beside them ``cursor`` (everything
before it is in the database), ``lock`` (one process at a time) and, after a crash,
``torn-<segment>-<offset>``: an unfinished end that was cut off, kept for a person.

Crash model: a process killed at any instruction loses at most what was appended and
not yet committed (``commit_seconds``). Opened again, every committed line is read at
least once and in order, from the cursor on. Lines may be read again, which is
harmless because the writer is idempotent; none is left out.
"""

from ingest.spool.files import DamagedTail, Position
from ingest.spool.spool import Batch, Spool

__all__ = ["Batch", "DamagedTail", "Position", "Spool"]
