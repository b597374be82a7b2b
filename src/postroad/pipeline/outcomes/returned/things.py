"""What a notice may speak of: the words for things, in the languages that mail systems speak, as patterns.

`concepts` brings them together with the words of `states`. A word stands here once nearly everybody means the thing by
it when a mail system says it.
"""

from typing import Final

MAILBOX: Final = (
    r"容量|spazio|мест[оа]\b|mail ?box|in ?box|mail ?folder|maildir|quota|storage|postfach|posteingang|mailkonto|"
    r"speicher|bo[iî]te|messagerie|buz[oó]n|bandeja|casilla|casella|caixa|correio|postvak|brievenbus|skrzynk|schránk|"
    r"postafiók|postaláda|căsuț|casuta|posta kutu|gelen kutu|ящик|скриньк|inkorg|brevlåd|postlåd|postkass|indbakke|"
    r"innboks|postilaatikko|γραμματοκιβώτιο|メールボックス|受信箱|受信ボックス|受信トレイ|邮箱|信箱|郵箱|收件箱|"
    r"메일함|메일박스|편지함|사서함|hộp thư|กล่องจดหมาย"
)
PERSON: Final = (
    r"account|user|recipient|konto|benutzer|empfänger|empfaenger|compte|utilisateur|destinataire|cuenta|usuario|"
    r"destinatari|destinatári|utente|conta|usuário|gebruiker|ontvanger|użytkownik|odbiorc|adresat|konta|uživatel|"
    r"příjemc|felhasználó|címzett|fiók|utilizator|destinatar|contul|kullanıcı|alıcı|hesab|пользовател|получател|"
    r"адресат|одержувач|користувач|учетная запись|учётная запись|användar|mottagar|modtager|bruger|mottaker|bruker|"
    r"käyttäj|vastaanottaj|παραλήπτη|χρήστη|λογαριασμ|ユーザ|アカウント|受信者|宛先|用户|用戶|使用者|收件人|帐号|"
    r"账号|帳號|账户|사용자|수신자|받는 ?사람|계정|người nhận|tài khoản|ผู้รับ"
)
ADDRESS: Final = (
    r"address|adress|direcci[oó]n|indirizzo|endere[cç]o|adres|\bcím|адрес|διεύθυνση|osoite|アドレス|地址|주소|địa chỉ"
)
NAME: Final = r"\bname\b|\bnamens?\b|\bnom\b|nombre|\bnome\b|имен|名前|名字|이름"
DOMAIN: Final = (
    r"domain|domäne|domaine|dominio|domínio|domein|domen|doména|tartomány|alan adı|домен|domän|domæne|verkkotunnus|"
    r"ドメイン|域名|網域|도메인|tên miền|host ?name|rechnername|nom d'hôte"
)
MESSAGE: Final = (
    r"message|e-?mail|mail|attachment|nachricht|anhang|courriel|pièce jointe|mensaje|correo|adjunto|messaggio|"
    r"allegato|mensagem|anexo|bericht|bijlage|wiadomoś|załącznik|zpráv|příloh|üzenet|levél|mesaj|ileti|сообщени|"
    r"письм|вложени|лист|meddeland|besked|melding|viesti|μήνυμα|メッセージ|メール|添付|邮件|郵件|附件|메일|메시지|"
    r"첨부"
)
SIZE: Final = (
    r"\bsize|größe|groesse|\btaille|tamaño|dimension|tamanho|omvang|grootte|rozmiar|velikost|méret|boyut|размер|"
    r"розмір|storlek|størrelse|\bkoko|μέγεθος|サイズ|大小|크기|[0-9] ?(?:mb|mib|mo|megabytes?|мб)\b"
)
ATTACHED: Final = (
    r"attach|\bfiles?\b|anhang|anhäng|\bdatei|pièces? jointe|fichier|adjunt|archivo|allegat|anexo|arquivo|bijlage|"
    r"bestand|załącznik|\bplik|příloh|soubor|mellékl|ataşament|fișier|\bek(?:i|in)?\b|dosya|вложен|файл|bilag|"
    r"vedlegg|bifog|liite|συνημμ|添付|附件|첨부|\.(?:exe|zip|js|scr|vbs|bat|docm|xlsm|iso|rar|msi|jar)\b"
)
UNWANTED: Final = (
    r"\bspam(?!haus|cop|assassin)|junk|unsolicited|unerwünscht|indésirable|pourriel|\bvirus|malware|wirus|trojan|"
    r"phishing|no deseado|correo basura|lixo eletr|skräppost|søppelpost|roskaposti|indesiderat|indesejad|ongewenst|"
    r"niechcian|nevyžádan|kéretlen|nedorit|istenmeyen|спам|вирус|вірус|迷惑メール|スパム|ウイルス|垃圾邮件|垃圾郵件|"
    r"病毒|스팸|바이러스"
)
ONLY: Final = (
    r"\bonly\b|restricted to|reserved for|\bnur\b|ausschließlich|uniquement|seulement|n'accepte que|réservé|\bsolo\b|"
    r"solamente|únicamente|soltanto|esclusivamente|riservat|apenas|somente|reservad|\balleen\b|uitsluitend|tylko|"
    r"wyłącznie|\bpouze\b|\bjen\b|\bcsak\b|kizárólag|numai|\bdoar\b|sadece|yalnızca|только|лише|\bendast\b|\bbara\b|"
    r"\bkun\b|\bvain\b|ainoastaan|μόνο|のみ|だけ|仅|僅|只(?:接|能|允)|만 "
)
PROOF: Final = (
    r"\bspf\b|\bdkim\b|\bdmarc\b|sender id|authenticat|authentifi|autentic|autentifi|uwierzyteln|ověřen|аутентифик|"
    r"送信ドメイン認証|认证|인증"
)
MUCH: Final = (
    r"(?:messages?|e-?mails?|mails?|connections?|requests?|nachrichten|verbindungen|mensajes|correos|messaggi|"
    r"connessioni|mensagens|berichten|courriels|wiadomości|zpráv|сообщений|писем|соединений|メール|接続|邮件|连接|"
    r"메일|messages)"
)
NAMES: Final = (
    r"\bdns\b|name ?server|name resolution|mx (?:record|entr)|namensauflösung|résolution d|serveur de noms|"
    r"resolución de|risoluzione de|resolução de"
)
PROTECTION: Final = (
    r"\btls\b|starttls|encrypt|certificat|verschlüssel|zertifikat|chiffr|cifrad|crittograf|criptograf|versleutel|"
    r"szyfrow|šifrov|titkosít|şifrele|шифров|сертификат|krypter|salau|暗号化|証明書|加密|证书|암호화|인증서"
)
SERVER: Final = (
    r"other (?:side|end)|remote (?:side|end|system)|gegenstelle|destination|server|host\b|connection|connect|network|"
    r"mail ?exchanger|verbindung|netzwerk|serveur|connexion|réseau|servidor|conexi[oó]n|connessione|conexão|rede\b|"
    r"verbinding|serwer|połączeni|spojení|kapcsolat|kiszolgáló|sunucu|bağlantı|сервер|соединени|з'єднанн|anslutning|"
    r"forbindelse|palvelin|サーバ|接続|服务器|伺服器|连接|連線|서버|연결"
)
SENDER: Final = r"\bip\b|ip[- ]?adress|ip[- ]?address|sending (?:host|server)|ip-адрес|ip地址|ipアドレス|ip ?주소"
LONG: Final = (
    r"\b(?:[1-9][0-9]?|two|three|four|five|six|seven|zwei|drei|vier|fünf|sieben|deux|trois|quatre|cinq|sept|dos|tres|"
    r"cuatro|cinco|siete|due|tre|quattro|cinque|dois|três|quatro|twee|drie|vijf|dwa|trzy|cztery|pięć|dv[aě]|tři|"
    r"čtyři|pět|два|двое|три|трое|четыре|четверо|пять|пятеро|семь|[二三四五七])[ -]?(?:days?|hours?|tagen?|stunden|"
    r"jours|heures|d[ií]as|horas|giorni|ore|dagen|uur|dni|godzin|dn[ůíy]|hodin|nap|gün|saat|дн|час|суток|日間|時間|"
    r"天|小时|일)"
)
