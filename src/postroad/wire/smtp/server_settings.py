"""What a server says of itself, and how much it takes."""

from dataclasses import dataclass

from postroad.wire.smtp.extensions import Extensions
from postroad.wire.smtp.sasl import Mechanism


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One server's settings.

    `login` offers AUTH, under TLS only unless `login_in_plaintext`; `starttls` needs a shell that can do it.
    """

    name: str
    starttls: bool = False
    login: bool = False
    login_in_plaintext: bool = False
    login_required: bool = False
    message_octets: int = 40 * 1024 * 1024
    recipients: int = 1000
    command_octets: int = 1000
    errors: int = 20

    def offer(self, *, tls: bool, logged_in: bool) -> Extensions:
        """Return the extensions that EHLO shows at this point of a conversation."""
        login = self.login and (tls or self.login_in_plaintext) and not logged_in
        return Extensions(
            pipelining=True,
            eight_bit_mime=True,
            smtputf8=True,
            starttls=self.starttls and not tls,
            enhanced_status_codes=True,
            size_offered=True,
            size=self.message_octets,
            auth=frozenset(Mechanism) if login else frozenset(),
        )
