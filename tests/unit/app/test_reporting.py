"""TLS reports by mail."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from postroad.app.building import open_house
from postroad.app.house import House
from postroad.app.reporting import reporting_of
from postroad.config import Settings
from postroad.features.transport import ReportMailer
from postroad.model.attempt import Trouble
from postroad.model.errors import Refused
from postroad.pipeline.deliver.policy import Session
from postroad.pipeline.deliver.resolve import DnsTrouble
from postroad.wire.tlsrpt import PolicyType, Result

WANTED = "v=TLSRPTv1; rua=mailto:tls@{domain}"


class PaperTexts:
    """TXT records on paper; who has none is no domain."""

    def __init__(self) -> None:
        self.records: dict[str, tuple[str, ...] | DnsTrouble] = {}

    async def texts(self, name: str) -> tuple[str, ...] | DnsTrouble:
        return self.records.get(name, DnsTrouble(Trouble.NO_SUCH_DOMAIN, "There is no such domain."))

    def ask_for_reports(self, *domains: str) -> None:
        for domain in domains:
            self.records[f"_smtp._tls.{domain}"] = (WANTED.format(domain=domain),)


@pytest.fixture
def texts() -> PaperTexts:
    return PaperTexts()


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    plain = Settings()
    settings = replace(
        plain,
        data=replace(plain.data, directory=tmp_path),
        tls=replace(plain.tls, report_from="tls@us.example"),
        testing=replace(plain.testing, movable_clock=True),
        domains=replace(plain.domains, require_verified=False),
    )
    opened = await open_house(settings, dev=True)
    yield opened
    await opened.close()


def mailer(house: House, texts: PaperTexts, settings: Settings | None = None) -> ReportMailer:
    """Return what a server that was started now would send with."""
    made = reporting_of(
        settings or house.settings,
        house.transport,
        clock=house.clock,
        texts=texts,
        intake=house.intake,
        projects=house.projects,
    )
    assert made is not None
    return made


def note(house: House, *domains: str) -> None:
    for domain in domains:
        house.transport.reports.note(Session(domain, PolicyType.NONE, (), (), Result.STARTTLS_NOT_SUPPORTED))


async def day_later(house: House) -> None:
    """Let it become one in the morning of the next day."""
    now = dt.datetime.fromtimestamp(house.clock.now() / 1_000_000, dt.UTC)
    morning = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(1), dt.UTC)
    house.clock.ahead += int((morning - now).total_seconds() * 1_000_000)


async def sent(house: House) -> list[tuple[str, str]]:
    """Return recipient and subject of all mail that was taken in."""
    rows = await house.database.read(
        lambda c: c.exec_driver_sql(
            "SELECT d.recipient, m.subject FROM deliveries d JOIN messages m ON m.id = d.message_id ORDER BY 1"
        ).all()
    )
    return [(row[0], row[1]) for row in rows]


async def test_each_domain_that_asks_gets_the_report_of_yesterday_once(house: House, texts: PaperTexts) -> None:
    texts.ask_for_reports("x.test", "y.test")
    texts.records["_smtp._tls.z.test"] = ()
    note(house, "x.test", "y.test", "z.test", "none.test")
    ours = mailer(house, texts)
    assert await ours.round() == 0
    await day_later(house)
    assert await ours.round() == 2
    assert await ours.round() == 0
    await mailer(house, texts).round()
    found = await sent(house)
    assert [recipient for recipient, _ in found] == ["tls@x.test", "tls@y.test"]
    assert found[0][1].startswith("Report Domain: x.test Submitter: localhost Report-ID: <")


async def test_a_domain_whose_dns_is_silent_is_asked_again(house: House, texts: PaperTexts) -> None:
    texts.records["_smtp._tls.x.test"] = DnsTrouble(Trouble.DNS_TIMEOUT, "No answer.")
    note(house, "x.test")
    await day_later(house)
    ours = mailer(house, texts)
    assert await ours.round() == 0
    texts.ask_for_reports("x.test")
    assert await ours.round() == 1


async def test_what_is_no_mailbox_gets_no_report_and_few_get_the_rest(house: House, texts: PaperTexts) -> None:
    urls = ["mailto:nobody", *[f"mailto:a{n}@x.test" for n in range(9)]]
    texts.records["_smtp._tls.x.test"] = (f"v=TLSRPTv1; rua={','.join(urls)}",)
    note(house, "x.test")
    await day_later(house)
    assert await mailer(house, texts).round() == 1
    assert [recipient for recipient, _ in await sent(house)] == [f"a{n}@x.test" for n in range(5)]


async def test_one_report_that_cannot_be_sent_keeps_back_no_other(house: House, texts: PaperTexts) -> None:
    long = ".".join(["a" * 60] * 20) + ".test"
    texts.ask_for_reports("x.test")
    texts.records[f"_smtp._tls.{long}"] = ("v=TLSRPTv1; rua=mailto:tls@x.test",)
    note(house, long, "x.test")
    await day_later(house)
    ours = mailer(house, texts)
    assert await ours.round() == 1
    assert await ours.round() == 0


async def test_what_every_report_would_meet_stops_the_round_until_it_is_put_right(
    house: House, texts: PaperTexts
) -> None:
    texts.ask_for_reports("x.test")
    note(house, "x.test")
    await day_later(house)
    elsewhere = replace(house.settings, tls=replace(house.settings.tls, report_project="post"))
    ours = mailer(house, texts, elsewhere)
    assert await ours.round() == 0
    await house.projects.create("post", actor="test")
    assert await ours.round() == 1


async def test_nothing_is_sent_unless_an_address_is_set(house: House, texts: PaperTexts) -> None:
    parts = {"clock": house.clock, "texts": texts, "intake": house.intake, "projects": house.projects}
    silent = replace(house.settings, tls=replace(house.settings.tls, report_from=None))
    assert reporting_of(silent, house.transport, **parts) is None
    wrong = replace(house.settings, tls=replace(house.settings.tls, report_from="a@b..example"))
    with pytest.raises(Refused, match="report_from"):
        reporting_of(wrong, house.transport, **parts)
