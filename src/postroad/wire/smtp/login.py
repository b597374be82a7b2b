"""The server's side of AUTH: from lines to credentials (RFC 4954 §4)."""

from dataclasses import dataclass

from postroad.wire.smtp import sasl


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to ask the client next, already in base64."""

    text: str


class Login:
    """One exchange of one mechanism."""

    def __init__(self, mechanism: sasl.Mechanism) -> None:
        self.mechanism = mechanism
        self._username: str | None = None

    def begin(self, initial: str) -> Prompt | sasl.Credentials | None:
        """Start with the initial response of the command; `=` stands for an empty one, and nothing for none."""
        if initial:
            return self.take(b"" if initial == "=" else initial.encode())
        return Prompt("" if self.mechanism is sasl.Mechanism.PLAIN else sasl.encode("Username:"))

    def take(self, line: bytes) -> Prompt | sasl.Credentials | None:
        """Take the client's answer to a prompt; None when it cannot be read, or when it is the `*` that cancels."""
        if self.mechanism is sasl.Mechanism.PLAIN:
            return sasl.read_plain(line)
        text = sasl.decode(line)
        if self._username is not None:
            return None if text is None else sasl.Credentials(self._username, text)
        if not text:
            return None
        self._username = text
        return Prompt(sasl.encode("Password:"))
