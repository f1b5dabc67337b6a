"""What the figures were measured on, read from the system."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812


def description(connection: Connection) -> str:
    """One line: how much machine, which versions, when, and who else was busy."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    with connection.cursor() as cursor:
        cursor.execute("show server_version")
        row = cursor.fetchone()
    connection.rollback()
    server = row[0] if row else "unknown"
    today = datetime.now(UTC).date().isoformat()
    return (
        f"{today}, {platform.system()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"PostgreSQL {server}, Python {platform.python_version()}, load average"
        f" before the start {os.getloadavg()[0]:.1f}"
    )


def proportional_memory(root: int) -> int:
    """Memory of a process and all below it, in bytes: pages in use, each counted once.

    The sum of the proportional set sizes; a process that ends meanwhile counts 0.
    """
    total, processes = 0, [root]
    while processes:
        process = Path(f"/proc/{processes.pop()}")
        try:
            for line in (process / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
            children = (process / f"task/{process.name}/children").read_text()
        except OSError:
            continue
        processes += map(int, children.split())
    return total


def cpu_seconds(root: int) -> float:
    """Processor time of a process, of its children and of those that ended."""
    ticks, processes = 0, [root]
    while processes:
        process = Path(f"/proc/{processes.pop()}")
        try:
            numbers = (process / "stat").read_text().rpartition(")")[2].split()
            # utime, stime; of the root also of children that it has waited for.
            ticks += sum(
                map(int, numbers[11 : 15 if process.name == str(root) else 13])
            )
            children = (process / f"task/{process.name}/children").read_text()
        except OSError:
            continue
        processes += map(int, children.split())
    return ticks / os.sysconf("SC_CLK_TCK")
