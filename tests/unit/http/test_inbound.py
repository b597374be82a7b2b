"""Mail that came back, over the API: each project sees what is about its own messages."""

import pytest

from postroad.model.clock import Instant
from postroad.model.ids import DeliveryId, InboundId, MessageId, ProjectId, mint
from postroad.model.late import Effect, NewMail, Proof, Taken
from postroad.store import inbound

NAMES = [InboundId(mint("inb", Instant(1_800_000_000_000_000), bytes([number] * 10))) for number in range(3)]


@pytest.fixture
async def arrived(house):
    """Two mails about the project's messages, one that is about nobody's."""

    def write(connection):
        for number in range(3):
            name = NAMES[number]
            mail = NewMail(
                id=name,
                at=Instant(1_800_000_000_000_000),
                sender="",
                recipient="b+x@bounces.test",
                ip="192.0.2.1",
                hello="mx.test",
                tls=None,
                size=99,
                raw=b"Subject: caf\xe9\r\n\r\n<script>",
                token=None,
            )
            inbound.keep(connection, [mail])
            if number:
                told = (ProjectId(house.project.id), MessageId("msg_1"), DeliveryId("dlv_1"))
                outcome = inbound.Outcome(Taken.BOUNCE, Effect.TOLD, Proof.RETURN_PATH, *told)
                inbound.finish(connection, name, outcome)

    await house.services.database.write(write)


async def test_mail_about_a_project_is_listed_newest_first(house, arrived):
    async with house.client() as client:
        page = (await client.get("/v1/inbound?limit=1")).json()
        assert [mail["id"] for mail in page["data"]] == [NAMES[2]]
        rest = (await client.get(f"/v1/inbound?after={page['next']}")).json()
        assert ([mail["id"] for mail in rest["data"]], rest["next"]) == ([NAMES[1]], None)
        shown = (await client.get(f"/v1/inbound/{NAMES[1]}")).json()
        assert (shown["taken_for"], shown["effect"], shown["proof"]) == ("bounce", "told", "return_path")


async def test_its_octets_are_given_as_they_came_and_never_run(house, arrived):
    async with house.client() as client:
        answer = await client.get(f"/v1/inbound/{NAMES[1]}/raw")
    assert answer.content == b"Subject: caf\xe9\r\n\r\n<script>"
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize("path", [f"/v1/inbound/{NAMES[1]}", f"/v1/inbound/{NAMES[1]}/raw", f"/v1/inbound/{NAMES[0]}"])
async def test_another_project_s_mail_does_not_exist(house, arrived, path):
    async with house.client(await house.another_project("other")) as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.get("/v1/inbound")).json()["data"] == []
