"""One module per raw table: how its facts are decided on and written in a batch.

Each takes the cursor of the writer's transaction, reads what is stored of the facts at
hand, decides in memory, and writes with few statements. The writer's lock is held,
so nothing else writes in between.
"""
