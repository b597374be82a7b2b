"""What mail systems say to people, where no reply of a server is quoted: in English, and in the languages they know.

The classifier of replies knows what servers say to servers. These are the sentences of the notices themselves: of
qmail and Exim about what they tried, of Exchange, Domino and webmail providers in the language of their user. Phrases
are looked for as plain substrings of a folded text, in the order in which they are believed.
"""

import unicodedata
from typing import Final, NamedTuple

from postroad.model.reason import Class
from postroad.pipeline.outcomes.returned import concepts

TEXT: Final = 4_096
"""Characters that are read."""


class Saying(NamedTuple):
    """Phrases that speak for one class."""

    cls: Class
    phrases: tuple[str, ...]


def listed(text: str) -> tuple[str, ...]:
    """Return the phrases of a text that are set apart by bars, in the form in which they are looked for."""
    return tuple(_plain(phrase) for phrase in text.split("|"))


def fold(text: str) -> str:
    """Return the part of a text that is read: cut, compatibility forms made one, in lower case, single spaces."""
    return " ".join([word for word in _plain(text[:TEXT]).split() if "@" not in word])


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).lower().replace("’", "'").split())


SAYINGS: Final = (
    Saying(
        Class.MAILBOX_FULL,
        listed(
            """
            cannot update mailbox | run out of space | mailbox is full | mailbox full | mailbox exceeded |
            over quota | quota exceeded | exceeded its quota | exceeded storage |
            exceeded the quota | quota has been | disk quota | is over its limit | out of storage space |
            over his quota | mailbox size limit | maildir over quota | mailbox has exceeded | mailfolder is full |
            user over quota | exceed mailbox quota | insufficient disk space for user | over the maximum allowed |
            would exceed | storage quota | full mailbox | over the allowed quota | quota violation |
            postfach ist voll | postfach des empfängers ist voll | speicherplatz | kontingent | postfach voll |
            postfach überfüllt | postfach hat seine | quota überschritten |
            boîte aux lettres du destinataire est pleine | boîte de réception est pleine | boite pleine |
            boîte aux lettres est pleine | boîte est pleine | quota dépassé | espace de stockage |
            buzón está lleno | buzón de correo está lleno | buzón lleno | bandeja de entrada está llena |
            cuota excedida | excedido su cuota | sin espacio | superado la cuota | casella piena |
            casella di posta è piena | casella di posta elettronica è piena | casella del destinatario è piena |
            spazio esaurito | quota superata | caixa postal cheia | caixa de entrada cheia | caixa cheia |
            caixa postal está cheia | cota excedida | excedeu a cota | excedeu o limite de armazenamento |
            espaço insuficiente | caixa de correio cheia | caixa de correio está cheia |
            caixa de correio do destinatário está cheia | mailbox is vol | postvak is vol | postvak vol |
            postbus is vol | quotum | skrzynka jest pełna | skrzynka pełna | skrzynka odbiorcy jest pełna |
            přeplněna | inkorgen är full | postkassen er fuld | почтовый ящик переполнен | ящик переполнен |
            ящик заполнен | превышена квота | переполнен | メールボックスの容量 | メールボックスが一杯 |
            メールボックスがいっぱい | 受信トレイがいっぱい | 容量を超え | 容量オーバー | 容量超過 | 邮箱已满 |
            邮箱空间 | 邮箱容量 | 空间不足 | 超过了邮箱容量 | 信箱已滿 | 郵箱已滿 | 空间已满 | 메일함 용량 |
            메일함이 가득 | 용량이 초과 | 용량 초과 | 메일박스 용량 | 편지함 용량
            """
        ),
    ),
    Saying(
        Class.MESSAGE_TOO_LARGE,
        listed(
            """
            message is too large | message too large | message too big | exceeds the maximum | size limit |
            larger than the | maximum message size | message size exceeds | nachricht ist zu groß |
            nachricht zu groß | überschreitet die maximale | message est trop volumineux | trop volumineux |
            taille maximale | mensaje es demasiado grande | demasiado grande | tamaño máximo |
            messaggio è troppo grande | troppo grande | dimensione massima | mensagem muito grande |
            mensagem é muito grande | tamanho máximo | слишком большой | превышает допустимый размер | te groot |
            サイズが大き | サイズを超え | サイズ制限 | 邮件太大 | 邮件过大 | 郵件太大 | 超过大小限制 | 메일 크기
            """
        ),
    ),
    Saying(
        Class.INACTIVE_MAILBOX,
        listed(
            """
            account has been disabled | account is disabled | account disabled | mailbox disabled |
            mailbox is disabled | mailbox is inactive | account is inactive | inactive account | no longer active |
            no longer in use | account has been suspended | account is suspended | account suspended |
            mailbox suspended | been suspended |
            has been deactivated | no longer accepts mail | no longer accepting | account expired |
            account has expired | account is closed | address no longer | no longer valid | no longer exists |
            has been closed | discontinued | konto wurde gesperrt | konto ist gesperrt | postfach ist deaktiviert |
            deaktiviert | nicht mehr aktiv | postfach ist gesperrt | n'est plus active | n'est plus actif |
            compte désactivé | compte est désactivé | compte suspendu | est désactivée | cuenta desactivada |
            cuenta está desactivada | cuenta inactiva | ha sido desactivad | cuenta suspendida |
            casella disabilitata | casella disattivata | account disabilitato | non è più attiv | conta desativada |
            conta inativa | caixa postal desativada | conta suspensa | учетная запись заблокирована |
            ящик заблокирован | отключен | заблокирован | konto zostało zablokowane | 帐户已停用 | 账号已被停用 |
            账号被禁用 | 账户已被冻结 | 已被禁用 | 邮箱已停用 | 已暂停 | 被暂停 | 已停用 | 휴면 | 정지된
            """
        ),
    ),
    Saying(
        Class.BAD_DOMAIN,
        listed(
            """
            no mail servers appear | no mail server for | no mail servers for |
            couldn't find any host named | couldn't find any host by that name | host or domain name not found |
            all relevant mx records point to non-existent hosts | unrouteable mail domain | domain does not exist |
            no such domain | domain not found | domain name not found | unknown host | host unknown |
            host not found | although i'm listed as a best-preference mx | although i'm listed as |
            mail for that domain loops | no mail server was found | doesn't have any mx | has no valid mail |
            no valid mail exchanger | dns domain does not exist | domain couldn't be found | domain wasn't found |
            the domain name does not | name of the domain is | unable to find domain | no mx records |
            no mail exchanger |
            hop count exceeded | too many hops | this message is looping | mail loop | too many received headers |
            loops back to myself | nxdomain |
            does not accept mail (nullmx | lowest numbered mx record points to local host |
            computer was not found | an mx or srv record indicated no | no hosts found |
            an unknown mail domain | domain is invalid | nonexistent domain | domain lookup failed |
            server for the recipient domain was not found | invalid domain | no matches to nameserver query |
            unknown mail server | domäne wurde nicht gefunden | domain existiert nicht | domain ist unbekannt |
            host nicht gefunden | domaine n'existe pas | domaine introuvable | dominio no existe |
            dominio no fue encontrado | no se encontró el dominio | no se ha encontrado el dominio |
            dominio non esiste | dominio inesistente | domínio não existe | domínio inexistente |
            domínio não encontrado | домен не существует | домен не найден | ドメインが見つかり | ドメインは存在し |
            域名不存在 | 找不到域名 | 域名无法解析 | 收件人域名 | 對方網域不存在 | 도메인이 존재하지 않
            """
        ),
    ),
    Saying(
        Class.INVALID_RECIPIENT,
        listed(
            """
            isn't one of our | is not one of our | nobody of that name |
            no mailbox here by that name | account unavailable | mailbox is not available |
             user unknown | unknown user | no such user | no such mailbox |
            no such address | user doesn't exist | does not exist | doesn't exist | address couldn't be found |
            address not found | couldn't be found | wasn't found | could not be found | address unknown |
            unknown address | recipient unknown | not listed in | this user doesn't have | doesn't have a yahoo |
            not a known user | unknown recipient | unknown local-part | unrouteable address | unroutable address |
            invalid recipient | invalid address | recipient not found | user not found | mailbox not found |
            mailbox unavailable | no such recipient | bad destination mailbox | account does not exist |
            is not known | can't create output | no such person | not a valid | unable to find recipient |
            recipientnotfound | not found in directory | no local user | unknown mailbox | mailbox unknown |
            user is unknown | e-mail account does not exist | incorrect address |
            account that you tried to reach does not | address is invalid | address you entered couldn't |
            no user by | mailbox name not allowed | name not found | unknown or illegal user | not in my directory |
            does not have an account | doesn't have an account | not our customer | non-existent | nonexistent |
            misspelled | wrong address | bad address | user name invalid | invalid user | is not a valid |
            empfänger unbekannt | empfänger ist unbekannt | unbekannter empfänger | adresse existiert nicht |
            existiert nicht | unbekannte adresse | empfängeradresse unbekannt | benutzer unbekannt |
            nicht gefunden | nicht bekannt | unbekannter benutzer | empfänger wurde nicht gefunden |
            ungültige adresse | n'existe pas | adresse inconnue | destinataire inconnu | utilisateur inconnu |
            est introuvable | inexistante | est inconnu | n'a pas été trouvé | n'est pas valide |
            n'a pas pu être trouvé | boîte inconnue | no existe | usuario desconocido | destinatario desconocido |
            dirección desconocida | no se encontró | no se ha encontrado | dirección no válida |
            no se pudo encontrar | usuario inexistente | inexistente | non esiste | utente sconosciuto |
            destinatario sconosciuto | indirizzo inesistente | non trovato | indirizzo sconosciuto |
            casella inesistente | non è stato trovato | indirizzo non valido | não existe | usuário desconhecido |
            destinatário desconhecido | endereço inexistente | não encontrado | usuário inexistente |
            não foi encontrado | endereço inválido | conta inexistente | destinatário inexistente | bestaat niet |
            onbekende gebruiker | niet gevonden | onbekend adres | nie istnieje | nieznany odbiorca |
            nieznany użytkownik | neexistuje | nenalezen | findes ikke | finns inte | eksisterer ikke | ei löydy |
            пользователь не найден | не существует | не найден | неизвестный пользователь | нет такого |
            недействителен | неверный адрес | неизвестный адрес | такого пользователя нет | 存在しません |
            見つかりません | ディレクトリのリストにありません | 登録されていません | 登録がありません |
            ユーザーが存在 | 宛先不明 | あて先不明 | アドレスが存在 |
            不存在 | 用户未找到 | 找不到 | 无效的收件人 | 无此用户 | 查无此人 | 查無此 | 地址有误 | 地址错误 |
            没有找到 | 使用者不存在 | 존재하지 않 | 없는 사용자 | 찾을 수 없 | 수신자를 찾을 | 유효하지 않은 주소
            """
        ),
    ),
    Saying(
        Class.CONTENT_REJECTED,
        listed(
            """
            contained a virus | virus was found | virus was detected | infected | considered spam |
            classified as spam | identified as spam | detected as spam | likely spam | unsolicited | spam content |
            banned attachment | blocked attachment | attachment type | forbidden attachment | content filter |
            by the content | malware | message content | als spam | spam-verdacht | enthält einen virus |
            virus gefunden | considéré comme spam | comme indésirable | considerado spam | como spam |
            contiene un virus | considerato spam | come spam | contém vírus | спамом | спам | вирус | 垃圾邮件 |
            被认为是垃圾 | 病毒 | 스팸 | 迷惑メール
            """
        ),
    ),
    Saying(
        Class.REPUTATION_BLOCK,
        listed(
            """
            blacklist | blocklist | is listed in | dnsbl | an rbl | by rbl | bad reputation | poor reputation |
            sender is blocked | ip address is blocked | blocked your | sperrliste | blockliste | schwarze liste |
            liste de blocage | lista de bloqueo | zwarte lijst |
            czarnej liście | černé listin | liste noire | lista negra |
            lista nera | чёрный список | черный список | черном списке | 黑名单 | ブラックリスト
            """
        ),
    ),
    Saying(
        Class.UNREACHABLE,
        listed(
            """
            connection refused | connection was refused | refused the connection | verbindung abgelehnt |
            verbindung verweigert | verbindung wurde abgelehnt | connexion refusée | conexión rechazada |
            connessione rifiutata | conexão recusada | verbinding geweigerd | в соединении отказано
            """
        ),
    ),
    Saying(
        Class.POLICY,
        listed(
            """
            relaying denied | relay access denied | not allowed to send | not permitted | only accepts |
            not authorized | isn't accepting messages from | not accepting mail from | permission to send |
            restricted | allowed senders | administrative prohibition | administrative policy |
            security policy | policy | don't have permission |
            delivery not authorized | rejected for policy | outside your organization |
            keine berechtigung | nicht berechtigt | zugriff verweigert |
            nicht autorisiert | richtlinie | n'accepte que | non autorisé | vous n'êtes pas autorisé |
            stratégie | no autorizado | no tiene permiso | directiva | non autorizzato |
            criteri | não autorizado | geen toestemming | 受信拒否 | 受信を拒否 | 수신거부 | 수신 거부
            """
        ),
    ),
    Saying(
        Class.RATE_LIMITED,
        listed(
            """
            server is busy | server too busy | system is busy | too many connections | too many messages in |
            rate limit | please slow down | ist überlastet | est surchargé | está sobrecargad | è sovraccaric |
            está sobrecarregad | is overbelast | перегружен | 混雑し | 서버가 혼잡
            """
        ),
    ),
    Saying(
        Class.DNS_FAILURE,
        listed(
            """
            name server failure | servfail |
            name server timeout | cname lookup failed temporarily | dns lookup failure | dns lookup failed |
            dns server failure | dns failure | dns error |
            temporarily unable to look up | temporary error in name resolution | name service error | dns problem |
            host lookup did not complete | dns query failed
            """
        ),
    ),
    Saying(
        Class.UNREACHABLE,
        listed(
            """
            couldn't establish an smtp connection | could not connect | couldn't connect | connection timed out |
            connection refused | unable to connect | connected to | connection died | no route to host |
            network is unreachable | host is unreachable | timed out while | timeout while | operation timed out |
            failed to connect | connection was dropped | lost connection | unable to reach | not responding |
            did not respond | no answer from host | unreachable | connection reset | closed connection |
            isn't responding | connection to the recipient | host down | system not available | keine verbindung |
            nicht erreichbar | verbindung | zeitüberschreitung | antwortet nicht | injoignable |
            impossible de se connecter | ne répond pas | délai d'attente | no se pudo conectar |
            no se puede conectar | tiempo de espera | no responde | impossibile connettersi | non raggiungibile |
            non risponde | não foi possível conectar | não responde | tempo limite | недоступен |
            не удалось подключиться | не отвечает | соединени | 接続できません | 接続でき | 応答がありません |
            無法連線 | 无法连接 | 连接超时 | 连接失败 | 服务器无响应 | 연결할 수 없 | 연결 실패
            """
        ),
    ),
    Saying(
        Class.EXPIRED,
        listed(
            """
            delivery time expired | retry timeout exceeded | retry time not reached | message expired |
            queue too long | has expired | maximum time | giving up | delivery period has expired |
            too long in the queue | retry limit | delivery attempts | gave up | message has been in the queue |
            could not be delivered for | was not delivered within | retry count exceeded | cannot send message for |
            could not send message for | time limit exceeded | days old | undelivered for |
            try any more | try any longer | stopped trying | no further attempt | not be tried again |
            keine weiteren versuche | nicht weiter versuch | n'essaierons plus | plus de tentative |
            no se intentará más | non verranno effettuati altri | não haverá mais tentativas |
            больше не будем | queue time | time limit reached | unable to deliver within | maximum retries |
            queue lifetime | zustellversuche |
            tentatives de remise |
            plusieurs tentatives | intentos de entrega | tentativi di consegna | tentativas de entrega | kann seit |
            попыток доставки | 期限切れ | 再送期限 | 多次尝试 | 多次嘗試
            """
        ),
    ),
)

_REFUSED: Final = listed(
    """
    rejected by the recipient | refused by the recipient | rejected by recipient | automatically rejected |
    refused to accept | message was rejected by | was refused | abgelehnt | abgewiesen | verweigert | refusé |
    rechazado |
    refuses mail from | refuses to accept | rifiutato | respinto | recusada | rejeitada | não permitido |
    geweigerd | odrzucon | отклонен | отказано |
    запрещ |
    拒否されました | 被拒绝 | 拒收 | 拒绝接收 | 拒绝 | 거부
    """
)
"""What says no more than that somebody refused: a policy, unless it is said beside what was minded."""

EXPIRY: Final = SAYINGS[-1].phrases
"""What says that somebody gave up after some time."""


_EARLY: Final = {
    Class.MAILBOX_FULL: concepts.FULL,
    Class.BAD_DOMAIN: concepts.NO_DOMAIN,
    Class.REPUTATION_BLOCK: concepts.DISTRUSTED,
}
"""Thoughts of which a later class has sentences that would take them for its own."""


def gave_up(folded: str) -> bool:
    """Tell whether a folded text says that somebody gave up after some time, or for how long it was tried."""
    return any(phrase in folded for phrase in EXPIRY) or concepts.gave_up(folded)


def spoken(folded: str) -> Class | None:
    """Return the class that a folded text speaks for."""
    for saying in SAYINGS:
        if any(phrase in folded for phrase in saying.phrases):
            return saying.cls
        early = _EARLY.get(saying.cls)
        if early is not None and concepts.near(early, folded):
            return saying.cls
        if saying.cls is Class.POLICY and any(phrase in folded for phrase in _REFUSED):
            return concepts.cause(folded) or Class.POLICY
    return concepts.spoken(folded)
