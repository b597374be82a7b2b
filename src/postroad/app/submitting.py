"""The SMTP listener of `postroad dev`: what any application on this machine hands over goes to the default project."""

from postroad.app.house import House
from postroad.features.accounts import ensure_default_project
from postroad.model.ids import KeyId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, Caller, KeyScope
from postroad.smtpd.listener import Listener
from postroad.smtpd.submission import Submission
from postroad.wire.smtp.server_settings import ServerSettings


def submission(house: House) -> Listener:
    """Return the listener of a house."""

    async def default() -> Caller:
        project = await ensure_default_project(house.projects)
        key = ApiKey(
            id=KeyId("key_smtp"),
            project_id=project.id,
            name="smtp",
            mode=Mode.LIVE,
            scope=KeyScope.SEND,
            created_at=project.created_at,
        )
        return Caller(project=project, key=key, ip="")

    def session(ip: str) -> Submission:
        return Submission(intake=house.intake, default=default, authenticate=house.keys.authenticate, ip=ip)

    settings = ServerSettings(
        name=house.settings.delivery.hostname or "localhost",
        login=True,
        login_in_plaintext=True,
        message_octets=house.settings.limits.message_octets,
        recipients=house.settings.limits.recipients,
    )
    return Listener(settings, session)
