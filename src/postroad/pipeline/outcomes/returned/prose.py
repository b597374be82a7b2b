"""Bounces that are no delivery reports: what qmail, Exim, old Sendmail, Domino, providers and many others write.

There are too many of them to know each by its sentences, and they change. What they have in common is a text that
names the recipient, gives a reason beside it, and shows the message below; so that is what is read. The few that hide
one of the three are known by a header of theirs.
"""

import re
from collections.abc import Iterator
from typing import Final

from postroad.model.attempt import SmtpReply
from postroad.model.returned import Original, ReportAction, ReportedRecipient
from postroad.pipeline.outcomes.returned import addresses, replies
from postroad.pipeline.outcomes.returned.sayings import listed
from postroad.wire.lenient import Entity

TEXT: Final = 2_048
RECIPIENTS: Final = 100

_LINE_LEAD = re.compile(
    r"[\s>*#.:|=<\"'(\[•-]{0,20}(?:\d{1,3}[.)]\s?)?(?:(?:final[- ])?(?:recipient|rcpt|to|address|user|mailbox|"
    r"e-?mail|an|failed|empfänger|destinataire|destinatario|destinatário|para|à|a|кому|получатель|адрес|宛先|"
    r"收件人|"
    r"수신자|받는사람)(?: (?:address|to|is|recipient|adresse))?\s{0,4}[:=>：]{0,3})?[\s<\"'(\[]{0,8}",
    re.IGNORECASE,
)
_OURS_OR_NOBODY: Final = frozenset(
    (
        *(
            "mailer-daemon",
            "postmaster",
            "mailerdaemon",
            "abuse",
            "support",
            "helpdesk",
            "noreply",
            "no-reply",
            "daemon",
        ),
        *("mail-daemon", "hostmaster", "webmaster", "root", "bounce", "bounces", "double-bounce", "mdaemon", "spam"),
        *("mail-noreply", "feedback", "info-abuse", "postoffice", "antispam", "help", "unblock", "delist", "removeme"),
    )
)
_ID_BEFORE = re.compile(
    r"(?:message[- ]?id|\bid|reference|nummer|references|queue id)\s{0,3}(?:is|was)?\s{0,3}[:=#]?\s{0,3}[<\[]{0,2}\Z",
    re.IGNORECASE,
)
_SENDER_BEFORE = re.compile(
    r"(?:\bfrom|sender|absender|(?:^|\n|nachricht |mail |schreiben )[ \t>]{0,4}von|expéditeur|remitente|mittente|"
    r"remetente|отправител\w*|差出人|发件人|보낸사람|contact|reply-to|return-path|mail from|kontakt\w*|contacter|"
    r"(?:please|or|then|questions?,?|problems?,?) write to|e-?mail us at|please mail|"
    r"forward this to)[\s:=<\"'(\[]{0,12}\Z",
    re.IGNORECASE,
)
_ALONE = re.compile(r"[ \t]{0,8}<[^\s<>]{3,320}>:[ \t]{0,3}(?:\n|\Z)")
_GENERATED = re.compile(r"\A[\s>)]{0,20}\((?:generated|ultimately generated) from\s{1,20}", re.IGNORECASE)

_DELAYED: Final = listed(
    """
    delivery delayed | delivery is delayed | delayed mail | has been delayed | message delayed |
    warning message only | could not send message for past | will continue to try | will keep trying |
    still being retried | warning: message | has not yet been delivered | not been delivered yet |
    no action is required on your part | will be retried | delivery attempts will continue |
    you do not need to resend | no need to send it again | no need to resend | only a warning |
    do not need to resend | is still in the queue | temporarily deferred |
    is delayed for more than | do not need to re-send | temporary failure report | delivery status (delayed) |
    will try again | delivery status notification (delay) | will retry for | still trying | verzögert |
    zustellung verzögert | wird weiterhin versucht | retardé | remise retardée | livraison retardée | retrasado |
    se retrasó | demora en la entrega | in ritardo | consegna ritardata | entrega atrasada | adiada | vertraagd |
    задержан | отложена | 配信が遅れ | 配信遅延 | 遅延 | 延迟 | 延遲 | 지연
    """
)
_NOT_YET = re.compile(
    r"still waiting|been waiting|is (?:waiting|queued)|(?:still|remains?|is|stays?) in (?:our|the) |wartet (?:noch|"
    r"seit|bei)|warteschlange|en file d'attente|est en attente|en cola\b|in coda\b|na fila\b|in de wachtrij|"
    r"w kolejce|ve frontě|várólist|în coadă|kuyru|в очереди|у черзі|i kö\b|i kø\b|jonossa|キュー|队列|佇列|대기|"
    r"slower than|longer than (?:usual|expected)|not (?:yet )?been delivered (?:yet|so far)|not (?:\w+ ){0,5}yet|"
    r"noch nicht|bisher nicht|pas encore|aún no|todavía no|non ancora|non è ancora|ainda não|nog niet|jeszcze nie|"
    r"dosud ne|ještě ne|még nem|nu a fost încă|henüz|ещё не|еще не|ще не|ännu inte|endnu ikke|ennå ikke|"
    r"ei ole vielä|"
    r"まだ|尚未|还未|아직"
)
_GOES_ON = re.compile(
    r"next (?:delivery )?(?:attempt|try)|nächste[rn]? (?:zustell)?versuch|prochaine tentative|próximo (?:intento|"
    r"envío)|prossimo tentativo|próxima tentativa|volgende poging|następna próba|další pokus|következő kísérlet|"
    r"следующая попытка|nästa försök|næste forsøg|neste forsøk|次回|下次|다음 시도|(?:go on|keep|goes on|"
    r"continue) (?:try|sending|attempt|at it|on )|(?:will|shall) (?:then )?be delivered (?:later|as soon|once|"
    r"when)|"
    r"until (?:then|it|we)\b.{0,40}\btry|(?:will|shall|to) (?:\w+ )?(?:be )?(?:try|tried|retr|continu|keep|attempt|"
    r"reattempt)|further attempts|weiter(?:e|hin)? (?:zustell)?versuch|erneut versucht|nicht erneut|réessa|"
    r"nouvelles? tentatives?|poursuiv|reintent|seguir(?:á|emos|án) intent|ritent|riprov|ulteriori tentativi|"
    r"continuar|tentar(?:á|emos) novamente|opnieuw|ponow|ponawia|kolejne próby|opakov|další pokus|újra|tekrar|"
    r"повтор|"
    r"再送|再試行|继续|重试|재시도|다시"
)
_NOT_DELAYED: Final = listed(
    """
    giving up | given up | gave up | not going to try again | permanent error | permanent fatal | has failed |
    retry timeout exceeded | no longer be retried | no further | queue too long | undeliverable
    """
)
_GIVEN_UP = re.compile(
    r"envelope expired|(?<!if it )(?<!once it )(?<!when it )(?<!until it )has expired|been given up|gave up|"
    r"(?<!before )(?<!without )(?<!not )giving up|not be retried|no longer be retried"
)
"""What nobody writes who still tries: it is over, not that it will be some day, or would be if."""
_DELIVERED: Final = listed(
    """
    successfully delivered | delivered successfully | has been delivered to | was delivered to |
    delivery successful | erfolgreich zugestellt | remis avec succès | entregado correctamente |
    consegnato correttamente | successfully relayed | relayed to the following | успешно доставлен |
    配信されました | delivery to the following recipients succeeded
    """
)


def recipients(mail: Entity, text: str, original: Original) -> tuple[ReportedRecipient, ...]:
    """Return whom the text of a bounce names, each with the reason that stands beside it.

    Args:
        mail: The bounce itself, whose header names recipients in some dialects.
        text: What it says, without the copy of the message.
        original: What is known of the message.
    """
    subject = mail.get("subject")
    if next(_candidates(mail, text, original), None) is None and next(addresses.find(subject), None) is not None:
        text = f"{subject}\n\n{text}"
    anywhere = ReportedRecipient(
        action=action_of(mail.get("subject"), text),
        status=replies.status_in(text),
        diagnostic=replies.find(text),
        text=text.strip()[:TEXT],
    )
    named = _named(mail, text, original) or _answered(mail, text)
    found: list[ReportedRecipient] = []
    for number, (address, start, end) in enumerate(named):
        limit = named[number + 1][1] if number + 1 < len(named) else len(text)
        before = text[max(0, start - TEXT) : start] if number == 0 else ""
        lead = text[text.rfind("\n", 0, start) + 1 : start] if start else ""
        quoted = replies.find(lead + text[start : max(limit, end)]) if replies.find(lead) else None
        found.append(_recipient(address, text[end : max(limit, end)], before, anywhere, quoted))
    return tuple(found) or (anywhere,)


def given_up(subject: str, text: str) -> bool:
    """Tell whether a notice says that no more is tried, and nothing of a delay."""
    words = " ".join(f"{subject}\n{text[:4_000]}".lower().replace("’", "'").split())
    return _GIVEN_UP.search(words) is not None and not _delays(words)


def _delays(words: str) -> bool:
    return any(phrase in words for phrase in _DELAYED) or bool(_NOT_YET.search(words) and _GOES_ON.search(words))


def action_of(subject: str, text: str) -> ReportAction:
    """Return what a notice says became of the message."""
    words = " ".join(f"{subject}\n{text[:4_000]}".lower().replace("’", "'").split())
    if _delays(words) and not any(phrase in words for phrase in _NOT_DELAYED):
        return ReportAction.DELAYED
    return ReportAction.DELIVERED if any(phrase in words for phrase in _DELIVERED) else ReportAction.FAILED


def _recipient(
    address: str, beside: str, before: str, anywhere: ReportedRecipient, quoted: SmtpReply | None
) -> ReportedRecipient:
    """Read the reason out of the reply that holds an address, else beside it, else before it, else anywhere."""
    generated = _GENERATED.match(beside)
    source = next(addresses.find(beside[generated.end() : generated.end() + 400]), None) if generated else None
    near = beside.strip(" \t\n>:;.,)'\"-")
    before, _, lead = before.rpartition("\n\n")
    words = f"{lead.strip()} {address} {near}\n{before.strip()}" if len(near) < 400 else near
    return ReportedRecipient(
        address=source.address if source else address,
        final=address,
        original=source.address if source else None,
        action=anywhere.action,
        status=(quoted.enhanced if quoted else None) or replies.status_in(beside) or anywhere.status,
        diagnostic=quoted or replies.find(beside) or replies.find(before) or anywhere.diagnostic,
        text=words[:TEXT],
    )


def _leads(text: str, start: int) -> bool:
    """Tell whether an address that stands at `start` is what its line is about."""
    lead = text[text.rfind("\n", max(0, start - 100), start) + 1 : start]
    return len(lead) < 80 and _LINE_LEAD.fullmatch(lead) is not None


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether a line is nothing but an address and a colon, as before the reason of one recipient of several."""
    line = text[text.rfind("\n", max(0, start - 100), start) + 1 : end + 3]
    return _ALONE.match(line) is not None


def _named(mail: Entity, text: str, original: Original) -> list[tuple[str, int, int]]:
    """Return the recipients with where their names stand in the text, in its order, none twice."""
    failed = [address for value in mail.all("x-failed-recipients") for address in addresses.every(value)]
    everyone = list(_candidates(mail, text, original))
    found: dict[str, tuple[str, int, int]] = {}
    alone = [one for one in everyone if _stands_alone(text, one[1], one[2])]
    for wanted in (failed, list(original.recipients)):
        for address in wanted[:RECIPIENTS]:
            at = next((one for one in everyone if addresses.same(one[0], address)), None)
            if at is not None or wanted is failed:
                found.setdefault(address.lower(), at or (address, 0, 0))
        if found:
            for one in alone[:RECIPIENTS]:
                found.setdefault(one[0].lower(), one)
            return sorted(found.values(), key=lambda one: one[1])
    leading = [one for one in everyone if _leads(text, one[1])]
    for one in leading or everyone[:1]:
        found.setdefault(one[0].lower(), one)
    if not found and len(original.recipients) == 1:
        return [(original.recipients[0], 0, 0)]
    return list(found.values())[:RECIPIENTS]


def _answered(mail: Entity, text: str) -> list[tuple[str, int, int]]:
    """Return whom a bounce names when that is whom it went to: who writes to himself gets it back himself."""
    to = addresses.first(mail.get("to"))
    found = (one for one in addresses.find(text) if addresses.same(one.address, to) and _leads(text, one.start))
    return [(one.address, one.start, one.end) for one in found][:1]


def _candidates(mail: Entity, text: str, original: Original) -> Iterator[tuple[str, int, int]]:
    """Yield the addresses in the text that may be a recipient's: not those of its header, nor of a service."""
    people = (addresses.first(mail.get("from")), addresses.first(mail.get("reply-to")), addresses.first(mail.get("to")))
    others = {one.lower() for one in (*people, original.sender, original.return_path) if one}
    wanted = {one.lower() for one in original.recipients}
    for found in addresses.find(text):
        folded = found.address.lower()
        lead = text[max(0, found.start - 60) : found.start]
        if folded in wanted:
            yield found
        elif folded in others or folded.partition("@")[0] in _OURS_OR_NOBODY:
            continue
        elif not _ID_BEFORE.search(lead) and not _SENDER_BEFORE.search(lead):
            yield found
