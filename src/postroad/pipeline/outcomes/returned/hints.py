"""What single sentences hint at, where neither a known sentence nor a thing beside its state says why.

"Nobody left us a byte in that inbox" has no phrase to look for, and yet its words belong to one cause. So here a
sentence only has to hold a word of each of the sets that a cause needs, wherever they stand. That is little to go by:
what is found so decides the class where there would be none, and never that a recipient is suppressed.
"""

import re
import unicodedata
from typing import Final

from postroad.model.reason import Class
from postroad.pipeline.outcomes.returned import states, things

TEXT: Final = 4_096
"""Characters that are read."""

_ADDRESS: Final = re.compile(r"[^\s<>()\[\]]{1,64}@[\w.-]{1,255}")
_END: Final = re.compile(r"[.!?;](?=\s)|[。！？]|\n\s{0,80}\n")

_STAFF: Final = (
    r"person|people|employee|staff|anyone|anybody|somebody|colleague|directory|mitarbeiter|kolleg|verzeichnis|"
    r"salarié|collaborat|effectifs|annuaire|empleado|trabajador|directorio|dipendent|rubrica|elenco|funcionári|"
    r"colaborador|medewerker|pracowni|zaměstnan|munkatárs|angajat|çalışan|сотрудни|работни|співробітник|anställd|"
    r"medarbe|ansatt|työntekij|社員|従業員|担当者|员工|職員|员\b|직원"
)
_NEVER: Final = (
    r"\bnever\b|\bnie(?:mals)?\b|jamais|nunca|\bmai\b|nooit|nigdy|nikdy|soha|niciodată|никогда|aldrig|aldri|koskaan|"
    r"empty[- ]handed|came up empty|could ?n[o']t (?:be )?(?:find|found|locate|match|identif|assign|resolve)|"
    r"cannot (?:find|locate|match|identif|resolve)|did you mean|no (?:trace|match|record|entry)|(?:is|are|has|"
    r"have) no\b|there is no|there's no|gibt es|gab es|kein|aucun|il n'y a|pas (?:de|d')|no hay|ningun[oa]|no figura|"
    r"non c'è|non abbiamo|nessun|não há|não temos|nenhum|n[aã]o (?:est[aá] )?(?:cadastrad|registrad)|geen\b|"
    r"niet bekend|nie ma|brak\b|není|nejsou|nincs|nu există|yok|не числ|\bнет\b|немає|ingen|inget|finns inte|"
    r"findes ikke|finnes ikke|ei ole|δεν|おりません|いません|在籍し|ございません|没有|沒有|查无|없"
)
_NO_MORE: Final = (
    r"no longer|(?:not|n't) (?:\w+ ){0,5}any ?(?:more|longer)|nicht \w{0,20} ?(?:mehr|länger)|(?:n'|"
    r"ne )\S{1,20} (?:\w+ )?plus|plus (?:dans|parmi|chez)|ya no|non \S{1,12} più|não \w{1,20} mais|já não|"
    r"niet (?:meer|langer)|nie \w{0,20} ?już|już nie|již|\buž\b|már nem|nu mai|artık|больше не|уже не|більше не|"
    r"inte längre|ikke længere|ikke lenger|ei enää|\bleft\b|verlassen|parti\b|quitt|dejó|dejado|lasciato|deixou|"
    r"saiu\b|vertrokken|odszed|odesz|odešel|opustil|elhagyta|уш[её]л|slutat|sluttet|fratråd|withdrawn|"
    r"out of (?:service|use)|not paid|unpaid|retired|deceased|died|passed away|given up|verstorben|décéd|fallec|"
    r"decedut|falecid|overleden|zmar|zemřel|elhunyt|умер|なくな|退社|離職|离职|退休|不再|더 이상|퇴사"
)
_SPACE: Final = (
    r"\bbytes?\b|space|\broom\b|capacity|platz|speicher|kapazität|place\b|espace|capacité|espacio|sitio\b|lugar|"
    r"spazio|posto\b|espaço|\bplek\b|ruimte|miejsc|míst|\bhely|spațiu|loc\b|\byer\b|мест|місц|utrymme|plads|plass|"
    r"tilaa|χώρο|容量|空き|空間|空间|공간|용량"
)
_NONE_LEFT: Final = (
    r"\bleft\b|any ?more|no more|not enough|isn't|is no\b|too little|frees? (?:up )?|make (?:some )?room|freigeb|"
    r"freiräum|libér|libere|libera|vrijmak|zwoln|uvoln|освобо|übrig|kein|mehr|plus (?:de|d')|ne \w+ plus|n'y a plus|"
    r"aucun|no (?:queda|hay|tiene|tienen)|sin\b|non (?:c'è|ha|rimane|resta)|più|não (?:há|tem|resta)|mais|sem\b|geen|"
    r"meer|nie ma|brak|już|není|nemá|\buž\b|nincs|több|nu (?:mai|are)|kalma|yok|не (?:осталось|хватает)|нет\b|немає|"
    r"закончил|inte|inget|ikke|ingen|\bei\b|δεν|なくな|ありません|なし|足り|没有|沒有|不足|없|부족"
)
_ALL_USED: Final = (
    r"100 ?%|allowance|amount of (?:mail|data|messages)|more (?:mail|data|messages) than|completely (?:used|filled)|"
    r"(?:used|filled) (?:up )?(?:completely|entirely)|to the brim|stuffed|crammed|bursting|bis zum rand|repleto|à ras"
)
_MEGABYTES: Final = r"[0-9][0-9.,]*\s?[kmg]i?[bo](?![a-z])|[0-9]\s?[мкг]б|megabyte|mégaoctet|メガ|兆"
_MORE: Final = (
    r"limit|maxim|max\b|up to|more than|over\b|above|accept|allow|permit|bigger|larger|heavy|weigh|über|höchst|"
    r"maximal|erlaub|groß|gross|größe|dépass|jusqu|plus (?:de|gros|grand)|lourd|gros\b|máxim|más|pesa|supera|hasta|"
    r"grande|massim|oltre|fino|troppo|peso|limite|máximo|até|excede|maximaal|groter|te groot|ponad|większ|maksym|"
    r"přes|větší|velk|dovol|nagyobb|felett|mare\b|büyük|fazla|больш|более|макс|превыш|större|större|større|over|"
    r"suurempi|liian|超|制限|上限|限制|最大|过大|過大|초과|제한|최대"
)
_BIGGER: Final = (
    r"bigger|larger|heavier|größer|plus (?:gros|lourd|grand)|más (?:grande|pesad)|più (?:grande|pesant)|maior|groter|"
    r"zwaarder|większ|cięższ|větší|nagyobb|mai mare|daha büyük|больше|більш|större|større|suurempi|大き|大于|超大|"
    r"더 (?:큰|크)"
)
_HARM: Final = (
    r"virus|trojan|\bworm\b|malware|ransomware|spyware|malicious|wirus|trojaner|schadsoftware|schädlich|maliciel|"
    r"cheval de troie|maldad|malicios|troyano|dannos|malevol|malintencion|złośliw|škodliv|kártékony|zararlı|вирус|"
    r"троян|вредонос|вірус|skadlig|skadelig|haitta|κακόβουλ|ウイルス|マルウェア|病毒|木马|恶意|惡意|바이러스|악성"
)
_JUNK: Final = (
    r"phishing|\bspam|\bjunk|macros?\b|makros?\b|unsolicited|werbung|advertis|publicit|publicid|pubblicit|reklam|"
    r"hameçonnage|pourriel|indésirable|no deseado|basura|lixo|śmieci|skräppost|søppel|roskaposti|indesiderat|"
    r"indesejad|ongewenst|niechcian|nevyžádan|kéretlen|istenmeyen|спам|реклам|フィッシング|迷惑|スパム|垃圾|广告|"
    r"廣告|钓鱼|스팸|광고|피싱"
)
_REFUSED: Final = (
    r"refus|reject|turned (?:away|down)|not (?:been )?(?:deliver|accept|distribut|pass)|n't (?:deliver|accept)|"
    r"declin|discard|destroy|remov|delet|block|quarantin|return|stopp|found|contain|detect|judg|take[ns]?\b|abgewies|"
    r"abgelehnt|zurückgewies|nicht (?:zugestellt|angenommen)|verworfen|erkannt|gefunden|entdeckt|jugé|rejet|détect|"
    r"contient|rechaz|detect|contien|respin|rifiut|rilevat|trovat|recus|rejeit|encontrad|geweiger|gevonden|odrzuc|"
    r"wykryt|znalezion|odmít|zjišt|nalezen|elutasít|talált|respins|reddedil|bulun|отклон|обнаруж|найден|відхил|"
    r"avvisad|afvist|avvist|hittad|fundet|funnet|hylät|löyty|απορρίφ|拒|検出|検知|发现|检测|發現|거부|차단|발견|탐지"
)
_MAY: Final = (
    r"limited to|restrict|owners?\b|moderat|permission|(?:not|n't|never) (?:be )?(?:allow|permit|authori|entitle)|"
    r"may not|has decided|have decided|our rules|\bpolic|turned away|not wanted|unwelcome|nicht (?:befugt|berechtigt|"
    r"erwünscht)|darf|dürfen|beschränkt|erlaubnis|vorbehalten|regel|interdit|autoris|réglement|règle|réserv|limité|"
    r"permis|regla|restring|limitad|permess|regol|limitat|riservat|permiss|regra|toestemming|beperkt|regels|uprawn|"
    r"ogranicz|zasad|oprávn|omez|pravid|jogosult|korlátoz|szabály|permisi|izin|kısıt|kural|разреш|огранич|правил|"
    r"прав\b|дозвол|tillåt|behörig|tilladel|tillat|lupa\b|rajoitet|許可|権限|制限され|規則|权限|允许|规定|權限|규정|"
    r"권한|허용"
)
_NO_ROAD: Final = (
    r"no connection|hung up|hangs up|(?:closed|dropped|broke) |not (?:be )?(?:reach|made|establish|answer|respon|"
    r"come back|available)|n't (?:reach|answer|respon)|down\b|offline|out of reach|keine verbindung|nicht (?:erreich|"
    r"antwort|verfügbar)|ausgefallen|injoignable|ne répond|pas (?:de connexion|répondu|joign)|aucune (?:connexion|"
    r"réponse)|no (?:responde|contesta|hay conexión)|sin (?:conexión|respuesta)|non (?:risponde|raggiung)|"
    r"nessuna (?:connessione|risposta)|não (?:responde|respondeu)|sem (?:conexão|resposta)|geen (?:verbinding|"
    r"antwoord)|niet bereik|nie odpowi|brak połącz|nedostupn|neodpov|nem (?:elérh|válasz)|nu răspun|ulaşıla|yanıt|"
    r"недоступ|не отвеча|нет (?:связи|соединен)|svarar inte|svarer ikke|ei vasta|δεν απαντ|応答|つながら|接続でき|"
    r"无法连接|没有响应|無法連|연결할 수|응답"
)
_TIME: Final = (
    r"\bdays?\b|\bhours?\b|\bweeks?\b|\btagen?\b|\btage\b|stunden|woche|\bjours?\b|heures?\b|semaine|\bd[ií]as?\b|"
    r"horas?\b|semana|giorn|\bore\b|settiman|dagen|\buur\b|\bweek\b|\bdni\b|godzin|tydzie|tygod|\bdn[ůíy]\b|hodin|"
    r"týd|\bnap|\bór|\bhét\b|zile|\bore\b|gün|saat|hafta|дн[яей]|час|недел|тижд|dagar|timmar|veck|dage\b|timer|\buge|"
    r"uke\b|päiv|tunti|viikk|ημέρ|ώρες|日間|時間|週間|天|小时|小時|周|일간|시간|주일|일 동안"
)
_ENOUGH: Final = (
    r"\btr(?:ied|ies|ying)\b|attempt|queue|returned?\b|gave up|giv(?:e|ing) (?:it )?up|versuch|warteschlange|"
    r"geben wir|aufgegeb|essay|tentati|file d'attente|abandon|intent|cola\b|provat|coda\b|rinunci|tentou|tentamos|"
    r"fila\b|desist|geprobeer|poging|wachtrij|prób|kolejk|pokus|front|próbál|încerc|dene|попыт|пыта|очеред|спроб|"
    r"försök|forsøg|forsøk|yritt|προσπάθ|試|再送|尝试|嘗試|시도"
)


def _sets(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


_RECIPIENT: Final = f"{things.MAILBOX}|{things.PERSON}|{things.ADDRESS}|{_STAFF}"

HINTS: Final[tuple[tuple[Class, tuple[re.Pattern[str], ...]], ...]] = (
    (Class.CONTENT_REJECTED, _sets(_HARM, _REFUSED)),
    (Class.MAILBOX_FULL, _sets(_RECIPIENT, _ALL_USED)),
    (Class.MAILBOX_FULL, _sets(_RECIPIENT, _SPACE, _NONE_LEFT)),
    (Class.MESSAGE_TOO_LARGE, _sets(things.MESSAGE, _MEGABYTES, _MORE)),
    (Class.MESSAGE_TOO_LARGE, _sets(things.MESSAGE, f"{states.LARGE}|{things.SIZE}|{_BIGGER}", _MORE)),
    (Class.CONTENT_REJECTED, _sets(_JUNK, _REFUSED)),
    (Class.CONTENT_REJECTED, _sets(things.ATTACHED, states.FORBIDDEN)),
    (Class.INACTIVE_MAILBOX, _sets(_RECIPIENT, f"{_NO_MORE}|{states.CLOSED}")),
    (Class.DNS_FAILURE, _sets(things.NAMES, states.NOT_NOW)),
    (Class.BAD_DOMAIN, _sets(things.DOMAIN, states.ABSENT)),
    (Class.EXPIRED, _sets(_TIME, _ENOUGH)),
    (Class.UNREACHABLE, _sets(things.SERVER, _NO_ROAD)),
    (Class.INVALID_RECIPIENT, _sets(_RECIPIENT, f"{_NEVER}|{states.ABSENT}")),
    (Class.POLICY, _sets(f"{_RECIPIENT}|{things.MESSAGE}", _MAY)),
)
"""The sets that a sentence needs words of, for each cause, in the order in which they are believed."""


_PASSES: Final = re.compile(
    r"try (?:it )?again|again later|tempor|for now|at the moment|at this time|currently|später|vorübergehend|zurzeit|"
    r"derzeit|erneut|plus tard|provisoire|momentan|más tarde|de nuevo|più tardi|riprov|mais tarde|novamente|"
    r"tijdelijk|opnieuw|ponown|chwilow|později|dočasn|később|ideiglen|mai târziu|daha sonra|geçici|позже|временн|"
    r"пізніше|senare|tillfällig|senere|midlertidig|myöhemmin|tilapäi|αργότερα|προσωριν|一時|後ほど|しばらく|暂时|"
    r"稍后|暫時|稍後|일시|나중"
)


_FOR_NOW: Final = re.compile(
    r"temporar|vorübergehend|provisoire|transitori|tijdelijk|tymczasow|dočasn|ideiglenes|geçici|временно|тимчасово|"
    r"tillfällig|midlertidig|tilapäis|προσωριν|一時|暂时|暫時|일시"
)


def for_now(text: str) -> bool:
    """Tell whether a text calls something temporary."""
    return _FOR_NOW.search(text[:TEXT].lower()) is not None


def passes(text: str) -> bool:
    """Tell whether a text asks to try again, or says that it is so for now."""
    return _PASSES.search(text[:TEXT].lower()) is not None


def hinted(text: str) -> Class | None:
    """Return the class that a sentence of a text hints at; an address counts as that word."""
    told = unicodedata.normalize("NFKC", text[:TEXT]).lower().replace("’", "'")
    sentences = [" ".join(part.split()) for part in _END.split(_ADDRESS.sub("address", told))]
    return next(
        (cls for cls, sets in HINTS if any(all(one.search(sentence) for one in sets) for sentence in sentences)), None
    )
