"""TLS reports by mail: the joint between their writer and the road, which they take like any other message."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

from postroad.config import Settings
from postroad.features.accounts import Projects, ensure_default_project
from postroad.features.accounts.bootstrap import DEFAULT_PROJECT
from postroad.features.transport import ReportMailer, Transport
from postroad.features.transport.mailing import Texts
from postroad.model.clock import Clock
from postroad.model.errors import Refused
from postroad.model.ids import KeyId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, Caller, KeyScope, Project
from postroad.pipeline.intake import Draft, Intake
from postroad.store.messages import Idempotency
from postroad.wire.address import Mailbox

_ROUTE: Final = "tls report"


def reporting_of(
    settings: Settings, transport: Transport, *, clock: Clock, texts: Texts, intake: Intake, projects: Projects
) -> ReportMailer | None:
    """Return what sends TLS reports, or None when they are not to be sent."""
    sender = settings.tls.report_from
    if sender is None:
        return None

    async def submit(octets: bytes, recipients: Sequence[Mailbox], key: str) -> None:
        caller = _caller(await _project(projects, settings.tls.report_project))
        draft = Draft(
            sender=sender, to=[mailbox.address for mailbox in recipients], raw=base64.b64encode(octets).decode()
        )
        await intake.accept(caller, draft, Idempotency(_ROUTE, key, hashlib.sha256(key.encode()).digest()))

    return ReportMailer(
        transport.reports,
        clock=clock,
        resolver=texts,
        submit=submit,
        sender=sender,
        submitter=settings.delivery.hostname or "localhost",
    )


async def _project(projects: Projects, name: str) -> Project:
    if name == DEFAULT_PROJECT:
        return await ensure_default_project(projects)
    try:
        return await projects.find(name)
    except Refused as refusal:
        raise Refused(
            "unknown_project", f"tls.report_project names {name!r}, and there is no such project."
        ) from refusal


def _caller(project: Project) -> Caller:
    key = ApiKey(
        id=KeyId("key_tlsrpt"),
        project_id=project.id,
        name="tlsrpt",
        mode=Mode.LIVE,
        scope=KeyScope.SEND,
        created_at=project.created_at,
    )
    return Caller(project=project, key=key, ip="")
