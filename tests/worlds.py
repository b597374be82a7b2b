"""A DNS that says what a test wants."""

from __future__ import annotations

from dataclasses import dataclass, field

from postroad.features.senders import Found

SILENCE = Found(known=False, trouble="DNS did not answer in time.")


@dataclass(slots=True)
class PaperDns:
    """Records on paper: `(name, type) -> values`; names in `silent` get no answer."""

    records: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def publish(self, name: str, kind: str, *values: str) -> None:
        self.records[name, kind] = values

    def withdraw(self, name: str, kind: str) -> None:
        self.records.pop((name, kind), None)

    async def texts(self, name: str) -> Found:
        return self._say(name, "TXT")

    async def alias(self, name: str) -> Found:
        return self._say(name, "CNAME")

    async def exchanges(self, name: str) -> Found:
        return self._say(name, "MX")

    async def addresses(self, host: str) -> Found:
        return self._say(host, "A")

    async def names(self, address: str) -> Found:
        return self._say(address, "PTR")

    def _say(self, name: str, kind: str) -> Found:
        self.asked.append((name, kind))
        if name in self.silent:
            return SILENCE
        return Found(self.records.get((name, kind), ()))
