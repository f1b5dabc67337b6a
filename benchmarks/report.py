"""Sections of docs/benchmarks.md."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.server import BenchmarkError


def put(page: Path, name: str, lines: list[str]) -> None:
    """Replace what stands between the page's markers of ``name``.

    Raises BenchmarkError where the page has none.
    """
    begin, end = f"<!-- figures: {name} -->", f"<!-- end: {name} -->"
    text = page.read_text()
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise BenchmarkError(f"{page} has no markers {begin} and {end}")
    section = "\n".join([begin, *lines, end])
    page.write_text(pattern.sub(lambda _: section, text))
