"""What Postroad does around the pipeline: accounts, senders, suppressions, webhooks and more.

A feature is a package of one or a few services, built by the composition root over the store and called by the doors.
Features stand in an order (see `.importlinter`) and import only from those below them.
"""
