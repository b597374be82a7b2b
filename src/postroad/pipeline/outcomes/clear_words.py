"""The groups that are asked first: words on the sender, its traffic and its name, which only one cause would say."""

from typing import Final

from postroad.model.reason import Class
from postroad.pipeline.outcomes import vocabulary
from postroad.pipeline.outcomes.group import Group, phrases

CLEAR: Final = (
    Group(
        "loop",
        Class.BAD_DOMAIN,
        phrases(
            """
            too many hops | hop count exceeded | mail loop | routing loop | loops back | points back to | looping |
            received lines | received headers | too many received | indicated no smtp service | lowest numbered mx |
            loop detected | hop count
            """
        ),
    ),
    Group(
        "greylist",
        Class.GREYLISTED,
        phrases(
            """
            greylist | graylist | grey list | gray list | grey-list | gray-list | come back in | not yet seen |
            first contact | postgrey | not yet known | not know you | don't know you | triplet | whitelisted yet |
            not known yet | not seen yet | not seen before | never seen you | prove you are | first delivery attempt |
            unfamiliar
            """
        ),
    ),
    Group(
        "greylist_service",
        Class.GREYLISTED,
        phrases(
            """
            rejected: service is unavailable | rejected: service temporarily unavailable |
            intentional policy rejection | policy restrictions; try | policy rejection; try |
            policy rejection, please try | rejected: please try | rejected: try again | unknown sender, please retry |
            unknown sender, try | unknown sender/recipient | new sender, | for new senders | new senders,
            """
        ),
        digit=4,
    ),
    Group(
        "scanner",
        Class.UNREACHABLE,
        phrases(
            """
            scanner is | scanner not | scanner error | scan failed | scanning failed | filter not responding | clamd |
            clamav error | filter is down | filter failed | filter unavailable | filter temporarily | could not load |
            no mdb | antivirus engine | virus engine | av engine | engine out of order | too many processes |
            policy daemon | policy server | policy service | in content filter | content filter is |
            content filter un | content filter error
            """
        ),
        digit=4,
    ),
    Group("blocked_using", Class.REPUTATION_BLOCK, phrases("address blocked using")),
    Group(
        "unwanted",
        Class.POLICY,
        phrases(
            """
            badmailfrom | senderfilterconfig | null sender | empty envelope | envelope senders not allowed |
            not subscribed | envelope blocked | blocked senders | by the recipient | to this group |
            user's reject list | user rejects | user in blacklist | by user settings | does not want | doesn't want |
            don't want your | not interested in | by their own list | your address is blocked by |
            on the personal blacklist | recipient has blocked | user has blocked | user blocked | wants no mail |
            want no mail | distribution list | mailing list is | only subscribers | only members | subscribers only |
            external senders | outsiders | internal use | internal users only | local user only | local users only |
            blocked by the recipient | does not like you | user refused | recipient preferences | privacy settings |
            sender address blocked | members-only | captcha | organizational settings | non-member |
            not accepting mail with | administrator's rule | administrator's policy | transport rule | mail flow rule |
            recipient's block | recipient's blacklist | recipient's reject | user's block | user's blacklist |
            recipient's personal | personal filter | recipient's filter | user's filter | mail from outside |
            from the outside | outside senders | outside your organi | outside the organi | outside our organi |
            not on whitelist | not on the whitelist | not on my whitelist | not in whitelist | not in the whitelist |
            not to receive | opted out | non-subscribers | for internal | from inside | outgoing mail only |
            sends only | colleagues | receives no mail from | takes no mail from | sender address rejected: blocked |
            sender access denied | allowed to send to th | permitted to send to th | authorized to send to |
            authorised to send to | senders not permitted | sender not permitted | senders not allowed |
            blocked by user | blocked by the user | blocked by this user | by staff | staff only | employees only |
            organisation's block | organization's block | from unknown senders
            """
        ),
    ),
    Group(
        "domain_gone",
        Class.BAD_DOMAIN,
        phrases(
            """
            domain is not active | domain is inactive | domain is suspended | domain has expired | domain expired |
            domain is disabled | domain suspended | domain disabled | domain has been shut |
            domain has been suspended | domain has been disabled | domain has been deleted
            """
        ),
        digit=5,
    ),
    Group(
        "size_of_attachment",
        Class.MESSAGE_TOO_LARGE,
        phrases(
            """
            attachment too large | attachment is too large | attachments too large | attachments are too large |
            attachment exceeds | attachments exceed | attachments may not exceed | attachment size | attachment too big
            """
        ),
    ),
    Group(
        "substance",
        Class.CONTENT_REJECTED,
        phrases(
            """
            url in this | url in the | content policy | content filter | spam pattern | spam content | body check |
            content-reject | banned: | contains a url | contains a domain | contains a link | message contains |
            mail contains | message identified as | message was identified | message classified |
            dangerous attachment | blacklisted url | blocklisted url | bulk. | type of file | file type |
            blocked content | surbl | uribl | url listed | uri listed | too many links | too many urls |
            too many images | url in message | link in message | urls in | links in message | blacklisted uri |
            uri in body | url in body
            """
        ),
    ),
    Group(
        "full_mailbox",
        Class.MAILBOX_FULL,
        phrases(
            """
            mailbox full | mailbox is full | inbox is full | mailbox quota | mailbox for user is full |
            exceeding receiving limits | enough space to accept | does not have enough space |
            doesn't have enough space | messages on the server | space has been used up | mailbox size limit |
            mailbox storage | temporarily full | mailbox has exceeded | mailbox over | messages stored |
            messages in the mailbox | messages in mailbox
            """
        ),
    ),
    Group(
        "volume",
        Class.RATE_LIMITED,
        phrases(
            """
            unusual rate | too quickly | at a rate that | unexpected volume | excessive volume | connection rate |
            concurrent connections | too many connections | too many concurrent | too many sessions |
            too many messages | too many mails | frequency limited | messages per hour | emails per hour |
            receive per hour | messages can be sent | number of messages they can | thread limit exceeded | slow down |
            too fast | number of connections | maximum connections | max message per connection |
            messages per connection | connections per | too many open | sessions from your | messages from your ip |
            messages per minute | messages per day | excess of messages | receiving rate | exceeded message rate |
            mails per hour | rate limit reached | rate limit exceeded | rate limit for | throttled |
            parallel sessions | parallel connections | simultaneous | being limited | rate exceeded |
            connection quota | connections open | sending speed | concurrency exceeded | exceeded the number |
            number of mails | message quota
            """
        ),
    ),
    Group("brimmed_words", Class.MAILBOX_FULL, near=vocabulary.BRIMMED),
    Group(
        "relay",
        Class.POLICY,
        phrases(
            """
            relay access denied | relaying denied | unable to relay | relay not permitted | relaying disallowed |
            not permitted to relay | relaying not allowed | do not relay | allowed rcpthosts | relay denied |
            as a relay | relaying prohibited | relay prohibited | not a relay | isn't hosted here | not hosted here |
            does not host | non-local e-mail address | non-local address | to relay mail | open relay not |
            not a gateway | unauthorized relay | relaying to | handle mail for | no longer hosted |
            not hosted with us | relaying is denied | relay is denied | relaying refused | relay not consent |
            relay no permitido | relay nao permitido | relais refuse | not relaying | relay refused | for relay |
            to relay through
            """
        ),
    ),
    Group(
        "tls",
        Class.TLS_REQUIRED_FAILED,
        phrases(
            """
            starttls | tls required | tls is required | requires tls | over tls | a tls connection |
            encryption required | requires encryption | encryption is required | tls connection required |
            tls not available | tls/ssl | must use tls | encrypted connection | secure connection required |
            encrypted channel | encryption needed | (tls) | tls currently | tls temporarily | dane validation |
            mta-sts | without tls | use tls | tls handshake | without encryption | unencrypted
            """
        ),
    ),
    Group("unlisted", Class.INVALID_RECIPIENT, near=vocabulary.UNLISTED),
    Group(
        "listed",
        Class.REPUTATION_BLOCK,
        phrases(
            """
            blocked using | spamhaus | spamcop | poor reputation | bad reputation | low reputation |
            barracudacentral | dnsbl | dns blacklist | in a black list | too many spam | spam source |
            mailed to spamtrap | hit a spamtrap | spam trap | too many complaints
            """
        ),
    ),
    Group(
        "sender_unresolved",
        Class.DNS_FAILURE,
        phrases("dmarc dns | spf dns | dkim dns | temporary dns failure | dns temporary"),
        digit=4,
    ),
    Group(
        "sender",
        Class.AUTH_FAILED,
        phrases(
            """
            dmarc | dkim | spf fail | spf check | spf valid | spf record | spf policy | failed spf | spf=fail |
            unauthenticated | not authenticated | did not pass authentication | authentication check |
            does not designate | sender address | sender rejected | sender verify failed | sender does not |
            sender unknown | unknown sender | envelope sender | domain of sender | sender domain | invalid sender |
            bad sender | reverse dns | reverse hostname | reverse lookup | ptr record | rdns | no ptr |
            authentication req | sending domain does not | sending domain not | helo command rejected | bad helo |
            spoof | spf: | spf-check | spf ( | spf sender | sender invalid | sender id ( | ptr lookup | dns ptr |
            ptr resource | resolve sender | allow sending mail | helo name | helo argument | ehlo argument |
            invalid helo | helo/ehlo greeting | helo access denied | dns check fail | authentication fail |
            sender policy framework | emetteur invalide | mail from must | hostname lookup | sender's domain |
            mx or a record | unresolvable | a/aaaa | name lookup failed | fully qualified address |
            fully qualified email | dead domain | no reverse | without reverse | unroutable sender | spf mail from |
            from domain fails | fake sender | sender could not | openspf | from address is | return path |
            return-path address | no mx or | mail exchanger for your | does not match client | domainkeys |
            is mismatched with | _domainkey | key retrieval | public key | mismatches client | auth failed |
            neither mx | no valid mx | not in my domain | batv | third-party dsn | bogus mail from |
            mail from not owned | recursive cname | address is not verified | must resolve | must be resolvable |
            forged | resolve to a name | match your ip | match the ip | ehlo name | helo does not | ehlo does not |
            no hostname | authentication is req | authenticate first | helo should | helo must | ehlo should |
            ehlo must | fqdn | permitted sender | ip mismatch | hostname mismatch | impersonat |
            requires authentication | require authentication
            """
        ),
    ),
    Group("proof_words", Class.AUTH_FAILED, near=vocabulary.UNPROVEN),
    Group(
        "rate",
        Class.RATE_LIMITED,
        phrases(
            """
            rate limit | rate-limit | ratelimit | throttl | too many | too much mail | receiving mail too |
            received too much | server busy | mail flood | temporarily deferred | [tss0 | [ts0 | permitted limit |
            sending limit | sending quota | connection limit | submissionquotaexceeded | message limit |
            exceeded the limit | hourly limit | daily limit | exceeds the limit of messages | submission rate |
            rate control | message rate | too high a rate | exceeded the max | limite de mensagens |
            allowable connection | concurrency limit | threshold exceeded | number of messages in | over the limit |
            number of recipients was | temporarily restricted | frequency of | quota for sending |
            limit for messages | hourly quota | daily quota | for volume | back off | backoff | back-off | flood
            """
        ),
    ),
    Group(
        "reputation",
        Class.REPUTATION_BLOCK,
        phrases(
            """
            sorbs | senderscore | blocklist | block list | block-list | blacklist | black list | black-list |
            denylist | deny list | dnsrbl | reputation | bad history | client host [ | [bl2 | listed by | listed on |
            listed at | ipcheck.proofpoint | banned sending | banned sender | your ip | ip address is block |
            traffic not accepted from this ip | ip is blocked | a problem occurred | s3140 | not accepted from ip |
            unsolicited mail originating | access to this mail system has been rejected | in rbl | by rbl | an rbl |
            rbl list | uceprotect | black ip | blocked for spam | block for spam | blocked for abuse | spam ip |
            spammer | spamming issues | dynamically-assigned | dynamic ip | weren't sent | is_blocked | ip blocked |
            ip address has been blocked | host is blocked by | server is blocked by | ip is blocked by | is listed |
            mail-abuse | abuse detected | network is blocked | temporarily blocked for | suspicious activity |
            open proxy | ip bloqueado | dialup | smtp server of your isp | use your isp | spam from your |
            from your network | sender score | too much spam | permanently deferred | currently blocked |
            refused to talk | aup#bl | not available aup# | intrusion prevention | rbl reject | ip is rejected |
            ip is hangup | is filtered and this connection | blocked automatically | xbl listing | in spl-xbl |
            csi.cloudmark | cloudmark sender | cloudmark csi | domain blocked | domain is blocked | in prison |
            rbl deny | rbl check | your hostname is | you are blocked | bad neighborhood | bad neighbourhood |
            spamhausen | no smtp service | bad ip | due to abuse | unknowns | invalid recipients from |
            deactivated due to abuse | complaints we received | denyip | accept mail from your | mail from your ip |
            no access from | confirm this mail server | invalid ip | residential | see pbl | pbl listing | blackhole |
            namespace mining
            """
        ),
    ),
    Group("listed_words", Class.REPUTATION_BLOCK, near=vocabulary.BARRED),
    Group("sender_words", Class.AUTH_FAILED, near=vocabulary.WRONG_SENDER),
    Group("from_words", Class.AUTH_FAILED, near=vocabulary.WRONG_FROM),
)
