"""From a reply to its class: what the peer minded, how sure we are, and what follows from it.

Evidence in the order in which it is believed: a rule that knows this provider, an enhanced code that means one thing, a
basic code that means one thing, the words, then the codes that mean many things. Whether an attempt may be repeated is
another question: there the first digit of the reply decides (RFC 5321 §4.2.1), but for too many recipients, which fewer
recipients would cure, and for what a rule knows to pass.
"""

from typing import Final, NamedTuple

from postroad.model.attempt import Phase, SmtpReply
from postroad.model.reason import Action, Basis, Class, Confidence, Permanence, Scope
from postroad.model.traffic import Traffic
from postroad.pipeline.outcomes import enhanced, phrases
from postroad.pipeline.outcomes.group import Group
from postroad.pipeline.outcomes.rules import NO_RULES, Rule, RuleSet

__all__ = ["SCOPES", "Confidence", "Finding", "classify"]


class Finding(NamedTuple):
    """What a reply says."""

    cls: Class
    permanence: Permanence
    scope: Scope
    action: Action
    rule: str
    confidence: Confidence
    basis: Basis = Basis.TEXT
    traffic: Traffic | None = None
    """What the reply asks of the traffic to its site; only a rule says so."""


SCOPES: Final = {
    Class.INVALID_RECIPIENT: Scope.RECIPIENT,
    Class.INACTIVE_MAILBOX: Scope.RECIPIENT,
    Class.BAD_DOMAIN: Scope.DOMAIN,
    Class.MAILBOX_FULL: Scope.RECIPIENT,
    Class.MESSAGE_TOO_LARGE: Scope.CONTENT,
    Class.CONTENT_REJECTED: Scope.CONTENT,
    Class.REPUTATION_BLOCK: Scope.IP_REPUTATION,
    Class.POLICY: Scope.DOMAIN,
    Class.AUTH_FAILED: Scope.SENDER_AUTH,
    Class.RATE_LIMITED: Scope.RATE,
    Class.GREYLISTED: Scope.RATE,
    Class.UNREACHABLE: Scope.DOMAIN,
    Class.DNS_FAILURE: Scope.DOMAIN,
    Class.TLS_REQUIRED_FAILED: Scope.DOMAIN,
    Class.PROTOCOL_ERROR: Scope.DOMAIN,
    Class.SMTPUTF8_UNSUPPORTED: Scope.DOMAIN,
    Class.UNKNOWN: Scope.DOMAIN,
}
"""Whom each class of a peer's answer concerns."""

_SUPPRESSING: Final = frozenset({Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX})
_PASSING: Final = frozenset({Class.MAILBOX_FULL, Class.RATE_LIMITED, Class.GREYLISTED})
"""Causes that pass by themselves even when they were said with a 5xx; a block has to be lifted by somebody."""
_SLOWING: Final = frozenset({Class.RATE_LIMITED, Class.REPUTATION_BLOCK})
_ABOUT_US: Final = frozenset(
    {
        *(Class.REPUTATION_BLOCK, Class.POLICY, Class.AUTH_FAILED, Class.CONTENT_REJECTED),
        *(Class.RATE_LIMITED, Class.GREYLISTED, Class.TLS_REQUIRED_FAILED, Class.PROTOCOL_ERROR),
    }
)
"""Causes that are no fact about a recipient: words of these beside a recipient's code make the code doubtful."""
_ABOUT_THEM: Final = frozenset({Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX, Class.BAD_DOMAIN, Class.MAILBOX_FULL})

_CLOSER: Final = frozenset({Class.INACTIVE_MAILBOX, Class.MAILBOX_FULL})
"""Words of these beside a code about a recipient say more than the code, which is often the only one a server has."""
_CLOSER_FOR_NOW: Final = _CLOSER | {Class.GREYLISTED, Class.RATE_LIMITED, Class.UNREACHABLE, Class.DNS_FAILURE}
"""The same behind a 4xx, where a server often could not find out about the recipient."""
_VAGUE: Final = frozenset({"policy", "refused", "blocked", "busy", "syntax", "spam", "content"})
"""Groups of words that go with anything: beside a code that means one thing they say nothing."""
_VAGUE_OF_RECIPIENTS: Final = frozenset({"policy", "refused", "blocked", "busy", "syntax", "tls", "tls_words"})
"""The same beside a code about a recipient."""

_CLEAR_CODES: Final = {
    500: Class.PROTOCOL_ERROR,
    502: Class.PROTOCOL_ERROR,
    503: Class.PROTOCOL_ERROR,
    555: Class.PROTOCOL_ERROR,
    556: Class.BAD_DOMAIN,  # RFC 7504 §3
}
_VAGUE_CODES: Final = {
    421: Class.UNREACHABLE,
    450: Class.GREYLISTED,
    451: Class.GREYLISTED,
    452: Class.UNREACHABLE,
    431: Class.UNREACHABLE,
    432: Class.UNREACHABLE,
    441: Class.UNREACHABLE,
    442: Class.UNREACHABLE,
    447: Class.UNREACHABLE,
    454: Class.TLS_REQUIRED_FAILED,
    471: Class.CONTENT_REJECTED,
    501: Class.PROTOCOL_ERROR,
    504: Class.PROTOCOL_ERROR,
    510: Class.INVALID_RECIPIENT,
    511: Class.INVALID_RECIPIENT,
    512: Class.BAD_DOMAIN,
    521: Class.BAD_DOMAIN,
    522: Class.MAILBOX_FULL,
    523: Class.MESSAGE_TOO_LARGE,
    525: Class.INACTIVE_MAILBOX,
    530: Class.AUTH_FAILED,
    534: Class.AUTH_FAILED,
    535: Class.AUTH_FAILED,
    538: Class.AUTH_FAILED,
    541: Class.POLICY,
    551: Class.INVALID_RECIPIENT,
    552: Class.MAILBOX_FULL,
    571: Class.POLICY,
}
_NO_MAILBOX: Final = frozenset({550, 553})
"""What a server says to RCPT when it has no such mailbox (RFC 5321 §4.2.3), among much else."""
_ADDRESS: Final = 1
"""The subject of codes about addresses (RFC 3463 §3.2): with it, words about a recipient are confirmed."""
_OTHER_ADDRESS: Final = (1, 0)
"""Something about an address (RFC 3463 §3.2): mostly the recipient's, but never said surely enough to suppress it."""
_SECURITY: Final = 7
"""The subject of codes about policies (RFC 3463 §3.8): a mailbox that is unavailable by one is none that is gone."""
_UNKNOWN_MAILBOX: Final = (1, 1)
_DISABLED_MAILBOX: Final = (2, 1)
"""With these, words on a recipient need to name none, and may be only near each other (RFC 3463 §3.2, §3.3)."""
_NO_DOMAIN: Final = frozenset({(1, 2), (4, 4), (4, 310)})
"""Of a domain and its DNS (RFC 3463 §3.2, §3.5): what is said of an address beside it may be said of these."""
_CROWDED: Final = frozenset({"rate", "volume", "flow_words"})
"""Groups of words on too much of something: beside a code of a full mailbox that is what the mailbox holds."""
_LATER: Final = frozenset({"later", "mailbox_for_now"})
"""Groups of words that only ask to come again: the codes say why (RFC 3463), or that one is not known yet."""
_OPEN: Final = frozenset({None, Class.POLICY, Class.UNKNOWN})
_OPEN_CODES: Final = frozenset({421, 450, 451, 452, 541, 552, 571})
"""What codes leave so open that single words may say more, which otherwise say less than any code."""
_SESSION: Final = frozenset({Phase.CONNECT, Phase.BANNER, Phase.EHLO})
"""Who is turned away here without a reason is not wanted: nothing has been said that could be wrong."""
_BEFORE_RECIPIENT: Final = frozenset({Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.STARTTLS, Phase.AUTH, Phase.MAIL})


def classify(reply: SmtpReply, phase: Phase, *, rules: RuleSet = NO_RULES, mx: str | None = None) -> Finding:
    """Return what a 4xx or 5xx reply in `phase` of the server `mx` means.

    `action` says whether to try again: `retry` and `slow_down` do, anything else behind a 5xx does not. Only what is
    known of the recipient for certain suppresses; what a server thinks of us, of the message or of the moment never
    does. At most 1 KiB of the text is read, in time linear to it.
    """
    text = phrases.fold(reply.text)
    code = enhanced.find(reply.enhanced, text)
    rule = rules.match(reply.code, code, phase, text, mx)
    if rule is not None:
        return _by_rule(rule, reply, phase)
    group = phrases.spoken(text, reply.code // 100)
    said = any(phrase in text for phrase in phrases.TOO_MANY_RECIPIENTS)
    if said or (code == enhanced.TOO_MANY_RECIPIENTS and (group is None or group.name != "relay")):
        weighed = _Weighed(
            Class.RATE_LIMITED, "too_many_recipients", Confidence.HIGH, Basis.TEXT if said else Basis.ENHANCED
        )
        return _found(reply.code, phase, weighed, retry=True)._replace(action=Action.RETRY)
    weighed = _weigh(reply.code, code, group, text)
    if (
        weighed.cls is Class.UNKNOWN
        and reply.code in _NO_MAILBOX
        and phase is Phase.RCPT
        and (phrases.names_recipient(text) or ("@" in reply.text and phrases.says_gone(text)))
    ):
        weighed = _Weighed(Class.INVALID_RECIPIENT, f"code.{reply.code}", Confidence.LOW, Basis.CODE)
    return _found(reply.code, phase, weighed)


class _Weighed(NamedTuple):
    """What the evidence speaks for, what evidence that is, and how sure it is."""

    cls: Class
    rule: str
    confidence: Confidence
    basis: Basis


def _by_rule(rule: Rule, reply: SmtpReply, phase: Phase) -> Finding:
    """Return what a rule says of a reply; what is about one recipient alone slows nobody down."""
    weighed = _Weighed(rule.cls, f"rule.{rule.id}", Confidence.HIGH, Basis.RULE)
    found = _found(reply.code, phase, weighed, retry=rule.retry)._replace(traffic=rule.traffic)
    if not rule.one_recipient:
        return found
    action = Action.RETRY if found.action is Action.SLOW_DOWN else found.action
    return found._replace(scope=Scope.RECIPIENT, action=action)


def _found(basic: int, phase: Phase, weighed: _Weighed, *, retry: bool = False) -> Finding:
    """Return what follows from a class. `retry` says that even a 5xx may be tried again."""
    cls, rule, confidence, basis = weighed
    if phase in _BEFORE_RECIPIENT:
        confidence = Confidence.LOW if cls in _ABOUT_THEM else confidence
        cls = _before_recipient(cls, basic, phase, basis)
    if phase in _SESSION and cls is Class.UNKNOWN and basic >= 500:
        cls = Class.POLICY
    if basic < 500 or retry:
        action = Action.SLOW_DOWN if cls in _SLOWING else Action.RETRY
        return Finding(cls, Permanence.TRANSIENT, SCOPES[cls], action, rule, confidence, basis)
    action = _final_action(cls, phase, confidence)
    permanence = Permanence.TRANSIENT if cls in _PASSING else Permanence.PERMANENT
    return Finding(cls, permanence, SCOPES[cls], action, rule, confidence, basis)


def _before_recipient(cls: Class, basic: int, phase: Phase, basis: Basis) -> Class:
    """Return what a class means while nobody has been named yet: it is the sender that is refused, or all of us."""
    if cls is Class.MAILBOX_FULL and basic < 500:
        return Class.UNREACHABLE  # their disk is full
    if cls is Class.MAILBOX_FULL and basis is Basis.CODE:
        return Class.MESSAGE_TOO_LARGE  # what was announced is the message's size (RFC 1870 §6.1)
    if cls in _ABOUT_THEM:
        return Class.AUTH_FAILED if phase is Phase.MAIL else Class.POLICY
    if cls is Class.CONTENT_REJECTED and basis is Basis.TEXT:
        return Class.REPUTATION_BLOCK  # nothing of the message was seen: what they mind has come from us before
    if cls is Class.DNS_FAILURE and basic >= 500:
        return Class.AUTH_FAILED  # the only names they could look up are ours
    return cls


def _weigh(basic: int, code: tuple[int, int] | None, group: Group | None, text: str) -> _Weighed:
    """Return the class that codes and words speak for."""
    meaning = None if code is None else enhanced.meaning(code)
    stated = None if meaning is None else (meaning.permanent if basic >= 500 else meaning.transient)
    rule = "" if code is None else f"enhanced.{code[0]}.{code[1]}"
    if meaning is not None and meaning.firm and stated is not None:
        group = _unhinted(group)
        said = _unhinted(_said_beside(stated, group, basic, text))
        if not _outweighs(said, stated, basic, text):
            return _Weighed(stated, rule, _by_firm_code(stated, said, group, text), Basis.ENHANCED)
        group = said
    if (
        stated is None
        and basic in _CLEAR_CODES
        and (group is None or group.hint or group.name in _VAGUE or group.cls in _SUPPRESSING)
    ):
        return _Weighed(_CLEAR_CODES[basic], f"code.{basic}", Confidence.MEDIUM, Basis.CODE)
    if group is not None and not (_says_less(group, basic, stated) or _of_another_domain(group, stated, text)):
        return _Weighed(group.cls, f"text.{group.name}", _by_words_and_code(group, code, stated, text), Basis.TEXT)
    if stated is not None:
        unsure = stated in _SUPPRESSING and phrases.names_sender(text)
        return _Weighed(stated, rule, Confidence.LOW if unsure else Confidence.MEDIUM, Basis.ENHANCED)
    if code == _OTHER_ADDRESS:
        return _Weighed(Class.INVALID_RECIPIENT, rule, Confidence.LOW, Basis.ENHANCED)
    return _Weighed(_VAGUE_CODES.get(basic, Class.UNKNOWN), f"code.{basic}", Confidence.LOW, Basis.CODE)


def _unhinted(group: Group | None) -> Group | None:
    """Return a group, but no hint: beside a code that means one thing a single word says nothing."""
    return None if group is not None and group.hint else group


def _says_less(group: Group, basic: int, stated: Class | None) -> bool:
    """Tell whether words say less than the codes beside them: much of something, or no more than to come again."""
    if group.hint:
        return stated not in _OPEN or (basic in _VAGUE_CODES and basic not in _OPEN_CODES)
    if group.name == "syntax":
        return stated is Class.POLICY
    if group.name in _LATER:
        return stated not in _SUPPRESSING and (stated is not None or basic in _VAGUE_CODES)
    return stated is Class.MAILBOX_FULL and group.name in _CROWDED


def _of_another_domain(group: Group, stated: Class | None, text: str) -> bool:
    """Tell whether words on names that DNS does not know are about the recipient's domain, as the code says."""
    return stated is Class.BAD_DOMAIN and group.name == "sender" and not phrases.says_sender(text)


def _said_beside(stated: Class, group: Group | None, basic: int, text: str) -> Group | None:
    """Return the group that speaks beside a firm code; of a recipient's code the names of web pages say nothing."""
    unlinked = phrases.without_links(text) if stated in _ABOUT_THEM else text
    return group if unlinked == text else phrases.spoken(unlinked, basic // 100)


def _by_firm_code(stated: Class, said: Group | None, group: Group | None, text: str) -> Confidence:
    """Return how sure a firm code is beside `said`, and beside `group`, for which the web addresses count too.

    What is about us makes a recipient's code doubtful, even where only the name of a web page says so, unless the
    words beside it say the same as the code.
    """
    if stated not in _ABOUT_THEM:
        return Confidence.HIGH
    if stated in _SUPPRESSING and phrases.names_sender(phrases.without_links(text)):
        return Confidence.LOW
    spoken = said if said is not None and said.cls in _SUPPRESSING else group
    return Confidence.LOW if spoken is not None and spoken.cls in _ABOUT_US else Confidence.HIGH


def _by_words_and_code(group: Group, code: tuple[int, int] | None, stated: Class | None, text: str) -> Confidence:
    """Return how sure words are beside a code, which confirms what it says itself or is about an address at all.

    What suppresses has to be sure by itself, but beside the code of just this; and a bad domain suppresses nobody.
    """
    confirmed = group.cls is stated or (code is not None and code[0] == _ADDRESS and group.cls in _ABOUT_THEM)
    if group.cls not in _SUPPRESSING:
        return Confidence.HIGH if confirmed else _by_words(group, text)
    if code in _NO_DOMAIN or (group.name == "mailbox" and code is not None and code[0] == _SECURITY):
        return Confidence.LOW
    if code == _UNKNOWN_MAILBOX or (code == _DISABLED_MAILBOX and group.cls is stated):
        return Confidence.LOW if phrases.names_sender(text) else Confidence.HIGH
    sure = _by_words(group, text)
    return Confidence.HIGH if confirmed and sure is not Confidence.LOW else sure


def _by_words(group: Group, text: str) -> Confidence:
    """Return how sure words alone are.

    Hardly, where they are only near each other; and of a recipient hardly, where they name none, could be about the
    sender, or say of a mailbox no more than that it is not to be had, beside a policy or a block.
    """
    if group.near is not None and not (group.cls is Class.INVALID_RECIPIENT and phrases.says_unknown(text)):
        return Confidence.LOW
    unsure = group.cls in _SUPPRESSING and (
        phrases.names_sender(text)
        or not phrases.names_recipient(text)
        or (group.name == "mailbox" and phrases.minds_something(text))
    )
    return Confidence.LOW if unsure else Confidence.MEDIUM


def _outweighs(group: Group | None, stated: Class, basic: int, text: str) -> bool:
    """Tell whether words say more than a firm code about a recipient: many servers have only one code for all."""
    if group is None or stated not in _ABOUT_THEM:
        return False
    if group.cls in (_CLOSER if basic >= 500 else _CLOSER_FOR_NOW):
        return True
    if _of_another_domain(group, stated, text):
        return False
    if group.cls in _ABOUT_US:
        return group.name not in _VAGUE_OF_RECIPIENTS and not phrases.says_unknown(text)
    of_a_user = stated is Class.BAD_DOMAIN and group.cls is Class.INVALID_RECIPIENT
    return of_a_user and "domain" not in text and "host" not in text and "system" not in text


def _final_action(cls: Class, phase: Phase, confidence: Confidence) -> Action:
    """Return what follows from a 5xx of a class.

    A bad domain is not suppressed on one server's word. Words after DATA are mostly about the message, so there only a
    code tells of a recipient.
    """
    if cls in _SUPPRESSING:
        sure = confidence is Confidence.HIGH or (confidence is Confidence.MEDIUM and phase is Phase.RCPT)
        return Action.SUPPRESS if sure else Action.STOP
    return Action.FIX_SENDER if cls is Class.AUTH_FAILED else Action.STOP
