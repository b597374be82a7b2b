"""How it may be with what a notice speaks of: the words for states, in the languages that mail systems speak.

They are patterns for folded text, as those of `things`; neither means anything without one of the other near it.
"""

from typing import Final

ABSENT: Final = (
    r"(?:does|do|did)(?: not|n't) (?:currently )?exist|not (?:a )?(?:found|valid|recogni[sz]ed|known|registered)|"
    r"no(?:ne| user| member| customer) of our|(?:not|isn't|aren't) (?:one of|among|with|known to|a (?:user|"
    r"customer) of) |has no (?:mailbox|account|e-?mail|such)|(?:do|does)(?: not|n't) (?:know|recogni[sz]e|"
    r"have (?:an? )?(?:mailbox|account|user))|nobody|no ?body|no ?one|niemand|personne|nadie|nessun[oa]?\b|ninguém|"
    r"ninguem|\bnikt\b|nikdo|senki|nimeni|kimse|никто|никого|нікого|kukaan|κανέν|誰も|没有人|无人|查无|아무도|"
    r"kenn(?:en|t) (?:wir|den|die|das|man)? ?nicht|uns nicht bekannt|kein(?:en|e)? (?:e-?mail-?|mail-?)?(?:konto|"
    r"postfach|benutzer|empfänger|nutzer|account)|vergeben|ne connai(?:t|ssons)|n'a (?:pas|aucun) (?:de )?(?:compte|"
    r"bo[iî]te|messagerie|adresse)|ne correspond|no conocemos|no (?:tiene|posee) (?:\w+ )?(?:cuenta|buz[oó]n|correo)|"
    r"no (?:corresponde|pertenece)|non (?:conosc|ha (?:un|alcun)\w* (?:account|casella|indirizzo)|risult|corrispond|"
    r"appart)|não (?:conhec|(?:tem|possui) (?:conta|caixa)|corresponde|pertence)|kennen (?:wij|we) |"
    r"heeft geen (?:mailbox|account|postvak|e-?mail)|niet bij ons|hoort niet|nie (?:znamy|ma konta|należy|odpowiada)|"
    r"nemá (?:účet|schránk)|nepatří|nincs (?:ilyen|postafiók|fiók)|nu are (?:cont|căsuț)|не знаем|нет (?:такого|"
    r"такой|ящика|учетной|пользоват)|не (?:числится|принадлежит)|har (?:ingen|inget) (?:konto|brevlåd|postkass|"
    r"adress)|ej känd|ikke (?:kendt|kjent|oprettet)|登録(?:が|され)|没有此|沒有此|無此|등록되|not registered|"
    r"no está(?:n)? registrad|non è registrat|n'est pas (?:enregistr|connu)|não está registrad|nicht registriert|"
    r"niet geregistreerd|nie jest zarejestr|není registr|(?:could ?n[o']t|can ?not|can't) be resolved|does(?: not|"
    r"n't) resolve|nicht aufgelöst|unknown|invalid\b|no longer exist|non-?exist|(?:can ?not|could ?n[o']t|"
    r"could not) be found|incorrect|misspel|not (?:listed|present)|no aparece|no figura|ne figure pas|n'apparaît pas|"
    r"non (?:è )?(?:presente|elencat|compar)|não (?:aparece|consta)|nicht (?:aufgeführt|verzeichnet|eingetragen)|"
    r"niet vermeld|не значится|(?:nobody|no ?one) (?:of|by|with|called|named)|finns ingen|"
    r"ingen (?:sådan )?(?:användare|bruger|bruker|mottag)|niet bestaat|niet langer bestaat|使われて(?:い|おり)ません|"
    r"使用されて(?:い|おり)ません|ご利用いただけません|no (?:such|user|mailbox|recipient|account) (?:\w+ )?(?:here|"
    r"known|by|with|of)|kein(?:e[nrm]?)? (?:solche[rns]? )?(?=benutzer|empfänger|postfach|konto|adresse)|"
    r"aucun (?:utilisateur|compte|destinataire|abonné)|ningún (?:usuario|buzón)|nessun (?:utente|account|"
    r"destinatario)|nenhum (?:usuário|destinatário)|geen (?:gebruiker|postvak|ontvanger)|nie ma (?:takiego|takiej)|"
    r"nincs ilyen|nu există|böyle bir|yoktur|không có|unbekannt|existier\w* nicht|nicht (?:mehr )?(?:gefunden|"
    r"existier|vorhanden|bekannt)|gibt es (?:hier )?nicht|ungültig|ungueltig|n'existe|n existe|inexistant|inconnu|"
    r"introuvable|invalide|erroné|no existe|inexistente|desconocid|no (?:se )?(?:ha )?(?:sido )?(?:encontr|reconoc)|"
    r"no (?:es )?válid|inválid|non esist|sconosciut|non (?:è stat\w )?trovat|non (?:è )?valid|inesistent|errat[oi]\b|"
    r"n[aã]o (?:foi )?(?:existe|encontrad|reconhecid|localizad)|desconhecid|bestaat niet|onbekend|"
    r"niet (?:worden )?(?:gevonden|gekend|herkend)|ongeldig|nie istniej|nieznan|nieprawidłow|"
    r"nie (?:został[ao]? )?znalez|neexistuj|neznám|nenalezen|neplatn|nem létez|ismeretlen|nem található|érvénytelen|"
    r"nu exist|necunoscut|inexistent|invalid[ăa]|mevcut değil|bulunamad|geçersiz|bilinmeyen|bulunmamakta|"
    r"не (?:существует|найден|зарегистрирован|знайден|існу)|неизвест|невідом|неверн|недействит|finns (?:inte|ej)|"
    r"okänd|(?:hittades|kunde) inte|ogiltig|findes ikke|ukendt|finnes ikke|ukjent|ugyldig|blev ikke fundet|"
    r"ei ole olemassa|tuntematon|ei (?:löyd|tunnet)|virheelli|δεν υπάρχ|δεν βρέθηκ|άγνωστ|存在しな|存在しません|"
    r"見つかりません|見つけられません|不明|無効|間違|不存在|未找到|找不到|无效|無效|有误|錯誤|错误|존재하지|없는|"
    r"없습니다|유효하지|잘못|찾을 수|không tồn tại|không tìm thấy|ไม่มี|ไม่พบ"
)
CLOSED: Final = (
    r"left (?:the|our|us)|no longer (?:work|employ|with|here|part|a (?:member|customer|user|student))|switched off|"
    r"shut down|taken out of|wound up|cancel(?:l)?ed|decommissioned|revoked|retired|ceased|nicht (?:mehr|"
    r"länger) (?:bei|im|in (?:unser|der)|für|tätig|beschäftigt|angestellt|mitglied)|ausgeschieden|stillgelegt|"
    r"gekündigt|abgemeldet|a(?:vons)? (?:quitté|fermé|résilié)|ne (?:travaille|fait) plus|résili|ya no (?:trabaja|"
    r"pertenece|forma|está|usa)|non (?:lavora|fa|è) più|cessat|não (?:trabalha|faz|está|pertence) mais|"
    r"werkt niet (?:meer|langer)|afgesloten|nie (?:pracuje|jest) już|już nie|zamknięt|již ne|megszün|închis|"
    r"больше не (?:работает|использ|обслуж)|уволен|slutat|upphört|ophørt|sluttet|opsagt|lopetettu|廃止|退職|解除|"
    r"离职|퇴사|폐쇄|disabled|inactive|suspended|deactivated|locked|terminated|closed\b|frozen|expired|dormant|"
    r"discontinued|no longer (?:active|in use|available|valid|accept|monitored)|gesperrt|deaktiviert|stillgelegt|"
    r"inaktiv|abgeschaltet|nicht mehr (?:aktiv|gültig|genutzt|verfügbar)|désactiv|inacti[fv]|suspendu|fermé|clôtur|"
    r"n'est plus (?:acti|valide|utilis)|desactivad|deshabilitad|inactiv|suspendid|cancelad|cerrad|dad[oa] de baja|"
    r"disattivat|disabilitat|sospes[oa]|chius[oa]|non (?:è )?più (?:attiv|valid|in uso)|desativad|inativ|suspens[oa]|"
    r"encerrad|bloquead[oa]|geblokkeerd|uitgeschakeld|gedeactiveerd|opgeheven|niet meer (?:actief|in gebruik)|"
    r"zablokowan|nieaktywn|wyłączon|zawieszon|zrušen|neaktivn|zablokov|letiltott|felfüggeszt|megszűnt|dezactivat|"
    r"suspendat|devre dışı|askıya|kapatıl|pasif|отключ|заблокирован|неактив|закрыт|удал[её]н|вимкнен|spärrat|"
    r"avstängd|avslutat|lukket|deaktivert|deaktiveret|spærret|suljettu|poistettu|απενεργοποι|停止|無効化|休眠|解約|"
    r"退会|停用|禁用|冻结|凍結|注销|已关闭|정지|휴면|비활성|탈퇴|해지|vô hiệu|tạm khóa"
)
FULL: Final = (
    r"used (?:up )?all|all (?:of )?(?:its|the|his|her|their) (?:\w+ )?(?:space|storage|room)|"
    r"not enough (?:\w+ )?(?:space|room|storage)|insufficient|lack(?:s|ing)? (?:of )?(?:\w+ )?(?:space|room|storage)|"
    r"run out|overfull|overflow|(?:beschränkung|grenze|limit\w*|kapazität|maximum|quota|"
    r"kontingent) (?:\w+ ){0,2}(?:erreicht|überschr|ausgesch)|kein(?:en)? (?:\w+ )?(?:platz|speicher|raum)|"
    r"platz (?:mehr|reicht)|aufgebraucht|ausgeschöpft|plus (?:de |d')(?:place|espace)|manque (?:de |d')|épuisé|"
    r"remplie?\b|no (?:tiene|queda|hay|dispone) (?:\w+ )?(?:espacio|sitio)|agotad|colmad|non (?:ha|c'è|"
    r"dispone) (?:\w+ )?(?:\w+ )?spazio|terminato|não (?:tem|há|possui) (?:mais )?espaço|esgotad|geen (?:ruimte|"
    r"plaats)|brak (?:wolnego )?miejsca|není (?:\w+ )?místo|zaplněn|nincs (?:\w+ )?hely|yer (?:yok|kalma)|"
    r"inget utrymme|ikke (?:mere )?plads|ingen plass|ei (?:ole )?tilaa|空き容量|没有(?:\w+)?空间|용량이 부족|"
    r"공간이 (?:없|부족)|no (?:more )?room|room left|è terminat|закончил|недостаточно|нет (?:свободного )?мест|"
    r"не хватает|reach(?:ed|es)? (?:its|the|his|her|their) (?:\w+ )?(?:limit|quota|maximum|capacity)|(?:limit|grenze|"
    r"quota) (?:ist |wurde )?erreicht|a atteint (?:sa|son|la)|ha alcanzado|ha raggiunto|(?:foi )?atingi|"
    r"limiet (?:is )?bereikt|przekroczy|osiągn|dosáhl|elérte|atins|limitine ulaş|sınırına|достиг|上限|制限を|限界|"
    r"达到|達到|한도|\bfull\b|exceed|over (?:its |the |his |her |their )?(?:\w+ )?(?:limit|quota|allocat|size|"
    r"capacity)|no (?:more )?space|out of (?:disk|space|storage)|\bvoll\b|überfüllt|ueberfuellt|erschöpft|"
    r"überschritten|plein\b|pleine\b|saturé|dépass|\bllen[oa]\b|excedid|superad|sin espacio|pien[oa]\b|esaurit|"
    r"satura\b|superat|chei[oa]\b|lotad|excedeu|ultrapass|sem espaço|\bvol\b|overschreden|pełn|przepełnion|"
    r"przekroczon|\bplná|přeplněn|překročen|megtelt|betelt|\btele\b|túllép|plin[ăa]\b|\bplin\b|depăș|depas|\bdolu|"
    r"dolmuş|dolmus|aşıl|переполнен|\bполон|заполнен|превышен|переповнен|заповнен|\bfullt?\b|\bfuld\b|överskrid|"
    r"overskred|täynnä|ylitt|γεμάτ|一杯|いっぱい|満杯|超え|超過|空きがな|已满|满了|已滿|爆满|超出|超过|不足|가득|"
    r"초과|꽉|đầy|vượt quá|เต็ม"
)
LARGE: Final = (
    r"(?:larger|bigger|greater|heavier) than|oversize|größer als|plus (?:gros|grand|lourd|volumineu)\w* que|"
    r"más grande|mayor (?:que|de)|più (?:grande|pesante)|maior (?:que|do)|groter dan|większ\w+ niż|větší než|nagyobb|"
    r"больше (?:чем|разреш|допуст)|större än|større end|større enn|suurempi|too (?:large|big|long|heavy)|"
    r"exceeds? (?:the |our |a )?(?:maximum |allowed |permitted )?(?:message )?(?:size|limit)|zu gro(?:ß|ss)|"
    r"trop (?:volumineu|gro|grand|lourd)|demasiado grande|troppo (?:grande|grosso|pesante)|muito grande|"
    r"grande demais|te groot|za duż|zbyt duż|příliš velk|túl nagy|prea mare|çok büyük|слишком (?:больш|велик)|"
    r"занадто велик|för stor|for stor|liian suuri|πολύ μεγάλ|大きすぎ|大き過ぎ|过大|太大|過大|너무 (?:큽|크)|quá lớn"
)
EXCEEDED: Final = (
    r"exceed|above the|beyond|over (?:the|our)|überschreit|übersteig|überschritten|dépass|excède|supera|excede|"
    r"sobrepasa|eccede|superior[ei]? a|ultrapass|overschrijd|przekracza|překrač|meghalad|depăș|aş(?:ıyor|ıl|tı|an|m)|"
    r"превыша|перевищу|överskrid|överstiger|overskrid|overstig|ylitt|υπερβαίν|超え|超過|上回|超过|超出|초과"
)
FORBIDDEN: Final = (
    r"not (?:allow|permit|accept|let)|n't (?:allow|permit|accept|let)|forbid|forbidden|pas (?:accept|admis)|"
    r"non accett|no se acept|não aceit|niet geaccept|nicht angenommen|nie akcept|nepřijím|prohibited|banned|block|"
    r"dangerous|unsafe|disallowed|unzulässig|verboten|nicht (?:erlaubt|zugelassen|gestattet|zulässig)|gefährlich|"
    r"blockier|gesperrt|interdit|non autoris|dangereu|bloqu|bloccat|prohibid|no (?:está )?permit|no se (?:permit|"
    r"admit)|peligros|vietat|non (?:è )?(?:consentit|ammess|permess)|pericolos|proibid|não (?:é |são )?permitid|"
    r"perigos|niet toegestaan|verboden|gevaarlijk|niedozwolon|zabronion|zakázan|nepovolen|tiltott|interzis|yasak|"
    r"izin veril(?:me|mi)|запрещ|недопустим|опасн|не (?:допуска|разреш)|заборон|otillåt|inte tillåt|ikke tillad|"
    r"ikke tillat|ei (?:ole )?sallit|απαγορ|許可されて|禁止|不允许|허용되지|금지|危険|危险"
)
INSIDERS: Final = (
    r"intern\b|interne|interna|interni|internal|inside|within|organi[sz]ation|members?\b|mitglied|membres?\b|"
    r"miembros|\bmembri\b|membros|\bleden\b|członk|\bčlen|tagok|medlem|jäsen|член|сотрудник|внутри|внутренн|メンバー|"
    r"社内|内部|成员|회원|내부|(?:known|approved|trusted|authori[sz]ed|registered|permitted|certain) (?:senders?|"
    r"people|addresses)|(?:bekannte|berechtigte|zugelassene)\w* absender|expéditeurs (?:connus|autorisés)|"
    r"remitentes (?:autorizados|conocidos)|mittenti (?:autorizzati|noti)|remetentes (?:autorizados|conhecidos)|"
    r"firmen\w*|organizaci|organizza|organiza[cç]|domaine|dominio|domínio|\bdomain\b|domein"
)
UNPROVEN: Final = (
    r"fail|did not pass|not pass|n't pass|missing|unauthenticated|nicht bestanden|fehlgeschlagen|fehlt|échou|échec|"
    r"n'a pas|no (?:ha )?(?:pas|super|cumpl)|falló|fallid|fallit|non (?:ha )?super|non riuscit|falh|não pass|mislukt|"
    r"niet geslaagd|niepowodz|nie powiod|selhal|sikertelen|başarısız|не прош|не пройден|misslyck|mislykk|epäonnist|"
    r"失敗|失败|未通过|未通過|실패|통과하지"
)
UNPROTECTED: Final = (
    r"requir|mandatory|must|expired|invalid|not (?:valid|offer|support|trust|possible)|n't (?:offer|support|trust)|"
    r"could not be (?:verified|established)|fail|without|unencrypted|verlang|erforderlich|notwendig|abgelaufen|"
    r"ungültig|nicht (?:angeboten|unterstützt|möglich)|ohne|exig|obligatoire|requis|expiré|requerid|obligatori|"
    r"richiest|scadut|obrigatóri|vereist|verplicht|wymagan|vyžad|требует|обязател|истек|krävs|kræves|kreves|必須|"
    r"必要|要求|期限切れ|失效|필수"
)
SUSPECTED: Final = (
    r"detect|wykryt|zjišt|classif|consider|identif|suspect|reject|block|found|contain|appears|looks like|marked|"
    r"flagged|erkannt|eingestuft|enthält|verdächtig|détect|considéré|identifié|contient|conten|considerad|marcad|"
    r"identificad|rilevat|contrassegnat|herkend|aangemerkt|uznan|oznaczon|označen|tespit|алгоритм|распознан|признан|"
    r"опознан|filter|abgewiesen|abgelehnt|zurückgewiesen|blockiert|refus|rechaz|rifiut|respint|recus|geweigerd|"
    r"odrzuc|odmít|отклон|拒|判定|検出|判断|判定为|识别|认为|检测|판단|차단|탐지"
)
SILENT: Final = (
    r"(?:did|does|do|would)(?: not|n't) (?:answer|respond|reply|react|accept (?:our|the|"
    r"any) (?:requests? to )?connect)|(?:can ?not|could ?n[o']t|could not|cannot) be (?:reached|contacted|connected)|"
    r"\bis down\b|out of (?:order|service)|offline|keine antwort|nicht geantwortet|n'a pas répondu|"
    r"no (?:ha )?respond|non ha risposto|não respond|geen (?:antwoord|reactie|verbinding)|brak odpowiedzi|"
    r"bez odpovědi|nem válaszolt|timed? ?out|refused|unreachable|not (?:respond|answer|reachable|available)|"
    r"no (?:response|answer|route)|(?:error on|failed to|could ?n[o']t|could not|can ?not|unable to) (?:connect|"
    r"reach|destination|establish)|(?:abge(?:lehnt|brochen|wiesen)|verweigert|unterbrochen|refusée|interrompue|"
    r"rifiutata|interrotta|geweigerd|odrzucone|odmítnuto|reddedildi|отклонено|разорвано|拒否|拒绝|거부)|"
    r"nicht (?:erreichbar|möglich|hergestellt)|antwortet nicht|nicht antwort|zeitüberschreitung|injoignable|"
    r"ne répond pas|échoué|inaccessible|no (?:responde|disponible)|rechazada|agotado|non (?:risponde|raggiungibile|"
    r"disponibile)|scaduto|não (?:responde|disponível)|recusada|esgotado|niet bereikbaar|reageert niet|nie odpowiada|"
    r"niedostępn|neodpovíd|nedostupn|nem válaszol|nem elérhető|yanıt vermiyor|ulaşılam|zaman aşımı|не отвечает|"
    r"недоступ|не удалось|не відповід|svarar inte|svarer ikke|ei vastaa|応答|タイムアウト|できません|无响应|超时|"
    r"無法|无法|응답|실패|초과"
)
DISTRUSTED: Final = (
    r"reputation|sending history|block|refus|reject|denied|banned|listed|abgelehnt|gesperrt|blockiert|bloqu|rechaz|"
    r"rifiutat|bloccat|recusad|geblokkeerd|geweigerd|odrzucon|zablokow|заблок|отклон|拒绝|屏蔽|拒否|차단|거부"
)
LASTED: Final = (
    r"within|\bfor\b|after|since|depuis|desde|\bda\b|sinds|\bod\b|уже|за\b|через|\blang\b|\bnach\b|\bseit\b|"
    r"innerhalb|pendant|après|durante|después|tras|dopo|\bper\b|após|gedurende|\bna\b|przez|\bpo\b|után|boyunca|"
    r"sonra|в течение|после|спустя|経過|以内|内|후|동안"
)
REMOVED: Final = (
    r"deleted|removed|closed|gelöscht|entfernt|aufgelöst|supprimé|eliminad|borrad|eliminat|cancellat|excluíd|removid|"
    r"apagad|verwijderd|usunięt|smazán|odstraněn|töröl|șters|silin|удал|видален|raderat|borttag|slettet|fjernet|"
    r"poistett|διαγράφ|削除|删除|刪除|注销|삭제"
)
"""What is said of a mailbox and of a message alike, so that no message may stand between."""
TOO_MUCH: Final = (
    r"too (?:many|much|fast|quickly|often|high)|zu (?:viele?|schnell|häufig)|trop (?:de|vite|souvent)|demasiad[oa]s|"
    r"tropp[ieo]|muit[oa]s|demais|te (?:veel|snel)|zbyt (?:wiel|dużo|szybko)|příliš (?:mnoho|rychle)|túl sok|"
    r"prea mult|çok (?:fazla|sık)|слишком (?:много|часто|быстро)|för (?:många|snabbt)|for mange|liian (?:monta|"
    r"paljon)|多すぎ|頻繁|过多|太多|频繁|過多|너무 많|(?:rate|hourly|daily) limit|limit (?:per|of messages)"
)
NOT_NOW: Final = (
    r"tempor|timed? ?out|try again|later|not answer|n't answer|no (?:answer|response)|servfail|currently|"
    r"vorübergehend|zurzeit|derzeit|später|momentan|zeitweilig|keine antwort|provisoire|plus tard|más tarde|"
    r"più tardi|mais tarde"
)
