"""The operations of transport security on a data directory."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from msgspec.structs import replace

from postroad.app.administration import operations
from postroad.app.building import open_house
from postroad.app.node import WallClock
from postroad.config import Settings
from postroad.features.transport import BrokenKeeper, TlsReports, Transport
from postroad.model.clock import DAY, Instant
from postroad.model.errors import Refused, Unavailable
from postroad.pipeline.deliver.policy import Session
from postroad.store import transport
from postroad.store.transport import KeptPolicy
from postroad.wire.tlsrpt import PolicyType, Result


async def test_what_was_counted_and_kept_is_told(tmp_path: Path) -> None:
    plain = Settings()
    house = await open_house(replace(plain, data=replace(plain.data, directory=tmp_path)), dev=True)
    try:
        now = house.clock.now()
        for result in (None, None, Result.CERTIFICATE_EXPIRED):
            house.transport.reports.note(Session("x.test", PolicyType.NONE, (), (), result, host="mx.x.test"))
        house.transport.broken.learn("192.0.2.1", "mx.x.test", "It broke.")
        kept = KeptPolicy("x.test", "1", "enforce", ("mx.x.test",), 9, Instant(now + DAY), Instant(now + DAY), now)
        await house.database.write(lambda connection: transport.save_policy(connection, kept))
        await house.transport.round()
        today = dt.datetime.now(dt.UTC).date().isoformat()
        (report,) = (await operations.find("tls.reports").prepare({"domain": "x.test"})(house))["data"]
        assert report["policies"][0]["summary"] == {
            "total-successful-session-count": 2,
            "total-failure-session-count": 1,
        }
        assert report["report-id"].startswith(today[:4])
        assert (await operations.find("tls.reports").prepare({"day": "2020-01-01"})(house))["data"] == []
        assert await operations.find("tls.report").prepare({"domain": "X.test", "day": today})(house) == report
        with pytest.raises(Refused, match=r"y\.test"):
            await operations.find("tls.report").prepare({"domain": "y.test"})(house)
        (policy,) = (await operations.find("tls.policies").prepare({})(house))["data"]
        assert (policy["domain"], policy["mode"], policy["mx"]) == ("x.test", "enforce", ["mx.x.test"])
        (broken,) = (await operations.find("tls.broken").prepare({})(house))["data"]
        assert (broken["ip"], broken["detail"]) == ("192.0.2.1", "It broke.")
    finally:
        await house.close()


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(Refused, match="day"):
        operations.find("tls.reports").prepare({"day": "yesterday"})


class AbsentStore:
    """A store that is away, and then is there and notes what it is told."""

    def __init__(self) -> None:
        self.away = True
        self.writes = 0

    async def write(self, unit: object) -> None:
        if self.away:
            raise Unavailable("database_unavailable", "The database does not answer.", retry_after_s=1)
        self.writes += 1


async def test_nothing_is_forgotten_while_the_store_is_away() -> None:
    store, clock = AbsentStore(), WallClock()
    reports = TlsReports(store, clock, organization="us.example")
    broken = BrokenKeeper(store, clock)
    reports.note(Session("x.test", PolicyType.NONE, (), (), None))
    broken.learn("192.0.2.1", "mx.x.test", "It broke.")
    kept = Transport(None, broken, reports)
    await kept.round()
    for part in (reports, broken):
        with pytest.raises(Unavailable):
            await part.flush()
    store.away = False
    await kept.round()
    assert store.writes == 2
    await kept.round()
    assert store.writes == 2
