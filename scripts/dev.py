"""Start Dagster's web interface and its schedules on this machine: ``make dev``.

Makes what they need first: the database, its raw tables, a place for Dagster to keep
its runs, dbt's manifest. Arguments go to ``dagster dev``, so that ``--port 3001`` is
another port.
"""

from __future__ import annotations

import os
import shutil
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
from orchestration import manifest  # noqa: E402


def main(arguments: list[str]) -> int:
    """Prepare, then become ``dagster dev``; returns only where the first fails."""
    os.chdir(ROOT)
    try:
        settings = config.load()
        if settings.source is config.Source.EMBEDDED:
            embedded.start(settings)
        migrate(connect(settings))
        say(f"database: {settings.database}")
        say(f"Dagster's runs: {dagster_home(settings)}")
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
    os.execv(sys.executable, [*command, *arguments])  # noqa: S606


def dagster_home(settings: config.Settings) -> Path:
    """Where Dagster keeps its runs and settings, made and told to Dagster."""
    given = os.environ.get("DAGSTER_HOME")
    home = Path(given).absolute() if given else settings.state_dir / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(ROOT / "orchestration" / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def say(line: str) -> None:
    """Print at once: the process is about to become another program."""
    print(f"dev: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
