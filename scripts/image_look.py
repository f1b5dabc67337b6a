"""Run by the image's own Python: tells, as JSON, what is in the image."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

#: What builds things, and what belongs to other images.
TOOLS = ("cc", "gcc", "g++", "clang", "make", "ld", "rustc", "go", "git", "curl")
OTHERS = ("dbt", "dagster", "excursion")

#: What to try to write to.
FOLDERS = ("/", "/etc", "/usr", "/opt/app", "/opt/venv", "/var/lib/excursion")


def is_compiled(source: Path) -> bool:
    """Whether it has a .pyc that is taken without a look at the source's time."""
    compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"
    return compiled.exists() and compiled.read_bytes()[4:8] == b"\1\0\0\0"


def is_writable(folder: str) -> bool:
    try:
        Path(folder, "probe").write_text("")
    except OSError:
        return False
    Path(folder, "probe").unlink()
    return True


stdlib = Path(json.__file__).parent.parent
sources = [
    *Path("/opt/app").rglob("*.py"),
    *Path("/opt/venv/lib").rglob("*.py"),
    *stdlib.glob("*.py"),
]
print(
    json.dumps(
        {
            "user": [os.getuid(), os.getgid()],
            "packages": {d.name: d.version for d in metadata.distributions()},
            "tools": [tool for tool in TOOLS + OTHERS if shutil.which(tool)],
            "uncompiled": [str(path) for path in sources if not is_compiled(path)],
            "writable": [
                folder
                for folder in (*FOLDERS, tempfile.gettempdir())
                if is_writable(folder)
            ],
            "pip_settings": Path("/etc/pip.conf").read_text(),
            "environment": dict(os.environ),
        }
    )
)
