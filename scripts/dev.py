"""Start Dagster's web interface and its schedules on this machine: ``make dev``.

Makes what they need first: the database, its raw tables, a place for Dagster to keep
its runs, dbt's manifest. Arguments go to ``dagster dev``, so that ``--port 3001`` is
another port.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ingest import config, embedded  # noqa: E402
from ingest.database import connect  # noqa: E402
from ingest.errors import ExcursionError  # noqa: E402
from ingest.migrate import migrate  # noqa: E402
from orchestration import manifest, settings  # noqa: E402
from orchestration.executors import executor  # noqa: E402
from orchestration.settings import POSTGRES_VARIABLE  # noqa: E402

IN_POSTGRES = f"""
# Because {POSTGRES_VARIABLE} is set; gone again when it is not.
storage:
  postgres:
    postgres_url:
      env: {POSTGRES_VARIABLE}
"""


def main(arguments: list[str]) -> int:
    """Prepare, then become ``dagster dev``; returns only where the first fails."""
    os.chdir(ROOT)
    try:
        settings.min_coverage_pct()
        settings.keep_days()
        settings.require_storage()
        executor()
        found = config.load()
        if found.source is config.Source.EMBEDDED:
            embedded.start(found)
        migrate(connect(found))
        say(f"database: {found.database}")
        home = dagster_home(found)
        claim(home)
        write_settings(home)
        say(f"Dagster's runs: {home}")
        if manifest.prepare():
            say("dbt: read the project")
    except (ExcursionError, OSError) as error:
        print(f"dev: {error}", file=sys.stderr)
        return error.exit_status if isinstance(error, ExcursionError) else 1
    except KeyboardInterrupt:
        return 130
    return become_dagster(arguments)


def become_dagster(arguments: list[str]) -> NoReturn:
    """Replace this process, so that signals to it reach Dagster."""
    # A shell starts what it puts in the background deaf to Ctrl-C, which is also how
    # Dagster tells its children to stop.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # It recommends `dg dev`, which wants another layout of the project.
    quiet = ["-W", "ignore:Function `dev_command` is superseded"]
    command = [sys.executable, *quiet, "-m", "dagster", "dev", "--host", "127.0.0.1"]
    project = ["-m", "orchestration.definitions", "-d", str(ROOT)]
    # It would warn of settings in the checkout that are not those of DAGSTER_HOME.
    os.chdir(os.environ["DAGSTER_HOME"])
    os.execv(sys.executable, [*command, *project, *arguments])  # noqa: S606


def dagster_home(settings: config.Settings) -> Path:
    """Where Dagster keeps its runs and settings, made and told to Dagster."""
    given = os.environ.get("DAGSTER_HOME")
    home = Path(given).absolute() if given else settings.state_dir / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def claim(home: Path) -> None:
    """Hold the folder for as long as this process lives, as Dagster too.

    Two would both launch every night. Raises ExcursionError where another one holds it.
    """
    lock = os.open(home / "dev.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ExcursionError(
            f"Dagster runs on {home} already: end that make dev, or set DAGSTER_HOME to"
            " another folder"
        ) from None
    os.set_inheritable(lock, True)


def write_settings(home: Path) -> None:
    """Those of the checkout where there are none; storage as the environment says."""
    settings_file = home / "dagster.yaml"
    if settings_file.exists():
        text = settings_file.read_text("utf-8").replace(IN_POSTGRES, "")
    else:
        # Without the last paragraph: storage is where DAGSTER_HOME is.
        text = (ROOT / "dagster.yaml").read_text("utf-8").rpartition("\n#")[0]
    if os.environ.get(POSTGRES_VARIABLE):
        text += IN_POSTGRES
    settings_file.write_text(text, "utf-8")


def say(line: str) -> None:
    """Print at once: the process is about to become another program."""
    print(f"dev: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
