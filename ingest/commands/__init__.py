"""The commands of ``excursion``, one module for each family; ``ingest.cli`` lists them.

A command imports what it needs when it runs: completion loads the modules.
"""
