"""What the suites share: a real Postgres, dbt, recordings, and a reference to beat."""
