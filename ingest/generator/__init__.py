"""Seeded recordings of a market that never was: the demo's sample, and any size."""

from ingest.generator.plans import LARGE, MEDIUM, PLANS, SAMPLE, SMALL, Plan
from ingest.generator.recording import generate

__all__ = ["LARGE", "MEDIUM", "PLANS", "SAMPLE", "SMALL", "Plan", "generate"]
