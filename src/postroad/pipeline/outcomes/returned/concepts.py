"""What is said of a recipient's side in words that no list of sentences foresaw: a thing, and near it its state.

"Das Postfach des Empfängers ist derzeit voll" and "la casella di Anna risulta piena" are one thought. So each class has
the words for things (a mailbox, an address, a message) and the words for states (full, unknown, too large) in the
languages that mail systems speak; a thing and a state of one class within a few words of each other speak for it.
"""

import re
from itertools import pairwise
from typing import Final, NamedTuple

from postroad.model.reason import Class

APART: Final = 60
"""Characters that may stand between a thing and its state."""
APART_BACKWARDS: Final = 30
"""The same where the state is said first: "no such mailbox"."""

_THING, _STATE, _OTHER = range(3)

_MAILBOX: Final = (
    r"容量|spazio|мест[оа]\b|mail ?box|in ?box|mail ?folder|maildir|quota|storage|postfach|posteingang|"
    r"mailkonto|speicher|"
    r"bo[iî]te|messagerie|"
    r"buz[oó]n|bandeja|casilla|casella|caixa|correio|postvak|brievenbus|skrzynk|schránk|postafiók|postaláda|"
    r"căsuț|casuta|posta kutu|gelen kutu|ящик|скриньк|inkorg|brevlåd|postlåd|postkass|indbakke|innboks|"
    r"postilaatikko|γραμματοκιβώτιο|メールボックス|受信箱|受信トレイ|邮箱|信箱|郵箱|收件箱|메일함|메일박스|편지함|"
    r"사서함|hộp thư|กล่องจดหมาย"
)
_PERSON: Final = (
    r"account|user|recipient|konto|benutzer|empfänger|empfaenger|compte|utilisateur|destinataire|cuenta|usuario|"
    r"destinatari|utente|conta|usuário|gebruiker|ontvanger|użytkownik|odbiorc|adresat|konta|uživatel|příjemc|"
    r"felhasználó|címzett|fiók|utilizator|destinatar|contul|kullanıcı|alıcı|hesab|пользовател|получател|адресат|"
    r"одержувач|користувач|учетная запись|учётная запись|användar|mottagar|modtager|bruger|mottaker|bruker|"
    r"käyttäj|vastaanottaj|παραλήπτη|χρήστη|λογαριασμ|ユーザ|アカウント|受信者|宛先|用户|用戶|使用者|收件人|帐号|"
    r"账号|帳號|账户|사용자|수신자|받는 ?사람|계정|người nhận|tài khoản|ผู้รับ"
)
_ADDRESS: Final = (
    r"address|adress|direcci[oó]n|indirizzo|endere[cç]o|adres|\bcím|адрес|διεύθυνση|osoite|アドレス|地址|주소|địa chỉ"
)
_DOMAIN: Final = (
    r"domain|domäne|domaine|dominio|domínio|domein|domen|doména|tartomány|alan adı|домен|domän|domæne|verkkotunnus|"
    r"ドメイン|域名|網域|도메인|tên miền|host ?name|rechnername|nom d'hôte"
)
_MESSAGE: Final = (
    r"message|e-?mail|mail|attachment|nachricht|anhang|courriel|pièce jointe|mensaje|correo|adjunto|messaggio|"
    r"allegato|mensagem|anexo|bericht|bijlage|wiadomoś|załącznik|zpráv|příloh|üzenet|levél|mesaj|ileti|сообщени|"
    r"письм|вложени|лист|meddeland|besked|melding|viesti|μήνυμα|メッセージ|メール|添付|邮件|郵件|附件|메일|메시지|첨부"
)
_ABSENT: Final = (
    r"(?:does|do|did)(?: not|n't) (?:currently )?exist|not (?:a )?(?:found|valid|recogni[sz]ed|known|registered)|"
    r"unknown|invalid\b|no longer exist|non-?exist|(?:can ?not|could ?n[o']t|could not) be found|incorrect|misspel|"
    r"not (?:listed|present)|no aparece|no figura|ne figure pas|n'apparaît pas|non (?:è )?(?:presente|"
    r"elencat|compar)|"
    r"não (?:aparece|consta)|nicht (?:aufgeführt|verzeichnet|eingetragen)|niet vermeld|не значится|"
    r"(?:nobody|no ?one) (?:of|by|with|called|named)|finns ingen|ingen (?:sådan )?(?:användare|bruger|bruker|mottag)|"
    r"niet bestaat|niet langer bestaat|使われて(?:い|おり)ません|使用されて(?:い|おり)ません|ご利用いただけません|"
    r"no (?:such|user|mailbox|recipient|account) (?:\w+ )?(?:here|known|by|with|of)|"
    r"kein(?:e[nrm]?)? (?:solche[rns]? )?(?="
    r"benutzer|empfänger|postfach|konto|adresse)|aucun (?:utilisateur|compte|destinataire|abonné)|"
    r"ningún (?:usuario|buzón)|"
    r"nessun (?:utente|account|destinatario)|nenhum (?:usuário|destinatário)|geen (?:gebruiker|postvak|ontvanger)|"
    r"nie ma (?:takiego|takiej)|nincs ilyen|nu există|böyle bir|yoktur|không có|"
    r"unbekannt|existier\w* nicht|nicht (?:mehr )?(?:gefunden|existier|vorhanden|bekannt)|gibt es (?:hier )?nicht|"
    r"ungültig|ungueltig|n'existe|n existe|inexistant|inconnu|introuvable|invalide|erroné|"
    r"no existe|inexistente|desconocid|no (?:se )?(?:ha )?(?:sido )?(?:encontr|reconoc)|no (?:es )?válid|inválid|"
    r"non esist|sconosciut|non (?:è stat\w )?trovat|non (?:è )?valid|inesistent|errat[oi]\b|"
    r"n[aã]o (?:foi )?(?:existe|encontrad|reconhecid|localizad)|desconhecid|bestaat niet|onbekend|niet (?:worden )?"
    r"(?:gevonden|gekend|herkend)|ongeldig|nie istniej|nieznan|nieprawidłow|nie (?:został[ao]? )?znalez|neexistuj|"
    r"neznám|nenalezen|neplatn|nem létez|ismeretlen|nem található|érvénytelen|nu exist|necunoscut|inexistent|"
    r"invalid[ăa]|"
    r"mevcut değil|bulunamad|geçersiz|bilinmeyen|bulunmamakta|не (?:существует|найден|зарегистрирован|знайден|існу)|"
    r"неизвест|невідом|неверн|недействит|finns (?:inte|ej)|okänd|(?:hittades|kunde) inte|ogiltig|findes ikke|ukendt|"
    r"finnes ikke|ukjent|ugyldig|blev ikke fundet|ei ole olemassa|tuntematon|ei (?:löyd|tunnet)|virheelli|"
    r"δεν υπάρχ|δεν βρέθηκ|άγνωστ|存在しな|存在しません|見つかりません|見つけられません|不明|無効|間違|不存在|未找到|"
    r"找不到|无效|無效|有误|錯誤|错误|존재하지|없는|없습니다|유효하지|잘못|찾을 수|không tồn tại|"
    r"không tìm thấy|ไม่มี|ไม่พบ"
)
_CLOSED: Final = (
    r"disabled|inactive|suspended|deactivated|locked|terminated|closed\b|frozen|expired|dormant|discontinued|"
    r"no longer (?:active|in use|available|valid|accept|monitored)|gesperrt|deaktiviert|stillgelegt|inaktiv|"
    r"abgeschaltet|nicht mehr (?:aktiv|gültig|genutzt|verfügbar)|désactiv|inacti[fv]|suspendu|fermé|clôtur|"
    r"n'est plus (?:acti|valide|utilis)|desactivad|deshabilitad|inactiv|suspendid|cancelad|cerrad|dad[oa] de baja|"
    r"disattivat|disabilitat|sospes[oa]|chius[oa]|non (?:è )?più (?:attiv|valid|in uso)|desativad|inativ|suspens[oa]|"
    r"encerrad|bloquead[oa]|geblokkeerd|uitgeschakeld|gedeactiveerd|opgeheven|niet meer (?:actief|in gebruik)|"
    r"zablokowan|nieaktywn|wyłączon|zawieszon|zrušen|neaktivn|zablokov|letiltott|felfüggeszt|megszűnt|dezactivat|"
    r"suspendat|devre dışı|askıya|kapatıl|pasif|отключ|заблокирован|неактив|закрыт|удал[её]н|вимкнен|spärrat|"
    r"avstängd|avslutat|lukket|deaktivert|deaktiveret|spærret|suljettu|poistettu|απενεργοποι|停止|無効化|休眠|解約|"
    r"退会|停用|禁用|冻结|凍結|注销|已关闭|정지|휴면|비활성|탈퇴|해지|vô hiệu|tạm khóa"
)
_FULL: Final = (
    r"no (?:more )?room|room left|è terminat|закончил|недостаточно|нет (?:свободного )?мест|не хватает|"
    r"reach(?:ed|es)? (?:its|the|his|her|their) (?:\w+ )?(?:limit|quota|maximum|capacity)|(?:limit|grenze|quota) "
    r"(?:ist |wurde )?erreicht|a atteint (?:sa|son|la)|ha alcanzado|ha raggiunto|(?:foi )?atingi|"
    r"limiet (?:is )?bereikt|"
    r"przekroczy|osiągn|dosáhl|elérte|atins|limitine ulaş|sınırına|достиг|上限|制限を|限界|达到|達到|한도|"
    r"\bfull\b|exceed|over (?:its |the |his |her )?(?:limit|quota|allocat|size)|no (?:more )?space|"
    r"out of (?:disk|space|storage)|\bvoll\b|überfüllt|ueberfuellt|"
    r"erschöpft|überschritten|plein\b|pleine\b|saturé|dépass|\bllen[oa]\b|"
    r"excedid|superad|sin espacio|pien[oa]\b|esaurit|satura\b|superat|chei[oa]\b|lotad|excedeu|ultrapass|sem espaço|"
    r"\bvol\b|overschreden|pełn|przepełnion|przekroczon|\bplná|přeplněn|překročen|megtelt|betelt|\btele\b|túllép|"
    r"plin[ăa]\b|\bplin\b|depăș|depas|\bdolu|dolmuş|dolmus|aşıl|переполнен|\bполон|заполнен|превышен|переповнен|"
    r"заповнен|\bfullt?\b|\bfuld\b|överskrid|overskred|täynnä|ylitt|γεμάτ|一杯|いっぱい|満杯|超え|超過|空きがない|已满|"
    r"满了|已滿|爆满|超出|超过|不足|가득|초과|꽉|đầy|vượt quá|เต็ม"
)
_LARGE: Final = (
    r"too (?:large|big|long)|exceeds? (?:the |our |a )?(?:maximum |allowed |permitted )?(?:message )?(?:size|limit)|"
    r"zu gro(?:ß|ss)|trop (?:volumineu|gro|grand|lourd)|demasiado grande|troppo (?:grande|grosso|pesante)|"
    r"muito grande|grande demais|"
    r"te groot|za duż|zbyt duż|příliš velk|túl nagy|prea mare|çok büyük|слишком (?:больш|велик)|занадто велик|"
    r"för stor|for stor|liian suuri|πολύ μεγάλ|大きすぎ|大き過ぎ|过大|太大|過大|너무 (?:큽|크)|quá lớn"
)
_UNWANTED: Final = (
    r"\bspam(?!haus|cop|assassin)|junk|unsolicited|unerwünscht|indésirable|pourriel|\bvirus|malware|"
    r"phishing|no deseado|"
    r"indesiderat|indesejad|ongewenst|niechcian|nevyžádan|kéretlen|nedorit|istenmeyen|спам|вирус|вірус|"
    r"迷惑メール|スパム|ウイルス|"
    r"垃圾邮件|垃圾郵件|病毒|스팸|바이러스"
)
_SUSPECTED: Final = (
    r"detect|classif|consider|identif|suspect|reject|block|found|contain|appears|looks like|marked|flagged|erkannt|"
    r"eingestuft|enthält|verdächtig|détect|considéré|identifié|contient|conten|considerad|marcad|identificad|"
    r"rilevat|contrassegnat|herkend|aangemerkt|uznan|oznaczon|označen|tespit|алгоритм|распознан|признан|опознан|"
    r"判定|検出|判断|判定为|识别|认为|检测|판단|차단|탐지"
)
_SERVER: Final = (
    r"destination|server|host\b|connection|connect|network|mail ?exchanger|verbindung|netzwerk|serveur|"
    r"connexion|réseau|servidor|"
    r"conexi[oó]n|connessione|conexão|rede\b|verbinding|serwer|połączeni|spojení|kapcsolat|kiszolgáló|"
    r"sunucu|bağlantı|"
    r"сервер|соединени|з'єднанн|anslutning|forbindelse|palvelin|サーバ|接続|服务器|伺服器|连接|連線|서버|연결"
)
_SILENT: Final = (
    r"timed? ?out|refused|unreachable|not (?:respond|answer|reachable|available)|no (?:response|answer|route)|"
    r"(?:error on|failed to|could ?n[o']t|could not|can ?not|unable to) (?:connect|reach|destination|establish)|"
    r"(?:abge(?:lehnt|brochen|wiesen)|verweigert|unterbrochen|refusée|interrompue|rifiutata|interrotta|geweigerd|"
    r"odrzucone|odmítnuto|reddedildi|отклонено|разорвано|拒否|拒绝|거부)|"
    r"nicht (?:erreichbar|möglich|hergestellt)|antwortet nicht|nicht antwort|zeitüberschreitung|injoignable|"
    r"ne répond pas|échoué|inaccessible|no (?:responde|disponible)|rechazada|agotado|"
    r"non (?:risponde|raggiungibile|disponibile)|scaduto|não (?:responde|disponível)|recusada|esgotado|"
    r"niet bereikbaar|reageert niet|nie odpowiada|niedostępn|neodpovíd|nedostupn|nem válaszol|nem elérhető|"
    r"yanıt vermiyor|ulaşılam|zaman aşımı|не отвечает|недоступ|не удалось|не відповід|svarar inte|svarer ikke|"
    r"ei vastaa|応答|タイムアウト|できません|无响应|超时|無法|无法|응답|실패|초과"
)

_SENDER: Final = r"\bip\b|ip[- ]?adress|ip[- ]?address|sending (?:host|server)|ip-адрес|ip地址|ipアドレス|ip ?주소"
_DISTRUSTED: Final = (
    r"reputation|sending history|block|refus|reject|denied|banned|listed|abgelehnt|gesperrt|blockiert|bloqu|rechaz|"
    r"rifiutat|bloccat|recusad|geblokkeerd|geweigerd|odrzucon|zablokow|заблок|отклон|拒绝|屏蔽|拒否|차단|거부"
)
_LONG: Final = (
    r"\b(?:[1-9][0-9]?|two|three|four|five|six|seven|zwei|drei|vier|fünf|sieben|deux|trois|quatre|cinq|sept|dos|tres|"
    r"cuatro|cinco|siete|due|tre|quattro|cinque|dois|três|quatro|twee|drie|vijf)[ -]?(?:days?|hours?|tagen?|stunden|"
    r"jours|heures|d[ií]as|horas|giorni|ore|dagen|uur|dni|godzin|dn[ůíy]|hodin|nap|gün|saat|дн|час|日間|時間|天|小时|일)"
)
_LASTED: Final = (
    r"within|\bfor\b|after|\blang\b|\bnach\b|\bseit\b|innerhalb|pendant|après|durante|después|tras|dopo|\bper\b|após|"
    r"gedurende|\bna\b|przez|\bpo\b|után|boyunca|sonra|в течение|после|спустя|経過|以内|内|후|동안"
)


class Thought(NamedTuple):
    """What is spoken of, and how it has to be with it.

    Attributes:
        things: What is spoken of.
        states: How it is with it.
        others: Things of other classes of which the same is said; one that stands nearer takes the state for itself.
    """

    things: re.Pattern[str]
    states: re.Pattern[str]
    others: re.Pattern[str] | None = None


def _thought(things: str, states: str, others: str | None = None) -> Thought:
    return Thought(re.compile(things), re.compile(states), re.compile(others) if others else None)


FULL: Final = _thought(
    _MAILBOX,
    _FULL,
    r"message|nachricht|mensaje|messaggio|mensagem|bericht|wiadomoś|zpráv|üzenet|сообщени|письм|"
    r"attachment|anhang|メッセージ|添付|邮件|郵件|메시지",
)
"""A mailbox that is full, and nothing of a message that is too large for it."""

THOUGHTS: Final[dict[Class, Thought]] = {
    Class.MAILBOX_FULL: _thought(f"{_MAILBOX}|{_PERSON}", _FULL),
    Class.MESSAGE_TOO_LARGE: _thought(_MESSAGE, _LARGE),
    Class.INACTIVE_MAILBOX: _thought(f"{_MAILBOX}|{_PERSON}|{_ADDRESS}", _CLOSED),
    Class.BAD_DOMAIN: _thought(_DOMAIN, _ABSENT, f"{_MAILBOX}|{_PERSON}|{_ADDRESS}"),
    Class.INVALID_RECIPIENT: _thought(f"{_MAILBOX}|{_PERSON}|{_ADDRESS}", _ABSENT),
    Class.CONTENT_REJECTED: _thought(_UNWANTED, _SUSPECTED),
    Class.REPUTATION_BLOCK: _thought(_SENDER, _DISTRUSTED),
    Class.UNREACHABLE: _thought(_SERVER, _SILENT),
    Class.EXPIRED: _thought(_LONG, _LASTED),
}
"""In the order in which they are believed, after all sentences."""


def spoken(folded: str) -> Class | None:
    """Return the class of which a folded text has a thing and a state near each other."""
    return next((cls for cls, thought in THOUGHTS.items() if near(thought, folded)), None)


def near(thought: Thought, folded: str) -> bool:
    """Tell whether a thing and its state stand near each other, in time linear to the text.

    Where others claim the state as well, only a thing before it counts: `unknown user in this domain`.
    """
    things, states, others = thought
    marks = [(*found.span(), _STATE) for found in states.finditer(folded)]
    if not marks:
        return False
    marks += [(*found.span(), _THING) for found in things.finditer(folded)]
    if others is not None:
        marks += [(*found.span(), _OTHER) for found in others.finditer(folded)]
    marks.sort()
    backwards = APART_BACKWARDS if others is None else -1
    for (_, end, first), (start, _, second) in pairwise(marks):
        if (first, second) == (_THING, _STATE) and start - end <= APART:
            return True
        if (first, second) == (_STATE, _THING) and start - end <= backwards:
            return True
    return False
