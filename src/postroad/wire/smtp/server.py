"""Our end of a conversation that somebody else began (RFC 5321 §3 and §4).

The machine knows the grammar and the order of commands; whom to take mail from, for whom, and what, are questions to
its shell: an event such as `RecipientAsked`, answered by `accept` or `refuse`. While a question stands nothing
further is read, so answers keep the order of commands however a client pipelines them (RFC 2920 §3.2). Every reply
that may carries an enhanced code (RFC 2034).

What cannot be trusted ends the conversation: a line too long, a bare CR or LF anywhere, octets behind STARTTLS, too
many errors. `outgoing` then still holds the reply that says so, and `Finished` tells the shell to close.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Final

from postroad.wire.smtp import sasl, server_events
from postroad.wire.smtp.commands import SYNTAX, Path, read_command, read_hello, read_mail, read_path
from postroad.wire.smtp.content import ContentReader
from postroad.wire.smtp.errors import MisuseError
from postroad.wire.smtp.extensions import Extensions, write_extensions
from postroad.wire.smtp.login import Login, Prompt
from postroad.wire.smtp.replies import Reply, write_reply
from postroad.wire.smtp.server_events import ServerEvent
from postroad.wire.smtp.server_settings import ServerSettings

OUT_OF_ORDER: Final = Reply(503, ("5.5.1 Bad sequence of commands",))
ACCEPTED: Final = Reply(250, ("2.0.0 OK",))
_SENDER_TAKEN: Final = Reply(250, ("2.1.0 OK",))
_RECIPIENT_TAKEN: Final = Reply(250, ("2.1.5 OK",))
_LOGGED_IN: Final = Reply(235, ("2.7.0 Authentication successful",))

_Act = Callable[[], None]


class _Stage(Enum):
    """What incoming octets are taken for."""

    COMMAND = auto()
    CONTENT = auto()
    LOGIN = auto()
    HANDSHAKE = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class _Question:
    """What the shell was asked: the reply of a yes, and what follows from either answer."""

    yes: Reply
    then: _Act
    otherwise: _Act | None


class Server:
    """A server's side of one SMTP connection; `tls` tells that it was encrypted from its first octet."""

    def __init__(self, settings: ServerSettings, *, tls: bool = False) -> None:
        self.settings = settings
        self.tls = tls
        self.hello: str | None = None
        self.user: str | None = None
        self._buffer, self._at = b"", 0
        self._stage = _Stage.COMMAND
        self._out: list[bytes] = []
        self._events: list[ServerEvent] = []
        self._question: _Question | None = None
        self._in_mail, self._recipients, self._smtputf8 = False, 0, False
        self._errors = self._size = 0
        self._content = ContentReader()
        self._login = Login(sasl.Mechanism.PLAIN)
        self._reply(Reply(220, (f"{settings.name} ESMTP",)))

    # What a shell needs

    @property
    def waiting(self) -> bool:
        """Whether a question stands: stop reading from the network until it is answered."""
        return self._question is not None

    @property
    def in_content(self) -> bool:
        """Whether content is being received."""
        return self._stage is _Stage.CONTENT

    @property
    def extensions(self) -> Extensions:
        """What is offered at this moment."""
        return self.settings.offer(tls=self.tls, logged_in=self.user is not None)

    def receive(self, octets: bytes) -> list[ServerEvent]:
        """Take octets from the client. After the end of the conversation they are ignored."""
        if self._stage is _Stage.CLOSED:
            return []
        self._buffer, self._at = self._buffer[self._at :] + octets, 0
        return self._go_on()

    def outgoing(self) -> bytes:
        """Return octets to write now."""
        octets = b"".join(self._out)
        self._out.clear()
        return octets

    def accept(self, text: str | None = None) -> list[ServerEvent]:
        """Answer the standing question with yes; `text` replaces the words behind the enhanced code."""
        question = self._take_question()
        yes = question.yes
        self._reply(yes if text is None else Reply(yes.code, (f"{yes.enhanced} {text}",)))
        question.then()
        return self._go_on()

    def refuse(self, reply: Reply) -> list[ServerEvent]:
        """Answer the standing question with no; after a 421 the conversation is over.

        Raises:
            MisuseError: The reply is no refusal, or has no enhanced code.
        """
        if reply.category not in {4, 5} or reply.enhanced is None:
            raise MisuseError(f"{reply} is no refusal with an enhanced code")
        question = self._take_question()
        if question.otherwise is not None:
            question.otherwise()
        if reply.code == 421:
            self._close(reply, "We refused with 421.")
        else:
            self._error(reply)
        return self._go_on()

    def tls_started(self) -> list[ServerEvent]:
        """Tell that the handshake is done. All that was said before it is forgotten (RFC 3207 §4.2)."""
        if self._stage is not _Stage.HANDSHAKE:
            raise MisuseError("tls_started without a handshake to wait for")
        self._stage = _Stage.COMMAND
        self.tls = True
        self.hello = None
        return self._take_events()

    def shut_down(self) -> list[ServerEvent]:
        """End the conversation from our side (RFC 5321 §3.8). To be called between commands."""
        if self._stage is not _Stage.CLOSED:
            self._close(Reply(421, (f"4.3.2 {self.settings.name} closes the connection",)), "We shut down.")
        return self._take_events()

    # Reading

    def _go_on(self) -> list[ServerEvent]:
        while self._at < len(self._buffer) and self._question is None and self._stage is not _Stage.CLOSED:
            if self._stage is _Stage.CONTENT:
                self._read_content()
            elif self._stage is _Stage.HANDSHAKE:
                self._close(None, "The client sent plain text where the TLS handshake belongs.")
            elif not self._read_line():
                break
        return self._take_events()

    def _take_question(self) -> _Question:
        if self._question is None:
            raise MisuseError("there is no question to answer")
        question, self._question = self._question, None
        return question

    def _read_line(self) -> bool:
        """Take one line; tell whether there was one. Its length is limited before it is kept."""
        at = self._at
        login = self._stage is _Stage.LOGIN or self._buffer[at : at + 5].upper() == b"AUTH "
        limit = sasl.LINE_OCTETS if login else self.settings.command_octets
        end = self._buffer.find(b"\n", at, at + limit)
        if end < 0:
            if len(self._buffer) - at >= limit:
                self._close(Reply(500, ("5.5.2 Line too long",)), "The client sent a line that is too long.")
            return False
        line, self._at = self._buffer[at : end + 1], end + 1
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            self._close(Reply(500, ("5.5.2 Lines end in CRLF",)), "The client sent a line that does not end in CRLF.")
        elif self._stage is _Stage.LOGIN:
            self._on_login(self._login.take(line[:-2]))
        else:
            self._on_line(line[:-2])
        return True

    def _on_line(self, line: bytes) -> None:
        try:
            command = read_command(line.decode())
        except UnicodeDecodeError:
            command = None
        if command is None:
            self._error(Reply(500, ("5.5.2 Syntax error",)))
            return
        verb, argument = command
        handler = self._HANDLERS.get(verb)
        if handler is None:
            self._error(Reply(502, ("5.5.1 Command not implemented",)))
        else:
            handler(self, argument)

    def _read_content(self) -> None:
        piece = self._content.feed(self._buffer[self._at :])
        self._buffer, self._at = piece.rest, 0
        room = max(self.settings.message_octets - self._size, 0)
        self._size += len(piece.octets)
        if kept := piece.octets[:room]:
            self._events.append(server_events.ContentPiece(kept))
        if piece.bare:
            self._close(Reply(550, ("5.5.2 Bare CR or LF in content",)), "The client sent a bare CR or LF in content.")
        elif piece.ended:
            self._end_content()

    def _end_content(self) -> None:
        self._stage = _Stage.COMMAND
        if self._size > self.settings.message_octets:
            self._drop_transaction()
            self._error(Reply(552, ("5.3.4 Message too big",)))  # RFC 1870 §6.3
        else:
            done = self._end_transaction
            self._ask(server_events.MessageAsked(self._size), ACCEPTED, done, done)

    # Commands

    def _greet(self, argument: str, *, extended: bool) -> None:
        name = read_hello(argument)
        if name is None:
            self._error(SYNTAX)
            return
        self._drop_transaction()
        self.hello = name
        self._events.append(server_events.Hello(name, extended))
        lines = [self.settings.name, *(write_extensions(self.extensions) if extended else [])]
        self._reply(Reply(250, tuple(lines)))

    def _mail(self, argument: str) -> None:
        if self.hello is None or self._in_mail:
            self._error(OUT_OF_ORDER)
        elif self.settings.login_required and self.user is None:
            self._error(Reply(530, ("5.7.0 Authentication required",)))
        else:
            path = read_path("FROM", argument, postmaster=self.settings.name)
            asked = read_mail(path, self.settings.message_octets) if isinstance(path, Path) else path
            if isinstance(asked, Reply):
                self._error(asked)
            else:
                self._smtputf8 = asked.smtputf8
                self._ask(asked, _SENDER_TAKEN, self._begin_transaction)

    def _rcpt(self, argument: str) -> None:
        if not self._in_mail:
            self._error(OUT_OF_ORDER)
            return
        path = read_path("TO", argument, postmaster=self.settings.name)
        if isinstance(path, Reply):
            self._error(path)
        elif path.mailbox is None or path.parameters:
            self._error(Reply(555, ("5.5.4 Parameter not recognised",)))
        elif path.mailbox.smtputf8 and not self._smtputf8:
            self._error(Reply(553, ("5.6.7 SMTPUTF8 was not asked for",)))
        elif self._recipients >= self.settings.recipients:
            self._reply(Reply(452, ("4.5.3 Too many recipients",)))  # RFC 5321 §4.5.3.1.10
        else:
            self._ask(server_events.RecipientAsked(path.mailbox), _RECIPIENT_TAKEN, self._add_recipient)

    def _data(self, argument: str) -> None:
        if argument:
            self._error(SYNTAX)
        elif not self._in_mail:
            self._error(OUT_OF_ORDER)
        elif not self._recipients:
            self._error(Reply(554, ("5.5.1 No valid recipients",)))
        else:
            self._stage = _Stage.CONTENT
            self._content = ContentReader()
            self._size = 0
            self._events.append(server_events.ContentBegins())
            self._reply(Reply(354, ("End data with <CR><LF>.<CR><LF>",)))

    def _rset(self, argument: str) -> None:
        if argument:
            self._error(SYNTAX)
            return
        self._drop_transaction()
        self._reply(ACCEPTED)

    def _noop(self, _argument: str) -> None:
        self._reply(ACCEPTED)

    def _vrfy(self, argument: str) -> None:
        if argument:
            self._reply(Reply(252, ("2.5.2 Cannot verify, will take the message and attempt delivery",)))
        else:
            self._error(SYNTAX)

    def _quit(self, argument: str) -> None:
        if argument:
            self._error(SYNTAX)
        else:
            self._close(Reply(221, ("2.0.0 Bye",)), None)

    def _starttls(self, argument: str) -> None:
        if argument:
            self._error(SYNTAX)
        elif not self.extensions.starttls:
            self._error(Reply(502, ("5.5.1 STARTTLS is not offered",)))
        elif self._at < len(self._buffer):
            self._close(None, "The client sent more behind STARTTLS.")
        else:
            self._drop_transaction()
            self.user = None
            self._reply(Reply(220, ("2.0.0 Ready to start TLS",)))
            self._stage = _Stage.HANDSHAKE
            self._events.append(server_events.HandshakeAsked())

    # Authentication

    def _auth(self, argument: str) -> None:
        name, _, initial = argument.partition(" ")
        offered = self.extensions.auth
        if self.hello is None or self._in_mail or self.user is not None:
            self._error(OUT_OF_ORDER)  # RFC 4954 §4
        elif not self.settings.login:
            self._error(Reply(502, ("5.5.1 AUTH is not offered",)))
        elif not offered:
            self._error(Reply(538, ("5.7.11 Encryption required for authentication",)))
        elif name.upper() not in offered:
            self._error(Reply(504, ("5.5.4 Mechanism not offered",)))
        else:
            self._login = Login(sasl.Mechanism(name.upper()))
            self._on_login(self._login.begin(initial))

    def _on_login(self, step: Prompt | sasl.Credentials | None) -> None:
        self._stage = _Stage.COMMAND
        match step:
            case Prompt(text):
                self._stage = _Stage.LOGIN
                self._reply(Reply(334, (text,)))
            case sasl.Credentials() as credentials:
                asked = server_events.LoginAsked(self._login.mechanism, credentials)
                self._ask(asked, _LOGGED_IN, lambda: self._become(credentials.username))
            case _:
                self._error(Reply(501, ("5.5.2 Cannot decode, or cancelled",)))

    def _become(self, username: str) -> None:
        self.user = username

    # Answers to questions

    def _ask(self, event: ServerEvent, yes: Reply, then: _Act, otherwise: _Act | None = None) -> None:
        self._events.append(event)
        self._question = _Question(yes, then, otherwise)

    def _begin_transaction(self) -> None:
        self._in_mail = True
        self._recipients = 0

    def _add_recipient(self) -> None:
        self._recipients += 1

    def _end_transaction(self) -> None:
        self._in_mail = False

    def _drop_transaction(self) -> None:
        if self._in_mail:
            self._in_mail = False
            self._events.append(server_events.TransactionDropped())

    # Writing

    def _reply(self, reply: Reply) -> None:
        self._out.append(write_reply(reply))

    def _error(self, reply: Reply) -> None:
        self._reply(reply)
        self._errors += 1
        if self._errors >= self.settings.errors:
            self._close(Reply(421, ("4.7.0 Too many errors",)), "The client made too many errors.")

    def _close(self, reply: Reply | None, sentence: str | None) -> None:
        self._drop_transaction()
        if reply is not None:
            self._reply(reply)
        self._stage = _Stage.CLOSED
        self._question = None
        self._buffer, self._at = b"", 0
        self._events.append(server_events.Finished(sentence))

    def _take_events(self) -> list[ServerEvent]:
        taken, self._events = self._events, []
        return taken

    _HANDLERS: ClassVar[dict[str, Callable[["Server", str], None]]] = {
        "EHLO": lambda self, argument: self._greet(argument, extended=True),
        "HELO": lambda self, argument: self._greet(argument, extended=False),
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
        "RSET": _rset,
        "NOOP": _noop,
        "VRFY": _vrfy,
        "QUIT": _quit,
        "STARTTLS": _starttls,
        "AUTH": _auth,
    }
