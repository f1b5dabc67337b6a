"""Measuring speed and memory: ``make bench``. See docs/benchmarks.md."""
