"""Challenges: the recipient's side asks the sender to prove being a person before it hands the message over.

The services are many and their sentences change, but what they have to say does not: your message waits, do this and
it will be delivered, it is because of spam, and it is for this once. Who says enough of these things is one of them.
"""

import re
from typing import Final

from postroad.model.returned import Challenge, Original
from postroad.pipeline.outcomes.returned import addresses, automatic, replies
from postroad.pipeline.outcomes.returned.notice import Notice
from postroad.pipeline.outcomes.returned.sayings import listed
from postroad.wire.lenient import Entity

TEXT: Final = 2_048

_SERVICES: Final = listed(
    """
    confirm that you are | prove that you are | prove you are | verify that you are | verify you are | human being |
    not a spammer | boxbe | spam arrest | spamarrest | challenge-response | challenge/response | to release your |
    deliver your message, please | before your message can be delivered | before your message will be delivered |
    click the link below to verify | reply to this message to confirm | reply to this confirmation | whitelist |
    added to my list of | approved senders | allowed senders list | sender verification | authenticate your email |
    confirm your email so | request to be added | confirmation required | please confirm your message | mailblocks |
    antispam uol | anti-spam uol | antispam | confirmar o envio | autenticar | captcha | bestätigen sie, dass |
    подтвердите, что | confirmez que vous | confirme que | confermare di essere | tmda | knowspam | spamblocker
    """
)
_SUBJECTS: Final = listed(
    """
    please confirm your message | verification required | confirm your message | challenge | [boxbe] |
    your email requires verification | email verification | requires verification | confirm your email |
    action required to deliver | anti-spam | please verify | confirmation needed | spam arrest |
    waiting for your confirmation | message awaiting | sender confirmation | sender verification | antispam |
    allow me | confirmação | needs to be confirmed | verify your message
    """
)
_WAITS = re.compile(
    r"\bheld\b|wait ?list|waiting (?:area|room|list)|let (?:it|your (?:message|e-?mail)) through|is pending|"
    r"quarantin|on hold|awaiting|not (?:yet )?been delivered|hold(?:ing)? your|"
    r"(?:receive|deliver|release|see|read|get) (?:your|the|this|my) (?:original )?(?:e-?mail|message|mail)|"
    r"(?:message|mail)s? (?:will|can|may) (?:then )?be (?:delivered|released|forwarded)|zurückgehalten|"
    r"angehalten|wartet auf|(?:dann|danach|anschließend) wird ihre|zugestellt werden kann|retenu|en attente|"
    r"(?:sera|seront) (?:remis|délivré|transmis|distribué)|retenid|en espera|será (?:entregado|enviado)|trattenut|"
    r"in attesa|sarà (?:consegnat|recapitat|inoltrat)|retid[ao]|aguardando|seja (?:encaminhada|entregue)|"
    r"(?:soit|pour être|afin d'être) (?:remis|délivré|transmis|distribué)|será entregue|vastgehouden|"
    r"wordt (?:dan )?(?:afgeleverd|bezorgd)|zatrzyman|zostanie dostarczon|pozastaven|"
    r"bude doručen|visszatart|bekletil|teslim edilec|задержан|ожида|будет доставлен|保留|配信され|等待|将被投递|보류"
)
_DO_THIS = re.compile(
    r"click|klick|cliqu|\bclic|klik|tıkla|нажм|перейд|натисн|クリック|点击|點擊|點選|클릭|"
    r"authentifi|identifi(?:ez|er)|captcha|confirm|verif|conferm|bestätig|bevestig|potwierd|potvrď|erősít|onayla|"
    r"подтверд|підтверд|確認|验证|確認|认证|인증|"
    r"reply to this|antworten sie|répond(?:ez|re) à|responda|rispond|beantwoord|odpowied|fill (?:out|in)|"
    r"add yourself|captcha|follow (?:the|this) link"
)
_BECAUSE = re.compile(
    r"spam|junk|unsolicited|unwanted|unerwünscht|indésirable|no desead|indesiderat|indesejad|ongewenst|niechcian|"
    r"nevyžádan|istenmeyen|спам|迷惑|垃圾|스팸|robot|human|a real person|\bbot\b|mensch|humain|humano|\buman[oa]|"
    r"człowiek|человек|人間|真人|filtr|recopi|captcha|inconnu"
)
_FOR_ONCE = re.compile(
    r"\bonce\b|one[- ]time|first (?:time|message|e-?mail)|future|again|guest list|approved|allow ?(?:ed)? ?list|"
    r"white ?list|trusted|einmal|künftig|zukünftig|erste nachricht|une (?:seule )?fois|à l'avenir|prochain|"
    r"una (?:sola )?vez|en el futuro|una (?:sola )?volta|in futuro|uma (?:única )?vez|próximas|eenmal|voortaan|"
    r"jednorazow|jednou|przyszł|один раз|однократ|впредь|一度|一回|1回|今後|一次|以后|한 번|앞으로"
)


def read(mail: Entity, notice: Notice, original: Original) -> Challenge | None:
    """Return the challenge that a mail is, or None when it is none."""
    subject = mail.get("subject").lower()
    words = " ".join(f"{mail.get('from')} {subject}\n{notice.text[: 2 * TEXT]}".lower().replace("’", "'").split())
    if mail.get("list-unsubscribe"):
        return None
    if not (_by_name(mail, subject, words) or (asks(words) and not _is_something_else(mail, notice))):
        return None
    return Challenge(sender=addresses.first(mail.get("from")), original=original, text=notice.text.strip()[:TEXT])


def asks(words: str) -> bool:
    """Tell whether a text in lower case says that a message waits, what to do about it, and why or for how long."""
    if _WAITS.search(words) is None or _DO_THIS.search(words) is None:
        return False
    return _BECAUSE.search(words) is not None or _FOR_ONCE.search(words) is not None


def _is_something_else(mail: Entity, notice: Notice) -> bool:
    """Tell whether a mail is a bounce or an answer by what weighs more than words, which all of them may use."""
    bounced = bool(mail.get("x-failed-recipients")) or replies.find(notice.text[: 4 * TEXT]) is not None
    return bounced or automatic.marked(mail)


def _by_name(mail: Entity, subject: str, words: str) -> bool:
    said = sum(phrase in words for phrase in _SERVICES)
    named = any(phrase in subject for phrase in _SUBJECTS) or bool(mail.get("x-boxbe-notification"))
    return said + 2 * named >= 3 or (named and said > 0)
