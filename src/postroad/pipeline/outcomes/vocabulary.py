"""What words name, in the languages that mail servers speak: English first, then those of Europe and East Asia.

Entries are folded as replies are (`phrases.plain`): lower case, no accents on Latin letters, an apostrophe is a space.
A word may stand here only if nearly everybody means the same by it near its partner; what is said of the sender's side
has marks of its own (`sender`, `host`), so that `IP address` is no address of a recipient.
"""

from typing import Final

from postroad.pipeline.outcomes.nearness import HOST, Near, Vocabulary

LISTED: Final = {
    "box": """
        rcptto | konta | kontem | recipient s | mail drop | mailbox | mailboxes | mail box | maildrop | inbox |
        account | accounts | user | users | username | user name | recipient | recipients | recepient | reciepient |
        receipient | addressee | address | addresses | customer | subscriber | person | alias | mail account |
        email account | email id | userid | mailboxname | mailadresse | benutzer- | nutzer | empfaenger- | empfanger- |
        postfach- | mailkonto | konto | kontos | adresse | adressen | mailbox- | utilisateur- | destinataire- | boite |
        boites | compte | usuario- | destinatario- | buzon | direccion | direcciones | cuenta | casilla | utilizador |
        caixa | conta | endereco | utente | casella | indirizzo | gebruiker- | ontvanger | postbus | postvak | adres |
        uzytkownik- | skrzynk- | skrzynek | odbiorc- | adresat- | uzivatel- | schrank- | prijemce | ucet | adresa |
        pouzivatel- | пользовател- | ящик- | адрес | адреса | адресат- | получател- | аккаунт- | учетная запись |
        учётная запись | користувач- | скринька | kullanici- | alici- | posta kutusu | posta kutusunun | hesap |
        hesabi | felhasznalo- | postafiok- | cimzett- | cim | utilizator- | destinatar- | casuta | anvandare- |
        mottagare- | brevlada- | bruker- | modtager- | postkasse- | mottaker- | kayttaja- | vastaanottaja- |
        postilaatikko | osoite- | χρηστης | παραληπτης | ユーザ | 宛先 | 宛て先 | 受信者 | メールアドレス |
        メールボックス | アカウント | 利用者 | 用户 | 用戶 | 使用者 | 收件人 | 收信人 | 邮箱 | 郵箱 | 信箱 | 账号 |
        帐号 | 帳號 | 账户 | 收件地址 | 사용자 | 수신자 | 메일함 | 계정 | 수신인 | 편지함 | 메일주소 | kein postfach |
        kein konto | keine mailbox | kein benutzer | kein nutzer | kein empfanger | keine adresse | geen postbus |
        geen mailbox | geen gebruiker | geen account | no person by | pas de boite | aucun utilisateur | aucune boite |
        ningun usuario | nenhum usuario | nenhum utilizador
    """,
    "person": """
        user | users | usuario- | utilisateur- | benutzer- | nutzer | utente | utilizador | gebruiker- | uzytkownik- |
        uzivatel- | пользовател- | kullanici- | mailbox | 用户 | ユーザ
    """,
    "gone": """
        was never | never heard | spelling | know nobody | no one with that | no one by that | errato | unknown |
        unkown | unknow | unknwon | not found | cannot be found | can not be found | can t be found |
        could not be found | couldn t be found | not exist- | doesn t exist | does not exist | doesnt exist |
        does n t exist | non exist- | nonexist- | inexistent | never existed | invalid | not valid | not a valid |
        isn t valid | not recogni- | unrecogni- | no such | isn t here | not here | not present | not known | missing |
        could not be located | cannot be located | not located | unable to locate | unable to find | undefined |
        not defined | not registered | unregistered | unassigned | not in our | not on this | not on our |
        does not match any | not a local | not local | incorrect | wrong | mistyped | misspelled | unroutable |
        unrouteable | no one here | nobody | there is no | there s no | not have | doesn t have | not setup |
        not set up | unbekannt- | existiert | nicht bekannt | nicht gefunden | nicht vorhanden | nicht verfugbar |
        gibt es nicht | gibts nicht | ungultig- | ungueltig- | falsche | inconnu- | n existe | n existent |
        inexistant- | introuvable- | invalide- | desconocid- | no existe | no encontrad- | inexistente | no valid- |
        incorrect- | no se encuentra | desconhecid- | nao existe | nao encontrad- | nao existent- | invalid- |
        sconosciut- | inesistent- | non esiste | non trovat- | non valid- | nessun | nessuna | onbekend- |
        bestaat niet | niet gevonden | ongeldig- | niet bekend | nieznan- | nie istnieje | nie znaleziono |
        nie znalezion- | nie ma | brak | nieprawidlow- | nieistniej- | neexistuj- | neznam- | nenalezen- | neplatn- |
        не найден- | не существует | неизвестн- | нет такого | нет такой | несуществующ- | неверн- | отсутствует |
        не зарегистр- | не знайден- | не існує | невідом- | bulunamadi | bulunmamakta- | bulunmuyor | yok | gecersiz |
        bilinmeyen | mevcut degil | tanimsiz | nem letezik | nem letezo | ismeretlen | nem talalhato | necunoscut- |
        nu exista | okand- | finns inte | finns ej | ogiltig- | ukendt | ukjent | findes ikke | finnes ikke |
        eksisterer ikke | tuntematon | ei ole olemassa | ei loydy | άγνωστος | αγνωστος | δεν υπαρχει | 存在しません |
        存在しない | 存在致しません | 見つかりません | 不明 | 無効 | ありません | 不存在 | 未找到 | 找不到 | 无此 |
        查无 | 無此 | 无效 | 未知 | 不正确 | 존재하지 | 없는 | 없습니다 | 알 수 없 | 찾을 수 없 | not belong |
        doesn t belong | no record | no entry | came back empty | fiction- | fictitious | absent | nonexisting |
        non existing | unresolvable | isn t known | not one of our | not one of ours | not assigned | not identified |
        unidentified | no trace | not hosted on | not there | nothing known | no results | yields nothing |
        isn t hosted | n est pas connu- | no fue encontrad- | fue encontrad- | failed to find | could not find |
        couldn t find | n existe- | ne existe- | returned nothing | kein postfach | kein konto | keine mailbox |
        kein benutzer | kein nutzer | kein empfanger | keine adresse | geen postbus | geen mailbox | geen gebruiker |
        geen account | no person by | pas de boite | aucun utilisateur | aucune boite | ningun usuario |
        nenhum usuario | nenhum utilizador
    """,
    "shut": """
        bloccat- | expirad- | blocked due to inactivity | gelost | vervallen | wygas- | disabled | inactive |
        suspended | closed | locked | frozen | dormant | expired | deactivated | de activated | terminated | canceled |
        cancelled | discontinued | deleted | removed | retired | abandoned | archived | no longer | not active |
        not activated | isn t active | not enabled | not in use | unused | decommissioned | revoked | desactive- |
        suspendu- | ferme | fermee | supprime- | cloture- | resilie- | inactif | inactive- | gesperrt- | deaktiviert- |
        geloscht | geloescht | geschlossen | stillgelegt | inaktiv | abgelaufen | nicht mehr | desactivad- |
        deshabilitad- | suspendid- | cancelad- | inactiv- | bloquead- | dado de baja | desativad- | inativ- |
        encerrad- | suspens- | disattivat- | sospes- | chius- | disabilitat- | scadut- | geblokkeerd | opgeheven |
        gedeactiveerd | inactief | niet meer | zablokowan- | nieaktywn- | zawieszon- | usuniet- | zablokovan- |
        zrusen- | neaktivn- | deaktivovan- | заблокирован- | отключен- | отключён- | неактивн- | удален- | удалён- |
        закрыт- | kapali | kapatilmis | askiya | devre disi | letiltva | megszunt | dezactivat | inactivat | avstangd |
        stangt | nedlagt | suljettu | 停止 | 凍結 | 削除 | 解約 | 停用 | 冻结 | 禁用 | 已停 | 锁定 | 注销 | 정지 |
        휴면 | 비활성 | 탈퇴 | turned off | switched off | shut down | out of use | out of service |
        changed his | changed her | gekundigt | gekuendigt | purged | erased | disused | ended
    """,
    "room": """
        room | quota | quotas | storage | space | disk | speicher | speicherplatz | platz | espace | espacio |
        espaco | spazio | ruimte | miejsce | misto | место | kota | kotasi | tarhely | spatiu | 容量 | 空间 | 空間 |
        용량
    """,
    "full": """
        run out | can take no more | no more mail | no more room | full | overfull | over quota | overquota |
        exceeded its | exceed- | over its | overdrawn | exhausted | used up | out of | no space | no more space |
        not enough | insufficient | not have enough | over limit | overflow- | voll | uberfullt | ueberfuellt |
        uberschritten | ueberschritten | erschopft | aufgebraucht | zu voll | plein | pleine | saturee | sature |
        depasse- | llen- | sin espacio | superad- | excedid- | excedeu | agotad- | chei- | lotad- | ultrapass- |
        esgotad- | piena | pieno | pien- | superat- | esaurit- | vol | overschreden | pelna | pelny | pelne |
        przepeln- | przekroczon- | zaplnen- | plna | plny | prekrocen- | переполнен- | превышен- | заполнен- |
        переповнен- | dolu | dolmus | asildi | asilmis | megtelt | betelt | plina | depasit- | fullt | fuld | taynna |
        満杯 | 一杯 | いっぱい | 超過 | 超え | 已满 | 已滿 | 不足 | 超限 | 满了 | 초과 | 가득 | 부족 |
        cannot take more | can t take more | cannot hold | make room | delete some | allocated space | no free space |
        no free room | free space
    """,
    "container": """
        mailbox | mailboxes | mail box | inbox | box | maildrop | mailfolder | mail folder | postfach | boite |
        buzon | casilla | caixa | casella | postvak | postbus | skrzynka | schranka | ящик | brevlada | postkasse
    """,
    "brim": """
        reached its | has reached | reached the | is at its | over its | over the limit | over the maximum |
        over limit | exceeded its | exceeds its | exceeded the | exceeds the | at capacity | no room | limit erreicht |
        ihr limit | limite atteinte | raggiunto | alcanzado | atingiu
    """,
    "flow": """
        connects | parallel | simultaneous | connections | connection | sessions | session | messages | mails |
        emails | mail | email | message | rate | requests | deliveries | volume | traffic | recipients per | rcpts |
        verbindung- | nachrichten | connexion- | courriel- | mensaje- | correo- | conexion- | conexoe- | mensagen- |
        messagg- | connession- | berichten | verbinding- | wiadomosci | polacz- | zprav | spojeni | сообщений |
        писем | соединен- | подключен- | mesaj- | baglanti- | uzenet | kapcsolat- | anslutning- | 接続 | 送信数 |
        通数 | 连接 | 频率 | 頻率 | 发信量 | 연결 | 발송 | concurrency | envio | envios | invii
    """,
    "much": """
        too frequent | faster than | are permitted | per hour | per day | a day | an hour | reached | too many |
        too much | too often | too frequent- | too fast | too quick- | too rapid- | excessive | excess of |
        limit exceeded | limit reached | exceeded limit | exceeds limit | exceed the limit | maximum number |
        max number | over limit | over the limit | reached the limit | has reached | rate exceeded | rate limit- |
        ratelimit- | limited | slow down | slowdown | throttl- | zu viele | zu haufig | zu schnell | trop de |
        demasiad- | limite de | limite d | limite alcanzad- | limite exced- | excesso de | exceso de | muitas |
        muitos | troppi | troppe | te veel | zbyt wiele | zbyt duzo | za duzo | prilis mnoho | слишком | превышен- |
        лимит | cok fazla | tul sok | for manga | for mange | prea multe | 過多 | 过多 | 过快 | 超过 | 超過 | 上限 |
        制限 | 頻繁 | 频繁 | 초과 | 제한 | 多すぎ | at most | speed | concurrency | shaped
    """,
    "pace": """
        rate | rates | frequency | pace | speed | volume
    """,
    "beyond": """
        exceed- | above | beyond | reached | too high | over
    """,
    "host": """
        ip | ips | ipv4 | ipv6 | ip address | ip addresses | ip adresse | ip range | ip block | your address |
        your host | your server | your mail server | your mailserver | your network | your isp | your domain |
        your provider | sending host | sending server | sending ip | client host | client ip | remote host |
        mail server | source address | connecting ip | connecting host | subnet | netblock | adresse ip |
        direccion ip | endereco ip | indirizzo ip | adres ip | ip adres | ip adresiniz | ip adresi | ip адрес- |
        ihr server | ihr mailserver | votre serveur | su servidor | seu servidor | host | ip地址 | ipアドレス |
        发信ip | アクセス元 | 아이피 | servidor | serveur | сервер | serwer
    """,
    "barred": """
        blacklist- | blocklist- | blocklisted | black list- | block list | block listed | blocked | blocking |
        banned | listed | barred | not welcome | denylist- | abuse | abusive | spamming | spam source |
        bad reputation | dynamic | dialup | dial up | residential | dnsbl | rbl | rbls | dnsrbl | spamtrap- |
        spamhaus | reputation | quarantined | sperrliste | gesperrt- | blockiert- | schwarze liste | blackliste |
        liste noire | bloque | bloquee | bloqueada | bloqueado | lista negra | lista nera | bloccat- | geblokkeerd |
        zwarte lijst | zablokowan- | czarn- | blokovan- | zablokovan- | чёрн- | черн- | заблокирован- | блокирован- |
        kara liste- | engellen- | tiltolista- | letiltva | sparrad | blokeret | 黑名单 | 黑名單 | ブラックリスト |
        拒否 | 封禁 | 封锁 | 차단 | no access
    """,
    "text": """
        message | messages | mail | mails | email | emails | e mail | content | contents | body | subject | header |
        headers | attachment | attachments | file | url | urls | link | links | html | mime | nachricht | inhalt |
        anhang | betreff | contenu | piece jointe | courrier | mensaje | contenido | adjunt- | mensagem | conteudo |
        anexo | messaggio | contenuto | allegat- | bericht | inhoud | bijlage | wiadomosc | tresc | zalacznik- |
        zprava | obsah | priloh- | сообщени- | письм- | содержа- | вложен- | повідомлен- | лист | ileti- | icerik- |
        uzenet | tartalm- | mesajul | meddelande- | besked- | viesti- | メール | 本文 | 添付 | 内容 | 邮件 | 郵件 |
        信件 | 메일 | 첨부 | letter
    """,
    "dirty": """
        advertis- | advertising | advertisement | unsolicited | commercial | rubbish | werbung | publicite |
        publicidad | pubblicita | reclama | spam | spams | spammy | junk | virus | viruses | malware | trojan |
        phishing | scam | suspicious | suspect | unacceptable | objectionable | inappropriate | offensive | banned |
        forbidden | malicious | unsafe | dangerous | infected | filtered | bulk | ube | uce | disallowed |
        prohibited | unwanted | unerwunscht- | unerwuenscht- | verdacht- | spamverdacht | indesirable- | suspect- |
        no deseado | nao solicitad- | indesejad- | indesiderat- | sospechos- | suspeit- | sospett- | ongewenst- |
        niechcian- | podejrzan- | nevyzadan- | podezrel- | спам | спама | спамом | вирус- | подозр- | нежелательн- |
        istenmeyen | kereteletlen | keretlen | skrappost | roskapost- | 垃圾 | 病毒 | 迷惑 | ウイルス | スパム |
        스팸 | 바이러스 | schadsoftware | schadcode | maliciel- | malicioso- | вредонос-
    """,
    "enclosed": """
        attachment | attachments | attached | anhang | anhange | anhaenge | piece jointe | pieces jointes | adjunt- |
        anexo | anexos | allegat- | bijlage- | zalacznik- | priloh- | вложен- | eklenti- | 添付 | 附件 | 첨부
    """,
    "sender": """
        mailfrom | sender | senders | sender s | from address | return path | reverse path | originator |
        sender address | sender s address | from domain | absender- | expediteur- | emetteur- | remitente- |
        remetente- | mittente- | afzender- | nadawc- | odesilatel- | отправител- | gonderen- | gonderici- | felado- |
        expeditor- | avsandar- | afsender- | avsender- | lahettaja- | 送信者 | 送信元 | 发件人 | 寄件者 | 发信人 |
        发件域 | 발신자 | 발송자
    """,
    "refused": """
        rejected | refused | denied | not allowed | not permitted | not accepted | not authori- | unauthori- |
        forbidden | unverified | not verified | verification failed | verify failed | abgelehnt | abgewiesen |
        nicht erlaubt | verweigert | refuse | refusee | rejete- | interdit- | non autorise- | rechazad- |
        no autorizad- | denegad- | no permitid- | rejeitad- | recusad- | nao autorizad- | nao permitid- | negad- |
        rifiutat- | respint- | non autorizzat- | non consentit- | geweigerd | niet toegestaan | odrzucon- |
        niedozwolon- | odmitnut- | zamitnut- | отклон- | запрещ- | отказ- | reddedildi | izin verilmi- | elutasit- |
        respins | nekad | avvisad | afvist | 拒绝 | 拒絕 | 拒否 | 許可されて | 거부 | verboten- | unzulassig- |
        unzulaessig- | unerlaubt-
    """,
    "from": """
        mail from | mailfrom | header from | from header | envelope from | return path
    """,
    "ours": """
        your account | your accounts | your mail account | your email account | your address | your host |
        your server | your mail server | your mailserver | your network | your isp | your domain | your provider |
        your ip | your ips | sending user | your ip address | your hostname | your postmaster | your newsletter |
        your subscription | your session | your license | your system | abuse | authenticated | authentication |
        authorisation | authorization | credential- | password | passwd | user agent | message id | helo | ehlo |
        whitelist | allowlist | newsletter | trial | harvest- | spam | spammer | dictionary attack | mailer |
        your mailbox | your user | you are not | your mta | your client | client | clients | login | logon |
        connection | connections | session | sending | originating | callout | call out | callback | call back |
        callbacks | return address | reply address | reply to address | bounce address | envelope address |
        from user | from account | policy | policies | dns | nxdomain | mx record | mx records | a record |
        ip | ips | ipv4 | ipv6 | ip address | ip addresses | verification failed for | header | headers | in from |
        relay account | relay user | server account | smtp account | smtp user | hosting account |
        ihr konto | votre compte | su cuenta | sua conta | il suo account | uw account
    """,
    "theirs": """
        sending to | sending mail to | sending email to | sending your mail to | sending your message to |
        before sending | try sending | sending again | closing connection | closing the connection |
        closing this connection | closing session | connection closed | connection to | session to |
        your system administrator | your system admin | your address book | contact your postmaster |
        contact your provider | contact your isp | ask your postmaster | ask your provider
    """,
    "whom": """
        employee | mbox | local part | nosuchuser | recipientnotfound | badrcptto | persona | destin |
        deliver mail for
    """,
    "unlisted": """
        not listed | isn t listed | aren t listed | is not currently listed
    """,
    "amiss": """
        mismatch- | not match | doesn t match | does not match | neither | verif- | failed | differs | no tiene |
        nao tem | n a pas de | hat kein- | has no | have no
    """,
    "zone": """
        domain | domains | domain name | mail domain | host | host name | hostname | domaine | dominio | domena |
        domeny | domein | домен | домена | doman | domenet | alan adi | 域名 | ドメイン | 도메인
    """,
    "measure": """
        mb | mbyte | mbytes | megabyte | megabytes | kb | kbytes | kilobytes | mib | octets | byte | bytes | kbyte | gb
    """,
    "proof": """
        spf | dkim | dmarc | dmarc1 | openspf | senderid | ptr | ptrs | rdns | fcrdns | reverse dns | reverse lookup |
        reverse record | reverse name | reverse hostname | reverse resolution | forward confirmed | unauthenticated |
        inverse dns | dns inverso | dns reverso | reverso | resolution inverse | обратн- | 逆引き
    """,
    "resolver": """
        dns | mx | nameserver | nameservers | name server | name service | mail exchanger | mx record | mx records |
        mx host | nxdomain | servfail | a record | resolver
    """,
    "broken": """
        fail | fails | failed | failure | error | errors | timeout | timed out | problem | no | none | missing |
        cannot | not found | unable | without | unavailable | lookup | unresolvable | temporary | temporarily |
        not answering | not responding | no answer | does not answer | unresponsive | not reachable
    """,
    "tls": """
        tls | ssl | tlsv1 | starttls | dane | certificate | mta sts | requiretls | cipher | ciphers | handshake
    """,
    "big": """
        too big | too large | too long | oversize | oversized | exceeds the size | exceeds size | size limit |
        maximum size | max size | size exceed- | larger than | bigger than | zu gross | zu gros | trop volumineu- |
        trop gros | trop grand | trop important- | taille maximale | taille limite | demasiado grande | tamano maximo |
        muito grande | tamanho maximo | troppo grande | dimensione massima | te groot | za duza | za duzy |
        prilis velk- | слишком больш- | размер | cok buyuk | tul nagy | for stor | for stort | 过大 | 過大 | 大きすぎ |
        サイズ | 너무 큽 | too heavy | heavier than | more than allowed | larger than allowed | exceeds allowed |
        trop lourd | lourd
    """,
    "hint_server": """
        internal | database | upstream | backend | engine | trouble | repair- | disk | memory | overload- | load |
        crash- | outage | maintenance | storage | downtime | exception | channel | sql | spool | processing | ldap |
        error | errors | failed | failure | fail | fails | process | processes | busy | uberlast- | ueberlast- |
        surcharge- | sobrecarg- | error temporal | temporaire | temporaneo | temporario | временн- | ошибк- | 一時 |
        エラー | 错误 | indisponib- | indisponivel | non disponibile | no disponible | ocupado | occupe | momentan- |
        temporane- | temporaire- | недоступ- | niedostepn- | offline | unreachable
    """,
    "hint_names": """
        lookup | look up | resolve- | resolution | servfail | nxdomain | nameserver | name server | dns | mx
    """,
    "hint_encryption": """
        encrypt- | plaintext | unencrypted | certificate- | cleartext | verschlussel- | chiffre- | cifrad- | шифрован-
    """,
    "hint_rate": """
        enough for | less often | fewer | slower | frequency | burst | hourly | daily | per hour | per day |
        per minute | overuse | volume | excessive | too often | limit | limits | quota | at most | maximum | max |
        speed | shaped | shaping | concurrency | reduce | throughput
    """,
    "hint_crowd": """
        connections | sessions | simultan- | verbindungen | connexions | conexiones | conexoes | connessioni |
        соединений
    """,
    "hint_content": """
        scanner | bayes | bayesian | trojan | worm | exploit | filter | filters | subject | html | macro- | script |
        archive | zip | exe | content | contents | pattern | signature | heuristic- | fingerprint | checksum | header |
        headers | mime | charset | wording | words | inhalt | contenu | contenido | conteudo | contenuto | fraud |
        scam | scams | virus- | malware | spam | spams | spammy | nasty | ウイルス | スパム | 病毒 | 垃圾 | вирус- |
        спам- | anhang | anhange | piece jointe | adjunto- | anexo- | allegat- | body | schadsoftware | schadcode |
        maliciel- | malicioso- | вредонос-
    """,
    "hint_reputation": """
        botnet | bot | zombie | naughty | dynamic | abuse | abuser | abusive | abuses | spammer | spammers |
        untrusted | distrust- | trust | trusted | score | hostile | attack- | infected host | notorious | proxy |
        proxies | exploited | compromised | hijacked | complaint | complaints | cloud hosts | guilty | blackhole- |
        infected | liste noire | lista negra | lista nera | sperrliste | 黑名单 | 黑名單 | ブラックリスト | 封锁 |
        serwer | zwarte lijst | blacklist- | blocklist-
    """,
    "hint_policy": """
        regulation- | forbid | forbids | forbidden | rule | rules | permission | approved | approval | consent |
        restricted | restriction- | contacts | subscriber | subscribers | unsolicited | invited | only from |
        unauthorised | unauthorized | allowed | decline- | disallow- | strangers | from the internet | moderated |
        settings | interne | internal senders | internos | interni | internes | personal | private | outsiders |
        permit- | authoriz- | authoris- | 設定により | 拒否 | 拒绝 | 拒收 | 거부 | abonnes | abonnenten |
        suscriptores | assinantes | запрещ- | verboten | interdit- | prohibid- | proibid- | vietat-
    """,
    "hint_closing": """
        retired | on hold | withdrawn | ended | resigned | quit | asleep | sleep | deceased | gone away |
        out of service | ceased | parked | paused | vacated | terminated | has changed | changed his | changed her |
        inactive | disabled | suspended | deactivated | closed | decommissioned | discontinued
    """,
    "hint_of_nothing": """
        unknown error | unknown reason | unknown reasons | unknown mailer | unknown problem | unknown failure |
        unknown status | unknown exception
    """,
    "hint_absence": """
        undeliverable | nobody | no one | unknown | invalid destination | bad destination | no match | mistyped |
        misspelt | misspelled | inconnu | unbekannt | desconocido | sconosciuto | desconhecido | onbekend |
        know nobody | does not belong | not belong | fictitious | fiction | came back empty | unrecognised |
        unrecognized | not recognised | not recognized | not listed | no record
    """,
}
"""The words of each mark, `|` between them."""

WORDS: Final = Vocabulary(LISTED)
"""What each word names."""

BRIMMED: Final = Near(("container",), ("brim",), within=4)
FULL: Final = Near(("box", "room"), ("full",))
SHUT: Final = Near(("box",), ("shut",), within=5)
GONE: Final = Near(("box",), ("gone",), within=4)
NOBODY: Final = Near(("person",), ("gone",), within=2)
UNLISTED: Final = Near(("box",), ("unlisted",), within=3)
HURRIED: Final = Near(("pace",), ("beyond",), within=4)
CROWDED: Final = Near(("flow",), ("much",), within=3)
BARRED: Final = Near(("host", HOST), ("barred",), within=6)
ENCLOSED: Final = Near(("enclosed",), ("refused",), within=5)
DIRTY: Final = Near(("text",), ("dirty",), within=5)
BIG: Final = Near(("text",), ("big",), within=5)
UNPROVEN: Final = Near(("proof",))
WRONG_SENDER: Final = Near(("sender",), ("gone", "refused", "amiss"), within=4)
WRONG_FROM: Final = Near(("from",), ("amiss",), within=5)
LOST: Final = Near(("zone",), ("gone",), within=4, but=NOBODY)
MEASURED: Final = Near(("measure",))
UNRESOLVED: Final = Near(("resolver",), ("broken",), within=4)
UNCIPHERED: Final = Near(("tls",))
ABSENT: Final = Near(("gone",))
HINTED_SERVER: Final = Near(("hint_server",))
HINTED_NAMES: Final = Near(("hint_names",))
HINTED_ENCRYPTION: Final = Near(("hint_encryption",))
HINTED_RATE: Final = Near(("hint_rate",))
HINTED_CROWD: Final = Near(("hint_crowd",))
HINTED_CONTENT: Final = Near(("hint_content",))
HINTED_REPUTATION: Final = Near(("hint_reputation",))
HINTED_POLICY: Final = Near(("hint_policy",))
HINTED_CLOSING: Final = Near(("hint_closing",))
HINTED_ABSENCE: Final = Near(("hint_absence",))
NAMED: Final = Near(("box", "whom"))
SENDER: Final = Near(("sender", "from"))
OURS: Final = Near(("ours", "sender", "from", "proof"))
