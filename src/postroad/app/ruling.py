"""Rules as the command line shows them: what they say, whether they hold, and which one decides."""

from collections.abc import Iterator

from postroad.app.rulebook import RuleFiles
from postroad.model.attempt import Phase
from postroad.model.clock import MINUTE, SECOND
from postroad.model.provider import PROVIDERS
from postroad.model.traffic import Traffic
from postroad.pipeline.outcomes import enhanced, phrases
from postroad.pipeline.outcomes.classify import classify
from postroad.pipeline.outcomes.rules import Rule, RuleSet, spoken_reply, try_out
from postroad.pipeline.outcomes.rules.rule import ANY_DIGIT, StatusRange

Shown = dict[str, object]


def rule_shown(rule: Rule) -> Shown:
    """Return a rule in words."""
    return {
        "id": rule.id,
        "provider": rule.provider,
        "anywhere": rule.anywhere or rule.provider is None,
        "text": [pattern.source for pattern in rule.patterns],
        "enhanced": [_range(each) for each in rule.statuses],
        "code": sorted(str(code) if code > 5 else f"{code}xx" for code in rule.codes),
        "phase": sorted(rule.phases),
        "class": rule.cls.value,
        "retry": rule.retry,
        "one_recipient": rule.one_recipient,
        "traffic": None if rule.traffic is None else traffic_shown(rule.traffic),
        "tests": list(rule.tests),
        "file": rule.file,
    }


def _range(codes: StatusRange) -> str:
    digit = "x" if codes.digit == ANY_DIGIT else str(codes.digit)
    details = "*" if codes.low == 0 and codes.high == 999 else f"{codes.low}-{codes.high}"
    return f"{digit}.{codes.subject}.{codes.low if codes.low == codes.high else details}"


def traffic_shown(traffic: Traffic) -> str:
    """Return a measure in words, such as `slow_down to 1 connection for 15 min after 2 in an hour`."""
    parts = [traffic.measure.value]
    if traffic.connections is not None:
        parts.append(f"to {traffic.connections} connection{'' if traffic.connections == 1 else 's'}")
    if traffic.per_minute is not None:
        parts.append(f"{'and' if traffic.connections else 'to'} {traffic.per_minute:g} messages a minute")
    parts.append(f"for {_span(traffic.lasting)}")
    if traffic.after > 1:
        parts.append(f"after {traffic.after} in {_span(traffic.within)}")
    return " ".join(parts)


def _span(microseconds: int) -> str:
    if microseconds % MINUTE:
        return f"{microseconds // SECOND} s"
    return f"{microseconds // MINUTE} min"


def problems(files: RuleFiles) -> Iterator[str]:
    """Yield what is wrong with the files: flaws, and test lines that are not decided as they are meant."""
    for flaws in files.flaws.values():
        yield from map(str, flaws)
    yield from map(str, try_out(files.book.rules))


def host_of(rules: RuleSet, provider: str) -> str | None:
    """Return the name of a server that the provider could have; None when no provider is called so."""
    own = {name: suffix for suffix, name in rules.suffixes.items()}
    known = {name: suffixes[0] for name, suffixes in PROVIDERS} | own
    suffix = known.get(provider)
    return None if suffix is None else f"mx{suffix}"


def reply_explained(rules: RuleSet, written: str, phase: Phase, mx: str | None) -> Shown | None:
    """Return what a reply of the server `mx` means and why; None when it is no reply."""
    reply = spoken_reply(written)
    if reply is None:
        return None
    text = phrases.fold(reply.text)
    status = enhanced.find(reply.enhanced, text)
    found = classify(reply, phase, rules=rules, mx=mx)
    rule = rules.match(reply.code, status, phase, text, mx)
    fits = None if rule is None else next((each.source for each in rule.patterns if each.found(text)), None)
    return {
        "class": found.cls.value,
        "permanence": found.permanence.value,
        "scope": found.scope.value,
        "action": found.action.value,
        "decided_by": found.basis.value,
        "rule": found.rule,
        "confidence": found.confidence.value,
        "file": None if rule is None else rule.file,
        "pattern": fits,
        "traffic": None if found.traffic is None else traffic_shown(found.traffic),
        "provider": None if mx is None else rules.provider(mx),
        "code": reply.code,
        "enhanced": None if status is None else f"{reply.code // 100}.{status[0]}.{status[1]}",
        "text_as_read": text,
    }
