"""Fixtures every test may ask for; nothing is started before a test asks."""

from peers.fixtures import dns, exchange, postgres, postgres_url, receiver, shared_dns, sink

__all__ = ["dns", "exchange", "postgres", "postgres_url", "receiver", "shared_dns", "sink"]
