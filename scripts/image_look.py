"""Run by the image's own Python: tells, as JSON, what is in the image."""

from __future__ import annotations

import json
import os
import shutil
from importlib import metadata
from pathlib import Path

#: What builds things, and what belongs to other images.
TOOLS = "cc gcc g++ clang make ld rustc cargo go git curl dbt dagster excursion".split()
CACHES = ("/.cache", "/root/.cache", "/var/lib/excursion/.cache", "/build")
FOLDERS = ("/", "/etc", "/usr", "/opt/app", "/opt/venv", "/var/lib/excursion", "/tmp")


def is_compiled(source: Path) -> bool:
    name = f"{source.stem}.cpython-311.pyc"
    return (source.parent / "__pycache__" / name).exists()


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
            "tools": [tool for tool in TOOLS if shutil.which(tool)],
            "caches": [path for path in CACHES if Path(path).exists()],
            "uncompiled": [str(path) for path in sources if not is_compiled(path)],
            "writable": [folder for folder in FOLDERS if is_writable(folder)],
            "pip_settings": Path("/etc/pip.conf").read_text(),
            "environment": dict(os.environ),
        }
    )
)
