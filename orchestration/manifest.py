"""dbt's manifest: what Dagster learns the assets from, made again when out of date.

Nothing here imports Dagster, so that a script can have the manifest ready before it
starts Dagster.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ingest.errors import ExcursionError

#: The checkout, which is also the dbt project.
ROOT = Path(__file__).resolve().parents[1]

#: Everything that `dbt parse` reads.
INPUTS = ("dbt_project.yml", "profiles.yml", "macros", "models", "seeds", "tests/dbt")


class ManifestError(ExcursionError):
    """There is no manifest, or dbt could not make one."""


def target_path() -> Path:
    """Where dbt leaves its files, by dbt's own rule: ``DBT_TARGET_PATH``."""
    return ROOT / (os.environ.get("DBT_TARGET_PATH") or "target")


def manifest_path() -> Path:
    return target_path() / "manifest.json"


def dbt_executable() -> str:
    """The dbt beside this Python, whether or not its environment is activated."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    found = shutil.which("dbt", path=path)
    if found is None:
        raise ManifestError(
            "dbt is not installed beside this Python: install excursion[warehouse]"
        )
    return found


def require() -> None:
    """Raise ManifestError where there is no manifest."""
    if not manifest_path().exists():
        raise ManifestError(
            f"{manifest_path()} is missing: run `dbt parse` first (`make dev` does)"
        )


def prepare() -> bool:
    """Make the manifest where it is missing or older than what it was made from.

    Any number of processes may call this at once; one of them parses.

    Returns:
        Whether it had to be made.

    Raises:
        ManifestError: dbt refuses the project; the message is dbt's.
    """
    if not is_stale():
        return False
    target_path().mkdir(parents=True, exist_ok=True)
    with (target_path() / "manifest.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_stale():
            return False
        _parse()
    return True


def is_stale() -> bool:
    """Whether a file was changed, added or removed since the manifest was made."""
    try:
        made = manifest_path().stat().st_mtime_ns
    except FileNotFoundError:
        return True
    return any(path.stat().st_mtime_ns > made for path in _inputs())


def _inputs() -> Iterator[Path]:
    for name in INPUTS:
        path = ROOT / name
        if path.exists():
            yield path
            # Folders too: theirs is the time of the last removal.
            yield from path.rglob("*")


def _parse() -> None:
    command = [dbt_executable(), "--quiet", "--no-use-colors", "parse"]
    folders = {
        "DBT_PROJECT_DIR": str(ROOT),
        "DBT_PROFILES_DIR": str(ROOT),
        "DBT_TARGET_PATH": str(target_path()),
        "DBT_LOG_PATH": str(target_path()),
    }
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **folders},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode or not manifest_path().exists():
        raise ManifestError(f"dbt cannot parse the project:\n{done.stdout.strip()}")
    # dbt leaves the file alone when nothing in it changed, and it would stay stale.
    manifest_path().touch()
