"""Our end of a conversation that we began (RFC 5321 §3 and §4.5.4).

The order of verbs: wait for `Greeted`, `hello`, then perhaps `start_tls` and, after the handshake, `tls_started` and
`hello` again, perhaps `authenticate`, then one `transaction` after another, and `quit`, each while `phase` is idle.
Where the server offers PIPELINING a transaction costs two writes: MAIL, RCPT and DATA together, then the content with
its final dot. One that leaves something open at the server is cleared by a RSET in front of the next.

A shell gives what it reads to `receive`, writes what `outgoing` returns until that is empty, and tells `lost` when the
connection is gone or it will wait no longer. It looks at all events of a call before it acts on the first.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from postroad.wire.smtp import events, sasl
from postroad.wire.smtp.errors import MisuseError, PeerError
from postroad.wire.smtp.extensions import Extensions, read_extensions
from postroad.wire.smtp.phase import Phase
from postroad.wire.smtp.replies import Reply, ReplyReader
from postroad.wire.smtp.sending import Sending, command
from postroad.wire.smtp.transaction import Ending, Outcome
from postroad.wire.smtp.transcript import Said, Transcript

PIECE_OCTETS: Final = 262_144
"""Content up to this size goes out together with its final dot; larger content in pieces, and the dot apart."""

_Handler = Callable[[Reply], None]


class Client:
    """A client's side of one SMTP connection; `tls` tells that it was encrypted from its first octet."""

    def __init__(self, *, tls: bool = False) -> None:
        self.extensions = Extensions()
        self.tls = tls
        self._name = ""
        self._reader = ReplyReader()
        self._transcript = Transcript()
        self._expected: deque[tuple[Phase, _Handler]] = deque([(Phase.BANNER, self._on_banner)])
        self._state = Phase.IDLE
        self._greeted = self._helloed = False
        self._events: list[events.Event] = []
        self._out: list[bytes] = []
        self._sending: Sending | None = None
        self._needs_reset = self._closing = False
        self._answered: Phase | None = None

    # What a shell needs at any time

    def at(self, instant: int) -> None:
        """Set the instant that the conversation's next lines are kept with, in any unit the shell likes."""
        self._transcript.at = instant

    @property
    def phase(self) -> Phase:
        """What is being waited for."""
        if self._state is not Phase.IDLE:
            return self._state
        return self._expected[0][0] if self._expected else Phase.IDLE

    def note(self, text: str) -> None:
        """Add a line of the shell's own to the conversation, such as `<TLS: …>`."""
        self._transcript.sent(text)

    def receive(self, octets: bytes) -> list[events.Event]:
        """Take octets from the server. After the end of the conversation they are ignored."""
        if self._state is Phase.CLOSED:
            return []
        self._reader.feed(octets)
        try:
            if self._state is Phase.STARTTLS:
                raise PeerError("The server sent plain text where the TLS handshake belongs.")
            while (reply := self._next_reply()) is not None:
                self._on_reply(reply)
        except PeerError as error:
            self._break_off(str(error))
        return self._take_events()

    def outgoing(self) -> bytes:
        """Return octets to write now, empty when there are no more; large content comes in pieces, so call again."""
        if self._out:
            octets = b"".join(self._out)
            self._out.clear()
            return octets
        if self._state is not Phase.BODY or self._sending is None:
            return b""
        piece, last = self._sending.next_piece(PIECE_OCTETS)
        if last:
            self._state = Phase.IDLE
            self._expected.append((Phase.DOT, self._on_final))
        return piece

    def lost(self, *, flushed: bool = True) -> list[events.Event]:
        """Note that the connection is gone, or that we wait no longer.

        `flushed` tells whether everything that `outgoing` returned has been handed to the network: when it has not, the
        final dot cannot have arrived, and a transaction is lost for certain rather than in doubt.
        """
        if self._state is Phase.CLOSED:
            return []
        phase = self.phase
        self._state = Phase.CLOSED
        if self._sending is not None:
            self._end_unanswered(Ending.LOST, phase, flushed=flushed)
        else:
            self._events.append(events.Disconnected(phase))
        self._drop()
        return self._take_events()

    def take_conversation(self) -> tuple[Said, ...]:
        """Return what was said since the last call; secrets and content are masked."""
        return self._transcript.take()

    # Verbs

    def hello(self, name: str) -> list[events.Event]:
        """Say EHLO, and HELO when that is refused (RFC 5321 §3.2). Answered by `Ready` or `Rejected`."""
        self._may("hello", self._greeted)
        self._name = name
        self._send(command(f"EHLO {name}"), Phase.EHLO, self._on_ehlo)
        return self._take_events()

    def start_tls(self) -> list[events.Event]:
        """Ask for TLS (RFC 3207). Answered by `StartTls` or `Rejected`."""
        self._may("start_tls", self._helloed and self.extensions.starttls and not self.tls)
        self._send(command("STARTTLS"), Phase.STARTTLS, self._on_starttls)
        return self._take_events()

    def tls_started(self) -> list[events.Event]:
        """Tell that the handshake is done. What the server offered before it counts no more (RFC 3207 §4.2)."""
        if self._state is not Phase.STARTTLS:
            raise MisuseError("tls_started without a handshake to wait for")
        self.tls = True
        self.extensions = Extensions()
        self._helloed = False
        self._state = Phase.IDLE
        return self._take_events()

    def authenticate(self, username: str, password: str, *, plaintext: bool = False) -> list[events.Event]:
        """Log in by PLAIN or LOGIN (RFC 4954). Answered by `Authenticated`, `AuthFailed` or `AuthUnavailable`.

        Without TLS nothing is sent unless `plaintext` allows it.
        """
        self._may("authenticate", self._helloed)
        mechanism = sasl.choose(self.extensions.auth)
        if mechanism is None or not (self.tls or plaintext):
            self._events.append(events.AuthUnavailable())
            return self._take_events()
        self._auth_step(deque(sasl.steps(mechanism, username, password)))
        return self._take_events()

    def transaction(
        self, mail_from: str, recipients: Sequence[str], octets: bytes, *, smtputf8: bool = False
    ) -> list[events.Event]:
        """Carry one message. Answered by exactly one `TransactionEnded`, whatever happens.

        `mail_from` may be empty, the null path (RFC 5321 §4.5.5). `smtputf8` tells that the message needs SMTPUTF8.

        Raises:
            MisuseError: An address is none, or needs SMTPUTF8 without `smtputf8`; there is no recipient; or the octets
                hold a bare CR or LF.
        """
        self._may("transaction", self._helloed)
        sending = Sending.prepare(mail_from, recipients, octets, smtputf8=smtputf8, offered=self.extensions)
        if isinstance(sending, Ending):
            self._events.append(events.TransactionEnded(Outcome(sending, Phase.MAIL)))
            return self._take_events()
        self._sending = sending
        if self._needs_reset:
            self._needs_reset = False
            self._send(b"RSET\r\n", Phase.MAIL, self._on_silent_reset)
        if self.extensions.pipelining or not self._expected:
            self._begin(sending)
        return self._take_events()

    def reset(self) -> list[events.Event]:
        """Say RSET. Answered by `ResetDone`."""
        self._may("reset", self._helloed)
        self._needs_reset = False
        self._send(command("RSET"), Phase.RESET, lambda reply: self._events.append(events.ResetDone(reply)))
        return self._take_events()

    def quit(self) -> list[events.Event]:
        """Say QUIT. Answered by `Farewell`; a server that merely closes is as good (RFC 5321 §4.1.1.10)."""
        self._may("quit", True)
        self._send(command("QUIT"), Phase.QUIT, self._on_quit)
        return self._take_events()

    # What comes back

    def _next_reply(self) -> Reply | None:
        return self._reader.next() if self._state is not Phase.CLOSED else None

    def _on_reply(self, reply: Reply) -> None:
        self._transcript.received(reply)
        self._closing = reply.code == 421  # RFC 5321 §3.8: it may come at any time, and the server closes after it
        if self._closing and self._sending is not None:
            self._sending.closing = reply
        if self._state is Phase.BODY:
            self._on_reply_in_content(reply)
        elif self._expected:
            self._answered, handler = self._expected.popleft()
            handler(reply)
            self._answered = None
        elif not self._closing:
            raise PeerError("The server sent a reply to nothing.")
        if self._closing:
            self._hang_up(reply)

    def _on_banner(self, reply: Reply) -> None:
        if reply.category == 2:
            self._greeted = True
            self._events.append(events.Greeted(reply))
        else:
            self._events.append(events.Rejected(Phase.BANNER, reply))

    def _on_ehlo(self, reply: Reply) -> None:
        if reply.category == 5:
            self._send(command(f"HELO {self._name}"), Phase.EHLO, self._on_helo)
        elif reply.category == 2:
            self._become_ready(reply, read_extensions(reply))
        else:
            self._events.append(events.Rejected(Phase.EHLO, reply))

    def _on_helo(self, reply: Reply) -> None:
        if reply.category == 2:
            self._become_ready(reply, Extensions())
        else:
            self._events.append(events.Rejected(Phase.EHLO, reply))

    def _become_ready(self, reply: Reply, extensions: Extensions) -> None:
        self.extensions, self._helloed = extensions, True
        self._needs_reset = False  # EHLO clears like RSET (RFC 5321 §4.1.4)
        self._events.append(events.Ready(reply, extensions))

    def _on_starttls(self, reply: Reply) -> None:
        if reply.category != 2:
            self._events.append(events.Rejected(Phase.STARTTLS, reply))
            return
        self._events.append(events.StartTls())
        self._state = Phase.STARTTLS
        if self._reader.pending:
            raise PeerError("The server sent more behind its consent to STARTTLS.")

    def _auth_step(self, steps: deque[tuple[str, str]]) -> None:
        line, shown = steps.popleft()
        line_octets = command(line, limit=sasl.LINE_OCTETS)
        self._send(line_octets, Phase.AUTH, lambda reply: self._on_auth(reply, steps), shown=shown)

    def _on_auth(self, reply: Reply, later: deque[tuple[str, str]]) -> None:
        if reply.category == 3 and later:
            self._auth_step(later)
        elif reply.category == 3:
            raise PeerError("The server asked for more than the mechanism has to say.")
        elif reply.category == 2:
            self._events.append(events.Authenticated(reply))
        else:
            self._events.append(events.AuthFailed(reply))

    def _on_silent_reset(self, _reply: Reply) -> None:
        if not self._expected and self._sending is not None:
            self._begin(self._sending)

    def _on_quit(self, reply: Reply) -> None:
        self._events.append(events.Farewell(reply))
        self._state = Phase.CLOSED
        self._drop()

    def _begin(self, sending: Sending) -> None:
        """Send MAIL, and with PIPELINING all that precedes the content in the same write (RFC 2920 §3.1)."""
        if not self.extensions.pipelining:
            self._send(sending.mail, Phase.MAIL, self._on_mail)
            return
        group = b"".join((sending.mail, *sending.rcpts, b"DATA\r\n"))
        self._send(group, Phase.MAIL, self._on_mail)
        self._expected.extend([(Phase.RCPT, self._on_rcpt)] * len(sending.rcpts))
        self._expected.append((Phase.DATA, self._on_data))

    def _on_mail(self, reply: Reply) -> None:
        sending = self._require_sending()
        sending.sender = reply
        if self._expected:  # the rest of the pipelined group is still to be answered
            return
        if reply.category == 2:
            self._send(sending.rcpts[0], Phase.RCPT, self._on_rcpt)
        else:
            self._end_sending(Ending.REFUSED, Phase.MAIL)

    def _on_rcpt(self, reply: Reply) -> None:
        sending = self._require_sending()
        sending.answers.append(reply)
        if self._expected:
            return
        if len(sending.answers) < len(sending.rcpts):
            self._send(sending.rcpts[len(sending.answers)], Phase.RCPT, self._on_rcpt)
        elif sending.accepted:
            self._send(b"DATA\r\n", Phase.DATA, self._on_data)
        else:
            self._needs_reset = True
            self._end_sending(Ending.REFUSED, Phase.RCPT)

    def _on_data(self, reply: Reply) -> None:
        sending = self._require_sending()
        sending.data = reply
        if reply.category == 2:
            raise PeerError("The server answered DATA with a final success.")
        if reply.category == 3 and sending.accepted:
            self._send_content(sending)
        elif reply.category == 3 and not sending.mail_accepted and sending.any_recipient:
            # a dot could make an empty message of what it wants for a sender that it refused
            raise PeerError("The server wants content for a transaction that it refused.")
        elif reply.category == 3:
            sending.void = True  # RFC 2920 §3.1: nobody was accepted, and content is wanted all the same
            self._send(b".\r\n", Phase.DOT, self._on_void_final, shown=".")
        else:
            self._needs_reset = sending.mail_accepted
            self._end_sending(Ending.REFUSED, sending.refused_in())

    def _send_content(self, sending: Sending) -> None:
        self._transcript.sent(f"<{sending.size} octets>\r\n.")
        if len(sending.content) <= PIECE_OCTETS:
            self._out.append(sending.content)
            self._expected.append((Phase.DOT, self._on_final))
        else:
            self._state = Phase.BODY

    def _on_reply_in_content(self, reply: Reply) -> None:
        """Take a refusal that came while content was still to be sent: the dot is not out, so it is certain."""
        sending = self._require_sending()
        if reply.category in {2, 3}:
            raise PeerError("The server answered content before it had all of it.")
        sending.final = reply
        self._end_sending(Ending.REFUSED, Phase.BODY)
        self._closing = True  # the server may take the rest of the content for commands

    def _on_final(self, reply: Reply) -> None:
        sending = self._require_sending()
        if reply.category == 3:
            raise PeerError("The server answered the final dot with a request for more.")
        sending.final = reply
        self._end_sending(Ending.ANSWERED, Phase.DOT)

    def _on_void_final(self, _reply: Reply) -> None:
        self._end_sending(Ending.REFUSED, self._require_sending().refused_in())

    def _require_sending(self) -> Sending:
        assert self._sending is not None
        return self._sending

    def _end_sending(self, ending: Ending, phase: Phase, error: str | None = None) -> None:
        sending = self._require_sending()
        self._sending = None
        self._events.append(events.TransactionEnded(sending.outcome(ending, phase, error)))

    def _end_unanswered(self, certain: Ending, phase: Phase, *, flushed: bool, error: str | None = None) -> None:
        """End the transaction without an answer: in doubt behind a final dot that may have arrived, else certain."""
        sending = self._require_sending()
        if sending.void:
            self._end_sending(Ending.REFUSED, sending.refused_in())
        elif phase is Phase.DOT and flushed:
            self._end_sending(Ending.IN_DOUBT, phase, error)
        else:
            self._end_sending(certain, Phase.BODY if phase is Phase.DOT else phase, error)

    def _hang_up(self, reply: Reply) -> None:
        """End the conversation because the server does; a transaction that is still running ends with it."""
        if self._sending is not None:
            self._end_sending(Ending.REFUSED, self._sending.last_answered())
        self._state = Phase.CLOSED
        self._events.append(events.Closing(reply))
        self._drop()

    def _break_off(self, sentence: str) -> None:
        phase = self._answered or self.phase
        self._state = Phase.CLOSED
        if self._sending is not None:
            # after the dot, an answer that cannot be read may well have been a yes
            self._end_unanswered(Ending.BROKEN, phase, flushed=True, error=sentence)
        self._events.append(events.Broken(sentence))
        self._drop()

    def _drop(self) -> None:
        self._expected.clear()
        self._out.clear()

    def _may(self, verb: str, allowed: bool) -> None:
        if self.phase is not Phase.IDLE or not allowed:
            raise MisuseError(f"{verb} in phase {self.phase}")

    def _send(self, line: bytes, phase: Phase, handler: _Handler, *, shown: str | None = None) -> None:
        if self._closing:
            return
        self._transcript.sent(shown if shown is not None else line[:-2].decode())
        self._out.append(line)
        self._expected.append((phase, handler))

    def _take_events(self) -> list[events.Event]:
        taken, self._events = self._events, []
        return taken
