"""SQL kept in files of its own, one statement or migration a file."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """The text of ``ingest/sql/<name>.sql``."""
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
