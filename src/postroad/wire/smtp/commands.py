"""Command lines of a client, read strictly (RFC 5321 §4.1)."""

import re
from dataclasses import dataclass, replace
from typing import Final

from postroad.wire.address import AddressError, Mailbox, parse_mailbox
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.server_events import MailAsked

_VERB: Final = re.compile(r"([A-Za-z]{4,12})(?: (.*))?", re.ASCII | re.DOTALL)
_ROUTE: Final = re.compile(r"(FROM|TO):<((?>(?:[^\"<>]|\"(?>(?:[^\"\\]|\\.)*)\")*))>((?>(?: [^ ]+)*)) *", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?", re.ASCII)
_HELLO: Final = re.compile(r"[^\x00-\x20\x7f-\x9f]{1,255} *")

SYNTAX: Final = Reply(501, ("5.5.4 Syntax error in parameters or arguments",))


@dataclass(frozen=True, slots=True)
class Path:
    """The argument of MAIL or RCPT: where, and the parameters by keyword in capitals.

    `mailbox` is None for the null path; `postmaster` without a domain has the domain given to `read_path`.
    """

    mailbox: Mailbox | None
    parameters: dict[str, str | None]


def read_command(line: str) -> tuple[str, str] | None:
    """Split a line without its CRLF into the verb in capitals and the argument; None when it is no command."""
    found = _VERB.fullmatch(line)
    return (found[1].upper(), (found[2] or "").rstrip(" ")) if found is not None else None


def read_hello(argument: str) -> str | None:
    """Read the name a client gives itself; it is not checked beyond what makes it safe to show."""
    return argument.rstrip(" ") if _HELLO.fullmatch(argument) else None


def read_path(keyword: str, argument: str, *, postmaster: str) -> Path | Reply:
    """Read `FROM:<…> PARAMETERS` or `TO:<…> PARAMETERS`; a refusal comes as the reply that says why."""
    found = _ROUTE.fullmatch(argument)
    if found is None or found[1].upper() != keyword:
        return SYNTAX
    parameters = _read_parameters(found[3].split())
    if parameters is None:
        return SYNTAX
    text = found[2]
    if not text and keyword == "FROM":
        return Path(None, parameters)  # RFC 5321 §4.5.5
    if text.lower() == "postmaster" and keyword == "TO":
        text = f"{text}@{postmaster}"  # RFC 5321 §4.5.1
    try:
        return Path(parse_mailbox(text), parameters)
    except AddressError:
        return Reply(553, (f"5.1.{7 if keyword == 'FROM' else 3} Not an address that mail could use",))


def read_mail(path: Path, limit: int) -> MailAsked | Reply:
    """Read the parameters of MAIL; a refusal comes as the reply that says why."""
    asked = MailAsked(path.mailbox, None, eight_bit=False, smtputf8=False)
    for keyword, value in path.parameters.items():
        match keyword, (value or "").upper():
            case "SIZE", size if size.isdecimal() and len(size) <= 20:  # RFC 1870 §4
                asked = replace(asked, size=int(size))
            case "BODY", "7BIT" | "8BITMIME" as body:  # RFC 6152 §2
                asked = replace(asked, eight_bit=body == "8BITMIME")
            case "SMTPUTF8", "" if value is None:  # RFC 6531 §3.4
                asked = replace(asked, smtputf8=True)
            case "AUTH", _ if value is not None:  # RFC 4954 §5: heard, and not believed
                continue
            case "SIZE" | "BODY" | "SMTPUTF8" | "AUTH", _:
                return SYNTAX
            case _:
                return Reply(555, ("5.5.4 Parameter not recognised",))
    if asked.size is not None and asked.size > limit:
        return Reply(552, ("5.3.4 Message too big",))  # RFC 1870 §6.1
    if asked.sender is not None and asked.sender.smtputf8 and not asked.smtputf8:
        return Reply(553, ("5.6.7 SMTPUTF8 was not asked for",))
    return asked


def _read_parameters(words: list[str]) -> dict[str, str | None] | None:
    parameters: dict[str, str | None] = {}
    for word in words:
        found = _PARAMETER.fullmatch(word)
        if found is None or found[1].upper() in parameters:
            return None
        parameters[found[1].upper()] = found[2]
    return parameters
