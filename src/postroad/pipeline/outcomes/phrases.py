"""What people wrote into their servers' replies: the evidence where the codes leave it open.

Phrases are looked for as plain substrings of a text that was cut, lowered and freed of addresses before (an echoed
`<spam@example.com>` says nothing about the message), so a hostile peer can neither stall nor steer the search. Groups
stand in the order in which they are believed: first what only one cause would say, last the words that anybody uses.
"""

import re
from typing import Final, NamedTuple

from postroad.model.reason import Class

MAX_TEXT: Final = 1024
"""Characters of a reply that are read; the rest has never held the cause."""


class Group(NamedTuple):
    """Phrases that speak for one class; `digit` confines them to replies of that first digit."""

    name: str
    cls: Class
    phrases: tuple[str, ...]
    digit: int | None = None


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split("|"))


TOO_MANY_RECIPIENTS: Final = _phrases("too many recipient | too many rcpt | recipient limit exceeded")

GROUPS: Final = (
    Group(
        "loop",
        Class.BAD_DOMAIN,
        _phrases("too many hops | hop count exceeded | mail loop | routing loop | loops back"),
    ),
    Group(
        "greylist",
        Class.GREYLISTED,
        _phrases("greylist | graylist | grey list | gray list | grey-list | gray-list"),
    ),
    Group(
        "unwanted",
        Class.POLICY,
        _phrases(
            """
            badmailfrom | senderfilterconfig | null sender | empty envelope | envelope senders not allowed |
            not subscribed | envelope blocked | blocked senders | by the recipient | to this group |
            user's reject list | user reject | user in blacklist
            """
        ),
    ),
    Group(
        "full_mailbox",
        Class.MAILBOX_FULL,
        _phrases(
            """
            mailbox full | mailbox is full | inbox is full | mailbox quota | mailbox for user is full |
            exceeding receiving limits | enough space to accept | does not have enough space |
            doesn't have enough space | messages on the server | space has been used up | mailbox size limit |
            mailbox storage | temporarily full | mailbox has exceeded
            """
        ),
    ),
    Group(
        "volume",
        Class.RATE_LIMITED,
        _phrases(
            """
            unusual rate | too quickly | at a rate that | unexpected volume | excessive volume | connection rate |
            concurrent connections | too many connections | too many concurrent | too many sessions |
            too many messages | too many mails | frequency limited | messages per hour | emails per hour |
            receive per hour | messages can be sent | number of messages they can | thread limit exceeded |
            slow down | too fast
            """
        ),
    ),
    Group(
        "relay",
        Class.POLICY,
        _phrases(
            """
            relay access denied | relaying denied | unable to relay | relay not permitted | relaying disallowed |
            not permitted to relay | relaying not allowed | do not relay | allowed rcpthosts | relay denied |
            as a relay | relaying prohibited | relay prohibited | not a relay | isn't hosted here | not hosted here |
            does not host
            """
        ),
    ),
    Group(
        "tls",
        Class.TLS_REQUIRED_FAILED,
        _phrases(
            """
            starttls | tls required | tls is required | requires tls | over tls | a tls connection |
            encryption required | requires encryption | encryption is required | tls connection required |
            tls not available | tls/ssl | must use tls | encrypted connection | secure connection required |
            encrypted channel | encryption needed | (tls) | tls currently | tls temporarily
            """
        ),
    ),
    Group(
        "listed",
        Class.REPUTATION_BLOCK,
        _phrases(
            """
            blocked using | spamhaus | spamcop | poor reputation | bad reputation | low reputation |
            barracudacentral | dnsbl | dns blacklist | in a black list
            """
        ),
    ),
    Group(
        "sender",
        Class.AUTH_FAILED,
        _phrases(
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
            from domain fails | fake sender
            """
        ),
    ),
    Group(
        "rate",
        Class.RATE_LIMITED,
        _phrases(
            """
            rate limit | rate-limit | ratelimit | throttl | too many | too much mail | receiving mail too |
            received too much | server busy | mail flood | temporarily deferred | [tss0 | [ts0 | permitted limit |
            sending limit | sending quota | connection limit | submissionquotaexceeded | message limit |
            exceeded the limit | hourly limit | daily limit | exceeds the limit of messages | submission rate |
            rate control | message rate | too high a rate | exceeded the max | limite de mensagens |
            allowable connection | concurrency limit | threshold exceeded | number of messages in | over the limit |
            number of recipients was | temporarily restricted | frequency of | quota for sending | limit for messages
            """
        ),
    ),
    Group(
        "reputation",
        Class.REPUTATION_BLOCK,
        _phrases(
            """
            sorbs | senderscore | blocklist | block list | block-list | blacklist | black list | black-list |
            denylist | deny list | dnsrbl | reputation | bad history | client host [ | [bl2 | listed by | listed on |
            listed at | ipcheck.proofpoint | banned sending | banned sender | your ip | ip address is block |
            traffic not accepted from this ip | ip is blocked | a problem occurred | s3140 | not accepted from ip |
            unsolicited mail originating | access to this mail system has been rejected | in rbl | by rbl | an rbl |
            rbl list | uceprotect | black ip | blocked for spam | block for spam | blocked for abuse | spam ip |
            spammer | spamming issues | dynamically-assigned | dynamic ip | weren't sent | is_blocked | ip blocked |
            ip address has been blocked | is blocked by | is listed | mail-abuse | abuse detected |
            network is blocked | temporarily blocked for | suspicious activity | open proxy | ip bloqueado | dialup |
            smtp server of your isp | use your isp | spam from your | from your network | sender score |
            too much spam | permanently deferred | currently blocked | refused to talk | aup#bl |
            not available aup# | intrusion prevention | rbl reject | ip is rejected | ip is hangup |
            is filtered and this connection | blocked automatically | xbl listing | in spl-xbl | csi.cloudmark |
            cloudmark sender | cloudmark csi | domain blocked | domain is blocked
            """
        ),
    ),
    Group(
        "content",
        Class.CONTENT_REJECTED,
        _phrases(
            """
            as spam | be spam | is spam | of spam | like spam | spam message | spam content | spam-like |
            probability spam | spam score | spam detected | spam filter | unsolicited | virus | malware | phish |
            attachment | security issue | content reject | message content | malicious | infected | bare lf |
            bare newline | bare line | duplicate header | rfc 5322 | rfc5322 | rfc 2822 | multiple from |
            message filtered | messageid header | message-id header | missing header | invalid header | bulk mail |
            url in this | links in | suspicious | bad content | dt:spm | contains spam | banned content |
            message is malformed | message malformed | encoded-word | line length | lines too long |
            headers are not | from: header | missing a valid | linefeed | blocked file | executable | blocking url |
            spam url | message rejected as | considered spam | unwanted mail | junk | forbidden file |
            nature of the content | not rfc compliant | recurrent pattern | uribl | antispam check | header error |
            permanently rejected message | content denied | mass mailer | unacceptable content | forbidden content |
            dangerous file | content restrictions
            """
        ),
    ),
    Group(
        "utf8",
        Class.SMTPUTF8_UNSUPPORTED,
        _phrases("smtputf8 | internationalized | internationalised | non-ascii address"),
    ),
    Group(
        "quota",
        Class.MAILBOX_FULL,
        _phrases(
            """
            over quota | overquota | quota exceeded | exceeded quota | exceeded storage | mailbox would exceed |
            recipient storage full | account storage limit
            """
        ),
    ),
    Group(
        "size",
        Class.MESSAGE_TOO_LARGE,
        _phrases(
            """
            message size | size limit | too large | too big | maximum size | exceeds size | exceeded size |
            exceeds fixed | larger than the current | email size | mail size exce | size exceeded |
            exceeds the maximum | exceeds google's | exceeds maximum | maximum allowed size | message exceeds |
            maximum allowed is | octets, maximum
            """
        ),
    ),
    Group(
        "full",
        Class.MAILBOX_FULL,
        _phrases(
            """
            box full | box is full | quota | out of storage | storage allocation | user is full | not enough space |
            storage limit exceeded | is over its limit | mailbox limit | caixa postal cheia | pleine |
            blocks limit exceeded | mailfolder is full | storage space
            """
        ),
    ),
    Group(
        "storage",
        Class.UNREACHABLE,
        _phrases(
            """
            insufficient system | insufficient storage | disk full | out of memory | insufficient disk
            """
        ),
    ),
    Group(
        "inactive",
        Class.INACTIVE_MAILBOX,
        _phrases(
            """
            mailbox disabled | account disabled | user disabled | account has been disabled |
            mailbox has been disabled | is inactive | inactive user | (disabled) | account inactive |
            mailbox inactive | inactive account | inactive mailbox | deactivated | suspended | account closed |
            mailbox closed | has been closed | no longer active | no longer accept | not active |
            no longer available | no longer valid | no longer in use | no longer with | discontinued |
            recipient disabled | account expired | mailbox expired | account locked | account is locked |
            disabled recipient | archived recipient | recipient archived | account is closed |
            account not available | inactivity | not activated | is sleeping | no longer on server |
            no longer exists | mailbox cannot be accessed | account has expired | mailbox locked | is disabled |
            destinataire est bloque | conta inativa | not accepting messages for this user | user locked |
            mailbox is blocked | not an active | recipient expired | left the organi | non-payment | inactive mbox |
            now disabled
            """
        ),
    ),
    Group(
        "domain",
        Class.BAD_DOMAIN,
        _phrases(
            """
            host or domain name not found | domain not found | no such domain | domain does not exist |
            null mx | unknown domain | host not found | host unknown | invalid domain | domain invalid |
            domain unknown | domain does not accept mail | host does not accept mail |
            does not accept incoming mail
            """
        ),
        digit=5,
    ),
    Group(
        "dns",
        Class.DNS_FAILURE,
        _phrases(
            """
            name service error | dns error | dns failure | dns query failed | dns lookup | dns timeout |
            domain not found | domain does not exist | could not be resolved | does not resolve |
            domain name lookup
            """
        ),
    ),
    Group(
        "recipient",
        Class.INVALID_RECIPIENT,
        _phrases(
            """
            user unknown | unknown user | nosuchuser | no user | doesn't exist | dosn't exist | doesnt exist |
            not exist | non-existent | nonexistent | recipientnotfound | recipient not found | user not found |
            mailbox not found | account not found | address not found | not found by smtp address lookup |
            was not found | access denied. as( | invalid recipient | invalid mailbox | invalid address |
            invalid user | invalid account | bad address | unknown recipient | recipient unknown | address unknown |
            unknown address | unknown local | unknown account | unknown mailbox | mailbox unknown |
            unknown or illegal alias | unknown email | unknown virtual | unrouteable address | unroutable address |
            bad destination mailbox | no mailbox | no account | doesn't have a | does not have a | isn't a known |
            is not a known | not a valid | is not known | not a known user | not our customer | not listed in |
            #5.1.0 address rejected | recipient is not valid | addressee unknown | cannot be verified |
            mailbox is not allowed | mailbox name not allowed | mailbox not allowed | recipient rejected |
            badrcptto | no one at this address | not in recipient list | address invalid | recipient invalid |
            invalid-recipient | undeliverable address | no alias | cannot deliver mail for | unallocated |
            list expansion problem | not a local | destinataire inconnu | utilisateur inconnu | adresse inconnue |
            adresse d au moins | unbekannt | onbekende gebruiker | sconosciuto | desconhecido | desconocido |
            brak takiego | n'existe pas | no matching recipient | mailbox does not | never heard of |
            could not be found | user missing | is not found | bad-recipient | bad recipient | can't accept user |
            rejected recipients | marked as invalid | no such | no mail box | unknown to us | not recognized here |
            user not known | no exist | not a member of domain | user not ok | malformed address
            """
        ),
    ),
    Group(
        "mailbox",
        Class.INVALID_RECIPIENT,
        _phrases("mailbox unavailable | mailbox is unavailable"),
        digit=5,
    ),
    Group(
        "syntax",
        Class.PROTOCOL_ERROR,
        _phrases(
            """
            syntax error | bad sequence | out of order | unrecognized command | command not recognized |
            command unrecognized | not implemented | improper use of | command rejected | protocol error
            """
        ),
    ),
    Group(
        "spam",
        Class.CONTENT_REJECTED,
        _phrases("spam"),
    ),
    Group(
        "policy",
        Class.POLICY,
        _phrases(
            """
            policy | policies | administrative | prohibit | not authorized | not allowed | denied | rejected by |
            not permitted | permission | refused by | does not accept mail from | not accepted | refuses to receive |
            refused to receive | envelope blocked | whitelist | allowlist | not in allowed | members only |
            restricted | inbounds disabled | not authorised | blocked senders | sender blocked |
            closed mailing list | go away
            """
        ),
    ),
    Group(
        "blocked",
        Class.REPUTATION_BLOCK,
        _phrases("blocked | banned"),
    ),
    Group(
        "busy",
        Class.UNREACHABLE,
        _phrases(
            """
            service unavailable | service not available | temporarily unavailable | temporarily not available |
            local error | local problem | system error | internal error | internal resources | lookup failure |
            out of resources | shutting down | timeout | timed out | temporary problem | temporary failure |
            temporary error | overload | maintenance | server error | currently unavailable | service refuse |
            could not complete | unable to process | upstream error | backend | try a different | server is busy |
            too busy | resources temporarily | not enough resources | storage transient | no healthy |
            not accepting network messages | all server ports | ports are busy | configuration problem |
            configuration error | queue file | milter | interrupted system call | i/o error | loop broken |
            connection lost | process your | try again in a few
            """
        ),
        digit=4,
    ),
)


_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"'=@]{0,64}+@[\w-]*+(?:\.[\w-]++)*+")
"""An address within a word. It gives nothing back, so that it takes time linear to the text."""


def fold(text: str) -> str:
    """Return the part of a reply's text that is read: cut, in lower case, single spaces, without addresses."""
    words = text[:MAX_TEXT].lower().split()
    if "@" not in text:
        return " ".join(words)
    kept = [_ADDRESS.sub("", word) if "@" in word else word for word in words]
    return " ".join([word for word in kept if any(map(str.isalnum, word))])


def spoken(text: str, digit: int) -> Group | None:
    """Return the first group that a folded text speaks for, of a reply whose code begins with `digit`."""
    for group in GROUPS:
        if group.digit is None or group.digit == digit:
            for phrase in group.phrases:
                if phrase in text:
                    return group
    return None
