"""The only SQL. Two engines, one set of functions.

`Database` is the door: `write` and `read` run plain synchronous functions over a connection on the store's own threads;
waiting writes share one transaction and one fsync. A store module is a set of such functions, which return values of
`model`. Transactions are the unit of work: what must be true together is written by one function.
`Connection` is here so that a feature can name what it hands from one function of the store to the next.
"""

from sqlalchemy.engine import Connection

__all__ = ["Connection"]
