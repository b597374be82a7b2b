"""Rules proved by the replies that stand with them, and replies as one writes them down."""

from collections.abc import Iterator

import msgspec

from postroad.model.attempt import Phase, SmtpReply
from postroad.pipeline.outcomes import enhanced, phrases
from postroad.pipeline.outcomes.rules.rule import Rule
from postroad.pipeline.outcomes.rules.ruleset import RuleSet
from postroad.wire.smtp.errors import PeerError
from postroad.wire.smtp.replies import ReplyReader

_Read = tuple[int, tuple[int, int] | None, str]
"""What a rule sees of a reply: basic code, enhanced code and folded text."""
_NO_REPLY = "this is no SMTP reply that begins with 4 or 5"


class Failure(msgspec.Struct, frozen=True):
    """A test line that does not do what it is there for."""

    file: str
    rule: str
    line: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file}, {self.rule}: {self.detail}: {self.line}"


def spoken_reply(written: str) -> SmtpReply | None:
    """Return the reply that somebody wrote down, its lines apart by line breaks; None when it is none."""
    reader = ReplyReader()
    reader.feed("".join(f"{line}\r\n" for line in written.splitlines()).encode())
    try:
        reply = reader.next()
    except PeerError:
        return None
    if reply is None or reader.pending or reply.category not in (4, 5):
        return None
    return SmtpReply(reply.code, reply.text, None if reply.enhanced is None else str(reply.enhanced))


def try_out(rules: RuleSet) -> Iterator[Failure]:
    """Yield the test lines that the set does not decide as they are meant.

    A rule of a more important file may stand before another one: that is how it is overruled.
    """
    for rule in rules.rules:
        for line in rule.tests:
            detail = _test(rules, rule, line)
            if detail is not None:
                yield Failure(rule.file, rule.id, line, detail)
        for line in rule.counterexamples:
            read = _read(line)
            if read is None:
                yield Failure(rule.file, rule.id, line, _NO_REPLY)
            elif _fits(rule, read):
                yield Failure(rule.file, rule.id, line, "the rule fits this counterexample")


def _test(rules: RuleSet, rule: Rule, line: str) -> str | None:
    """Return what is wrong with a test line, or None."""
    read = _read(line)
    if read is None:
        return _NO_REPLY
    if not _fits(rule, read):
        return "the rule does not fit this reply"
    first = next(other for other in rules.of_provider(rule.provider) if _decides(other, read, _phase(rule)))
    return (
        None if first is rule or first.file != rule.file else f"rule {first.id} stands before it and decides this reply"
    )


def _fits(rule: Rule, read: _Read) -> bool:
    return _decides(rule, read, _phase(rule))


def _decides(rule: Rule, read: _Read, phase: Phase) -> bool:
    basic, status, text = read
    return rule.applies(basic, status, phase, text)


def _read(line: str) -> _Read | None:
    reply = spoken_reply(line)
    if reply is None:
        return None
    text = phrases.fold(reply.text)
    return reply.code, enhanced.find(reply.enhanced, text), text


def _phase(rule: Rule) -> Phase:
    """Return a phase in which the rule applies."""
    return min(rule.phases, default=Phase.RCPT)
