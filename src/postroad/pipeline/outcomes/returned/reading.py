"""The octets of a mail that came back, and what it is."""

import re
from typing import Final

import msgspec

from postroad.model.returned import (
    DELIVERY_HEADER,
    AutoReply,
    Complaint,
    Original,
    ReplyKind,
    Report,
    Returned,
    Unrecognised,
)
from postroad.pipeline.outcomes.returned import (
    addresses,
    automatic,
    challenges,
    complaints,
    notice,
    prose,
    quoted,
    replies,
    reports,
)
from postroad.pipeline.outcomes.returned.notice import Notice
from postroad.pipeline.outcomes.returned.sayings import listed
from postroad.wire import lenient
from postroad.wire.lenient import Entity, Limits

_DAEMON: Final = listed(
    """
    mailer-daemon | mailer daemon | mailerdaemon | mail-daemon | postmaster | mail delivery | mail-delivery |
    maildelivery | mailsystem | mail system | mdaemon | delivery subsystem | delivery system |
    system administrator | mail administrator | internet mail delivery | microsoftexchange | microsoft outlook |
    bounce | message router | mail router | mailer@ | mail server | mailserver | administrator@ | sysadmin |
    nobody@ | delivery notification | <> | postoffice | postmeister | mail gateway | mailadmin |
    mail-administrator | daemon@ | smtp gateway
    """
)
_SUBJECTS = re.compile(
    r"undeliver|un-deliver|returned mail|returned message|returned to sender|return receipt: fail|"
    r"delivery status notif|"
    r"delivery report|delivery notif|delivery fail|delivery has failed|delivery error|delivery problem|"
    r"delivery delay|delivery unsuccess|"
    r"failure notice|failure notif|failure delivery|failed delivery|failed mail|mail delivery|mail failure|mail error|"
    r"non-?\s?deliver|not delivered|could not be delivered|couldn't be delivered|cannot be delivered|"
    r"can't be delivered|"
    r"unable to deliver|problem delivering|error sending|message rejected|rejected:|rejected mail|mail rejected|"
    r"message status|mail system error|permanent error|user unknown|unknown user|message delayed|"
    r"delayed mail|delivery expir|"
    r"warning: (?:could not|message)|bounced|bounce mail|mail could not|message undeliv|message not deliv|"
    r"unzustellbar|nicht zugestellt|unzustellbarkeit|zustellfehler|zustellung|zustellbericht|konnte nicht|"
    r"non remis|non distribu|échec|echec|remise|n'a pas pu|non délivr|courrier non|"
    r"no se (?:ha )?(?:puede|pudo|podido)|devuelto|no entregado|error de entrega|no entregable|"
    r"mancat[ao] |non recapitat|impossibile recapit|non consegnat|non recapitabile|"
    r"não (?:foi )?(?:entregue|é possível)|nao (?:foi )?entregue|falha|devolvid|não pôde|"
    r"onbestelbaar|niet bezorgd|kan niet worden|niet worden afgeleverd|niedostarcz|nie dostarczon|zwrot|"
    r"nedoručiteln|kunde inte|"
    r"недоставл|не доставлен|не удалось|ошибка|невозможно|возвращ|"
    r"送信エラー|配信エラー|配信不能|配信できません|送信できません|未配信|届きません|不達|エラー通知|"
    r"退信|无法投递|未送达|发送失败|投递失败|系统退信|無法傳遞|无法送达|邮件传输失败|반송|전송 실패|"
    r"배달 실패|배달되지|발송 실패|전송실패|발송실패",
    re.IGNORECASE,
)
_JOINED: Final = str.maketrans("", "", "_.-")
_ANSWERED = re.compile(r"\s{0,4}(?:re|aw|sv|antw|fw|fwd|wg|tr|rv|res)\s?:", re.IGNORECASE)
_BANNERS: Final = listed(
    """
    this is the qmail-send program | this message was created automatically by mail delivery |
    i'm afraid i wasn't able | this is the mail system at host | could not be delivered | couldn't be delivered |
    cannot be delivered | delivery to the following | was not delivered | wasn't delivered | not be delivered |
    unable to deliver | delivery has failed | delivery failed | undeliverable | following addresses had permanent |
    transcript of session follows | did not reach | failed to deliver | couldn't deliver | has been rejected |
    was rejected | been returned | message returned | returned to you | returned mail | not been delivered |
    failed recipient | the following recipient | following address | following destination | delivery attempt |
    has failed | not deliverable | non-delivery | delivery error | delivery failure | delivery status |
    permanent fatal errors | failure reasons | problem delivering | error occurred while | an error was detected |
    could not deliver | cannot deliver | was undeliver | delayed | nicht zugestellt | unzustellbar |
    nicht ausgeliefert | zustellung | n'a pas pu être | n'a pas été remis | non remis | impossible de remettre |
    no se pudo entregar | no se ha podido | no pudo ser entregado | no ha podido ser | devuelto |
    impossibile recapitare | non è stato possibile | non è stato consegnato | não foi possível entregar |
    não pôde ser entregue | não foi entregue | foi devolvida | kon niet worden | kan niet worden | niet afgeleverd |
    invalid user address | error message below | temporary failure report | permanent failure |
    nie mogła zostać | nie została dostarczona | nelze doručit | не доставлено | не может быть доставлено |
    не удалось доставить | не было доставлено | невозможно доставить | не была доставлена | 配信できません |
    送信できません | 届けることができません | 届きません | 配信に失敗 | 送信に失敗 | お届けできません |
    配送できません | 退回 | 无法投递 | 未能送达 | 无法发送 | 投递失败 | 发送失败 | 未被送达 | 无法送达 | 無法傳遞 |
    전송되지 | 배달되지 | 전송에 실패 | 반송 | 발송하지 못
    """
)
_BOUNCE: Final = 3
ENCLOSED: Final = 20
"""Messages within a mail that are looked into, when the mail itself is no report: people pass reports on."""
ENCLOSED_DEPTH: Final = 3
"""Levels of messages within messages."""


def read_returned(octets: bytes, *, envelope_from: str | None = None, limits: Limits = lenient.LIMITS) -> Returned:
    """Return what a mail that came back is, whatever its octets are.

    Args:
        octets: The mail as it came in.
        envelope_from: The sender of its envelope, empty for the null path, where that is known.
        limits: How much of it is read; time and memory are linear in that.
    """
    mail = lenient.read(octets, limits)
    said = notice.read(mail)
    original = quoted.original(said.copy, mail)
    if _is_ours(mail):  # it was sent on to us: what it says is no word of whoever received it
        return _unrecognised(mail, original)
    structured = _structured(mail, said, original)
    if structured is not None:
        return structured
    enclosed = _enclosed(mail, 1 if _is_daemon(mail) else ENCLOSED_DEPTH)
    within = _together([found for one in enclosed if (found := _structured_alone(one)) is not None])
    whole = _unstructured(mail, said, original, envelope_from)
    if within is not None:
        return whole if _speaks_for_itself(mail, said, whole, within) else within
    if isinstance(whole, Unrecognised):
        return next((prosaic for one in enclosed if (prosaic := _unstructured_alone(one)) is not None), whole)
    return whole


def _structured(mail: Entity, said: Notice, original: Original) -> Returned | None:
    """Return what a mail is that has a machine's part, or None without one."""
    complaint = complaints.read(mail, said, original)
    if complaint is not None:
        return complaint
    report = reports.standard(mail, said, original)
    if report is not None:
        return report
    disposition = next((part for part in mail.walk() if part.media_type.endswith("disposition-notification")), None)
    if disposition is not None:
        return reports.rejected(mail, disposition, said, original) or _receipt(mail, original)
    return None


def _enclosed(mail: Entity, depth: int) -> list[Entity]:
    """Return the messages that somebody has passed on within a mail, and those within them, outermost first.

    A message of our own is none of them, nor what is in it: that came back, and what it says our customer wrote.
    """
    found: list[Entity] = []
    for part in mail.walk() if depth > 0 else ():
        inner = _message_in(part)
        if inner is not None and not _is_ours(inner):
            found += [inner, *_enclosed(inner, depth - 1)]
    return found[:ENCLOSED]


def _is_ours(mail: Entity) -> bool:
    return bool(mail.get(DELIVERY_HEADER.lower()))


def _message_in(part: Entity) -> Entity | None:
    if part.children and part.media_type in {"message/rfc822", "message/global"}:
        return part.children[0]
    return lenient.read(part.octets()) if quoted.is_attached(part) else None


def _structured_alone(mail: Entity) -> Report | Complaint | None:
    """Return the report or the complaint that a message within a mail is, if a machine's part says so."""
    said = notice.read(mail)
    found = _structured(mail, said, quoted.original(said.copy, mail))
    return found if isinstance(found, Report | Complaint) and found.standard else None


def _unstructured_alone(mail: Entity) -> Report | None:
    said = notice.read(mail)
    found = _unstructured(mail, said, quoted.original(said.copy, mail), None)
    return msgspec.structs.replace(found, enclosed=True) if isinstance(found, Report) else None


def _together(found: list[Report | Complaint]) -> Report | Complaint | None:
    """Return several reports that came in one mail; a complaint among them is worth more than they are.

    Only reports on the same message are one: what proves the first would else be taken for a proof of all. Those on
    other messages stand beside the first.
    """
    complaint = next((one for one in found if isinstance(one, Complaint)), None)
    if complaint is not None:
        return msgspec.structs.replace(complaint, enclosed=True)
    by_message: dict[tuple[str | None, ...], list[Report]] = {}
    for one in [one for one in found if isinstance(one, Report)]:
        by_message.setdefault(_message_of(one), []).append(one)
    if not by_message:
        return None
    first, *others = (_as_one(alike) for alike in by_message.values())
    return msgspec.structs.replace(first, others=tuple(others))


def _as_one(alike: list[Report]) -> Report:
    recipients = tuple(dict.fromkeys(recipient for one in alike for recipient in one.recipients))
    return msgspec.structs.replace(alike[0], recipients=recipients[: prose.RECIPIENTS], enclosed=True)


def _message_of(report: Report) -> tuple[str | None, str | None, str | None]:
    """Return what tells the message that a report is about from others."""
    return report.original.return_path, report.original.delivery_token, report.original.message_id


def _speaks_for_itself(mail: Entity, said: Notice, whole: Returned, within: Report | Complaint) -> bool:
    """Tell whether a mail is what it says itself, and the report within it the content of what it returns.

    So it is with an answer to one of our messages, and with a bounce that names others than the report does: the header
    that tells a message of ours may have been taken off on its way.
    """
    if isinstance(whole, AutoReply):
        return automatic.marked(mail)
    if not isinstance(whole, Report):
        return False
    text = said.text.lower()
    here = {one.address.lower() for one in whole.recipients if one.address and one.address.lower() in text}
    return bool(here) and here.isdisjoint(_named(within))


def _named(found: Report | Complaint) -> set[str]:
    """Return the addresses that a report or a complaint is about, in lower case."""
    if isinstance(found, Complaint):
        return {address.lower() for address in found.recipients}
    return {name.lower() for one in found.recipients for name in (one.address, one.original, one.final) if name}


def _unstructured(mail: Entity, said: Notice, original: Original, envelope_from: str | None) -> Returned:
    """Tell apart what only its words tell apart."""
    daemon = _is_daemon(mail)
    score = _score(mail, said, original, envelope_from)
    asked = challenges.read(mail, said, original)
    if asked is not None and not (daemon and score > _BOUNCE):
        return asked
    if automatic.marked(mail) and not (daemon and score > _BOUNCE + 1):
        return automatic.answer(mail, said, original)
    if score >= _BOUNCE and not _answers_as_person(mail, said, daemon=daemon):
        return Report(recipients=prose.recipients(mail, said.text, original), original=original)
    wish = automatic.request(mail, said, original)
    if wish is not None:
        return wish
    if automatic.marked(mail) or automatic.submitted(mail) or automatic.speaks(mail, said):
        return automatic.answer(mail, said, original)
    return _unrecognised(mail, original)


def _answers_as_person(mail: Entity, said: Notice, *, daemon: bool) -> bool:
    """Tell whether somebody's own mailbox says that he is away, in words that may sound like those of a bounce."""
    evidence = said.copy is not None or mail.get("x-failed-recipients") or replies.find(said.text[:8_000])
    return not (daemon or evidence) and automatic.submitted(mail) and automatic.speaks(mail, said)


def _score(mail: Entity, said: Notice, original: Original, envelope_from: str | None) -> int:
    """Return how much speaks for a bounce; from `_BOUNCE` on it is one."""
    subject = mail.get("subject").replace("’", "'")
    words = " ".join(said.text[:4_000].lower().replace("’", "'").split())
    score = 2 * _is_daemon(mail)
    score += 2 * (_SUBJECTS.search(subject[:300]) is not None and _ANSWERED.match(subject) is None)
    score += 2 * any(phrase in words for phrase in _BANNERS)
    score += 3 * bool(mail.get("x-failed-recipients"))
    score += envelope_from == "" or mail.get("return-path").strip() == "<>"
    score += replies.find(said.text[:8_000]) is not None
    score += said.copy is not None
    return score - 2 * (bool(mail.get("in-reply-to")) and not _is_daemon(mail))


def _is_daemon(mail: Entity) -> bool:
    sender = mail.get("from").lower()
    joined = sender.translate(_JOINED)
    return any(name in sender or name in joined for name in _DAEMON) or not sender


def _unrecognised(mail: Entity, original: Original) -> Unrecognised:
    return Unrecognised(sender=addresses.first(mail.get("from")), subject=mail.get("subject")[:500], original=original)


def _receipt(mail: Entity, original: Original) -> AutoReply:
    return AutoReply(kind=ReplyKind.RECEIPT, sender=addresses.first(mail.get("from")), original=original)
