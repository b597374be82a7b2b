"""Real servers on loopback for the tests, the bench and the fault experiments.

Every peer is a context manager that picks free ports, works in a directory of its own, binds only to loopback, returns
when the server answers, and on leaving stops exactly the process it started and removes what it wrote. A peer whose
program is not installed raises `PartMissing`; `peers.fixtures` turns that into a skip, or a failure in CI.

* `postgres`: a private PostgreSQL cluster, a fresh database per test, restarts and immediate stops.
* `postfix`: Postfix as a receiving MX whose mail can be read back, and as a relay to measure against.
* `dns`: unbound answering a list of records, which may change while it runs.
* `mta`: a recording SMTP sink: a ledger of what it accepted, and scripted misbehaviour.
* `http`: a receiver of webhooks with scripted answers.
* `postroad`: our own server as a process.

`packages.txt` lists the Debian packages the peers come from.
"""
