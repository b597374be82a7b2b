"""Submission: what is handed over by SMTP becomes a message of the right project, or is refused in SMTP's words."""

import base64

import msgspec
import pytest

from postroad.model.errors import Refused, Unavailable
from postroad.model.ids import KeyId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, Caller, KeyScope, Project
from postroad.smtpd.submission import Submission
from postroad.store.messages import Answer
from postroad.wire.smtp.server import Server
from postroad.wire.smtp.server_settings import ServerSettings
from stores import START

SETTINGS = ServerSettings(name="mx.test", login=True, login_in_plaintext=True, message_octets=10_000, recipients=10)


def caller(name):
    project = Project(id=f"prj_{name}", name=name, created_at=START)
    key = ApiKey(
        id=KeyId("key_1"), project_id=project.id, name="k", mode=Mode.LIVE, scope=KeyScope.SEND, created_at=START
    )
    return Caller(project=project, key=key, ip="")


class Intake:
    """Keeps what it is given, or raises what a test wants."""

    def __init__(self):
        self.error = None
        self.taken = []

    async def accept_mail(self, caller, octets, recipients):
        if self.error is not None:
            raise self.error
        self.taken.append((caller.project.name, octets, [mailbox.address for mailbox in recipients]))
        return Answer(202, msgspec.json.encode({"id": f"msg_{len(self.taken)}", "deliveries": []}))


class Talk:
    """A conversation with a session and its machine, without a network."""

    def __init__(self):
        self.intake = Intake()
        self.asked = []
        self.machine = Server(SETTINGS)
        self.session = Submission(intake=self.intake, default=self.default, authenticate=self.check, ip="192.0.2.7")
        self.machine.outgoing()

    async def default(self):
        return caller("default")

    async def check(self, secret, ip):
        self.asked.append((secret, ip))
        if secret != "pr_live_good":
            raise Refused("unauthorized", "No.")
        return caller("mine")

    async def say(self, text):
        """Return the codes of the final lines of the replies."""
        waiting = self.machine.receive(text.encode())
        while waiting:
            waiting += await self.session.answer(self.machine, waiting.pop(0))
        lines = self.machine.outgoing().decode().splitlines()
        return [line for line in lines if line[3] == " "]


@pytest.fixture
async def talk():
    made = Talk()
    await made.say("EHLO us.test\r\n")
    return made


async def test_mail_of_somebody_without_a_login_goes_to_the_default_project(talk):
    replies = await talk.say(
        "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nRCPT TO:<e@f.test>\r\nDATA\r\nSubject: Hi\r\n\r\n..\r\n.\r\n"
    )
    assert [reply[:3] for reply in replies] == ["250", "250", "250", "354", "250"]
    assert replies[-1] == "250 2.0.0 Queued as msg_1"
    assert talk.intake.taken == [("default", b"Subject: Hi\r\n\r\n.\r\n", ["c@d.test", "e@f.test"])]


async def test_nothing_of_one_message_is_left_in_the_next(talk):
    await talk.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nOne\r\n.\r\n")
    await talk.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<dropped@d.test>\r\nRSET\r\n")
    await talk.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<also@d.test>\r\nEHLO again\r\n")
    await talk.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<e@f.test>\r\nDATA\r\nTwo\r\n.\r\n")
    assert [(octets, to) for _, octets, to in talk.intake.taken] == [
        (b"One\r\n", ["c@d.test"]),
        (b"Two\r\n", ["e@f.test"]),
    ]


def plain(password):
    return base64.b64encode(f"\0anybody\0{password}".encode()).decode()


async def test_an_api_key_as_password_sends_as_its_project(talk):
    (reply,) = await talk.say(f"AUTH PLAIN {plain('pr_live_good')}\r\n")
    assert reply.startswith("235 ")
    assert talk.asked == [("pr_live_good", "192.0.2.7")]
    await talk.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nHi\r\n.\r\n")
    assert talk.intake.taken[0][0] == "mine"


async def test_an_api_key_that_is_wrong_is_refused(talk):
    (reply,) = await talk.say(f"AUTH PLAIN {plain('pr_live_bad')}\r\n")
    assert reply.startswith("535 5.7.8")


async def test_an_applications_old_password_sends_to_the_default_project(talk):
    (reply,) = await talk.say(f"AUTH PLAIN {plain('secret')}\r\n")
    assert reply.startswith("235 ")
    assert talk.asked == []
    await talk.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nHi\r\n.\r\n")
    assert talk.intake.taken[0][0] == "default"


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (Refused("domain_not_verified", "The domain is not verified."), "554 5.6.0 The domain is not verified."),
        (Unavailable("low_disk", "The disk is full.", retry_after_s=60), "451 4.3.0 The disk is full."),
        (Refused("invalid_raw", "Bad\r\n250 ok"), "554 5.6.0 Bad??250 ok"),
    ],
)
async def test_what_the_intake_refuses_is_refused_for_good_or_for_now(talk, error, reply):
    talk.intake.error = error
    replies = await talk.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nHi\r\n.\r\n")
    assert replies[-1] == reply
    talk.intake.error = None
    replies = await talk.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nHi\r\n.\r\n")
    assert replies[-1].startswith("250 ")
