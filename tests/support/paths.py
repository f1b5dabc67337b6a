"""Where things are, relative to the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Recordings and expected results beside the checkout, which it does not hold itself.
SHARED = ROOT.parent / "shared"

#: The recording that the checkout holds.
SAMPLE = ROOT / "sample" / "session.jsonl.gz"
