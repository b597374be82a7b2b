"""The store's history, forward only: each file in `versions` is one step, and none is changed once released."""

HEAD = "0001"
"""The newest step; a store that says so needs nothing, and Alembic is not even loaded."""
