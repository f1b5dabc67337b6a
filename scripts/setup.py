"""Make ``.venv``: what is locked in requirements.lock, and this project, editable.

Run by ``make setup`` and by every target that needs it; does nothing, in a few
hundredths of a second, when nothing changed. Standard library only, and readable by
Pythons too old for the project, so that those get a sentence and not a traceback.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "setup.stamp"
LOG = ROOT / ".excursion" / "setup.log"

#: Lines of a failed step's output to show; all of it is in LOG.
SHOWN_ON_FAILURE = 15


class SetupError(Exception):
    """The message is what the user reads."""


def main() -> int:
    """Set up, and return the exit status."""
    try:
        check_python()
        LOG.parent.mkdir(exist_ok=True)
        with (LOG.parent / "setup.lock").open("a") as lock:
            # A second set-up at the same time waits, then finds nothing to do.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_current():
                set_up()
    except (SetupError, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def check_python() -> None:
    """Check that this Python can make the environment."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Python {version} is too old: excursion needs 3.11 or newer; name one "
            "with `make setup PYTHON=python3.12`"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise SetupError(
            f"this Python cannot make virtual environments: install the package {name} "
            f"(Debian, Ubuntu: `apt install {name}`)"
        ) from None


def fingerprint() -> str:
    """Everything that the environment was made from, on two lines."""
    digest = hashlib.sha256()
    for name in ("requirements.lock", "pyproject.toml", "scripts/setup.py"):
        digest.update((ROOT / name).read_bytes())
    # An environment holds its own path and works at no other.
    return f"{digest.hexdigest()} {VENV}\n{sys.version}\n"


def is_current() -> bool:
    """Whether the environment was made from what is here now, and is still there."""
    try:
        return PYTHON.exists() and STAMP.read_text() == fingerprint()
    except FileNotFoundError:
        return False


def set_up() -> None:
    """Make or update the environment, one line of output per step."""
    began = time.monotonic()
    LOG.write_text("")
    STAMP.unlink(missing_ok=True)
    if not is_reusable():
        # In a child: `venv` run here would inherit nothing wrong, but would tie the
        # environment to this script's own process and its options.
        step("create .venv", sys.executable, "-m", "venv", "--clear", VENV)
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check")
    step("upgrade pip", *pip, "install", "--upgrade", "pip")
    step("install requirements.lock", *pip, "install", "-r", ROOT / "requirements.lock")
    # Its dependencies and its build tools are in the lock: nothing else is fetched.
    editable = ("--no-deps", "--no-build-isolation", "--editable", ROOT)
    step("install excursion", *pip, "install", *editable)
    STAMP.write_text(fingerprint())
    print(f"setup: done in {time.monotonic() - began:.0f} s", flush=True)


def is_reusable() -> bool:
    """Whether .venv is a whole environment, of this Python and at this path."""
    probe = "import pip, sys; print(sys.prefix); print(sys.version)"
    try:
        found = subprocess.run(
            [PYTHON, "-c", probe], capture_output=True, text=True, env=environment()
        )
        activate = (VENV / "bin" / "activate").read_text()
    except OSError:
        return False
    # sys.prefix follows a folder that was moved; the scripts inside do not.
    return found.stdout == f"{VENV}\n{sys.version}\n" and str(VENV) in activate


def step(label: str, *command: str | Path) -> None:
    """Run one step, its output in the log.

    Raises:
        SetupError: It failed; the message ends with the last lines of its output.
    """
    print(f"setup: {label} ...", end=" ", flush=True)
    began = time.monotonic()
    with LOG.open("a+") as log:
        log.write(f"== {label}\n")
        log.flush()
        written = log.tell()
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        print(f"{time.monotonic() - began:.1f} s", flush=True)
        if done.returncode:
            log.seek(written)
            lines = log.read().splitlines()[-SHOWN_ON_FAILURE:]
            raise SetupError("\n".join([f"{label} failed; the end of {LOG}:", *lines]))


def environment() -> dict[str, str]:
    """The environment without what would make pip install elsewhere or half."""
    kept = dict(os.environ)
    # Without .pyc files every start of dbt takes 1.5 s longer, of Dagster 10 s.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "PIP_TARGET"):
        kept.pop(name, None)
    kept.update(PIP_USER="0", PIP_ROOT_USER_ACTION="ignore", PIP_NO_INPUT="1")
    return kept


if __name__ == "__main__":
    sys.exit(main())
