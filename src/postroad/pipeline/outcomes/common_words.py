"""The groups that are asked after the clear ones: on the message, the recipient, and last words that anybody uses."""

from typing import Final

from postroad.model.reason import Class
from postroad.pipeline.outcomes import vocabulary
from postroad.pipeline.outcomes.group import Group, phrases

COMMON: Final = (
    Group(
        "content",
        Class.CONTENT_REJECTED,
        phrases(
            """
            as spam | be spam | is spam | of spam | like spam | spam message | spam content | spam-like |
            probability spam | spam score | spam detected | spam filter | unsolicited | virus | malware | phish |
            attachment | security issue | content reject | message content | malicious | infected | bare lf |
            bare newline | bare line | duplicate header | rfc 5322 | rfc5322 | rfc 2822 | multiple from |
            message filtered | messageid header | message-id header | missing header | invalid header | bulk mail |
            url in this | links in | suspicious | bad content | dt:spm | contains spam | banned content |
            message is malformed | message malformed | encoded-word | line length | lines too long | line too long |
            headers are not | from: header | missing a valid | linefeed | blocked file | executable | blocking url |
            spam url | message rejected as | considered spam | unwanted mail | junk | forbidden file |
            nature of the content | not rfc compliant | recurrent pattern | uribl | antispam check | header error |
            permanently rejected message | content denied | mass mailer | unacceptable content | forbidden content |
            dangerous file | content restrictions | mime error | mime structure | control character | nul character |
            8bit data | 7bit | format restriction | header length | header too | cloudmark spam | cannot be scanned |
            encrypted archive | password protected | macro | invalid content | mime/reject | invalid structure |
            required standards | not comply with | spamtrap=reject | invalid data in message | no message-id |
            message-id is missing | missing message-id | date header | shortened | message scored | mail scored |
            points, which is | score of | score too high | scoring | scored too | character set | charset | zip file |
            zip archive | header is missing | zip attachment | bare carriage | carriage return
            """
        ),
    ),
    Group(
        "utf8",
        Class.SMTPUTF8_UNSUPPORTED,
        phrases(
            """
            smtputf8 | internationalized | internationalised | non-ascii address | utf-8 address | utf8 address |
            eai address | utf8 sender | utf-8 sender | utf8 not | utf-8 not | outside ascii | outside of ascii |
            non-ascii character
            """
        ),
    ),
    Group(
        "quota",
        Class.MAILBOX_FULL,
        phrases(
            """
            over quota | overquota | quota exceeded | exceeded quota | exceeded storage | mailbox would exceed |
            recipient storage full | account storage limit | storage limit | no space left |
            space left in
            """
        ),
    ),
    Group(
        "size",
        Class.MESSAGE_TOO_LARGE,
        phrases(
            """
            message size | size limit | too large | too big | maximum size | exceeds size | exceeded size |
            exceeds fixed | larger than the current | email size | mail size exce | size exceeded |
            exceeds the maximum | exceeds google's | exceeds maximum | maximum allowed size | message exceeds |
            maximum allowed is | octets, maximum | size parameter | declared size | exceeds our | our maximum |
            of this size | body exceeds | too much data | maximum length | length of a message
            """
        ),
    ),
    Group("size_words", Class.MESSAGE_TOO_LARGE, near=vocabulary.BIG),
    Group("pace_words", Class.RATE_LIMITED, near=vocabulary.HURRIED),
    Group("flow_words", Class.RATE_LIMITED, near=vocabulary.CROWDED),
    Group(
        "full",
        Class.MAILBOX_FULL,
        phrases(
            """
            box full | box is full | quota | out of storage | storage allocation | user is full | not enough space |
            storage limit exceeded | is over its limit | mailbox limit | caixa postal cheia | pleine |
            blocks limit exceeded | mailfolder is full | storage space | insufficient space | no space left for |
            inbox size | account is over | more storage | storage available
            """
        ),
    ),
    Group(
        "storage",
        Class.UNREACHABLE,
        phrases(
            """
            insufficient system | insufficient storage | disk full | out of memory | insufficient disk | disk block |
            disk space | queue disk | disk is
            """
        ),
        digit=4,
    ),
    Group("full_words", Class.MAILBOX_FULL, near=vocabulary.FULL),
    Group(
        "inactive",
        Class.INACTIVE_MAILBOX,
        phrases(
            """
            mailbox disabled | account disabled | user disabled | account has been disabled |
            mailbox has been disabled | is inactive | inactive user | (disabled) | account inactive |
            mailbox inactive | inactive account | inactive mailbox | deactivated | suspended | account closed |
            mailbox closed | has been closed | no longer active | no longer accept | not active |
            no longer available | no longer valid | no longer in use | no longer with | discontinued |
            recipient disabled | account expired | mailbox expired | account locked | account is locked |
            disabled recipient | archived recipient | recipient archived | account is closed | account not available |
            inactivity | not activated | is sleeping | no longer on server | no longer exists |
            mailbox cannot be accessed | account has expired | mailbox locked | is disabled |
            destinataire est bloque | conta inativa | not accepting messages for this user | user locked |
            mailbox is blocked | not an active | recipient expired | left the organi | non-payment | inactive mbox |
            now disabled | user is locked | is frozen | is dormant | disattivat | not been used | left the company |
            no longer employed | no longer works | does not work here | not poped | not popped |
            mailbox has been removed | former employee | left our | being accepted for this | receiving disabled |
            no longer an employee | has left our | has left the company | person has left | account blocked |
            mailbox blocked | account is blocked | not used for more | user hangup | has left us | left us
            """
        ),
    ),
    Group("inactive_words", Class.INACTIVE_MAILBOX, near=vocabulary.SHUT),
    Group(
        "domain",
        Class.BAD_DOMAIN,
        phrases(
            """
            host or domain name not found | domain not found | no such domain | domain does not exist | null mx |
            unknown domain | host not found | host unknown | invalid domain | domain invalid | domain unknown |
            domain does not accept mail | host does not accept mail | does not accept incoming mail | no route found |
            any host named | host by that name | host name is unknown | unrouteable mail domain | unrouteable domain |
            domain is not hosted | no mail service at | no mail exchanger | host part | domain part |
            mx records point | mx record point | non-existent host | domain has no | no mail server |
            domain is not active | domain is inactive | domain has expired | bad domain
            """
        ),
        digit=5,
    ),
    Group("domain_words", Class.BAD_DOMAIN, digit=5, near=vocabulary.LOST),
    Group("dns_words", Class.DNS_FAILURE, digit=4, near=vocabulary.UNRESOLVED),
    Group(
        "dns",
        Class.DNS_FAILURE,
        phrases(
            """
            name service error | dns error | dns failure | dns query failed | dns lookup | dns timeout |
            domain not found | domain does not exist | could not be resolved | does not resolve | domain name lookup |
            no mx for | no mx record | mx lookup | dns temporary | unable to resolve | cannot resolve |
            can't resolve | dns problem | no dns | name lookup | name server | dns query
            """
        ),
    ),
    Group(
        "recipient",
        Class.INVALID_RECIPIENT,
        phrases(
            """
            user unknown | unknown user | nosuchuser | no user | doesn't exist | dosn't exist | doesnt exist |
            not exist | non-existent | nonexistent | recipientnotfound | recipient not found | user not found |
            mailbox not found | account not found | address not found | not found by smtp address lookup |
            was not found | access denied. as( | invalid recipient | invalid mailbox | invalid address | invalid user |
            invalid account | bad address | unknown recipient | recipient unknown | address unknown | unknown address |
            unknown local | unknown account | unknown mailbox | mailbox unknown | unknown or illegal alias |
            unknown email | unknown virtual | unrouteable address | unroutable address | bad destination mailbox |
            no mailbox | no account | doesn't have a | does not have a | isn't a known | is not a known | not a valid |
            is not known | not a known user | not our customer | not listed in | #5.1.0 address rejected |
            recipient is not valid | addressee unknown | cannot be verified | mailbox is not allowed |
            mailbox name not allowed | mailbox not allowed | recipient rejected | badrcptto | no one at this address |
            not in recipient list | address invalid | recipient invalid | invalid-recipient | undeliverable address |
            no alias | cannot deliver mail for | unallocated | list expansion problem | not a local |
            destinataire inconnu | utilisateur inconnu | adresse inconnue | adresse d au moins | unbekannt |
            onbekende gebruiker | sconosciuto | desconhecido | desconocido | brak takiego | n'existe pas |
            no matching recipient | mailbox does not | never heard of | could not be found | user missing |
            is not found | bad-recipient | bad recipient | can't accept user | rejected recipients |
            marked as invalid | no such | no mail box | unknown to us | not recognized here | user not known |
            no exist | not a member of domain | user not ok | malformed address | nessun utente | isn't here |
            user invalid | not in our directory | not in our database | not our user | not served here |
            no longer handled here | wrong address | undeliverable recipient | not in my validrcptto | unknown here |
            no longer on this | addresses were unknown | recipients were unknown | no forwarding |
            receiver verification | recipient verification | by that name | by this name | of that name | with that name
            """
        ),
    ),
    Group("recipient_words", Class.INVALID_RECIPIENT, near=vocabulary.GONE),
    Group("length_words", Class.MESSAGE_TOO_LARGE, near=vocabulary.MEASURED),
    Group(
        "mailbox",
        Class.INVALID_RECIPIENT,
        phrases("mailbox unavailable | mailbox is unavailable | mailbox not available | mailbox is not available"),
        digit=5,
    ),
    Group(
        "syntax",
        Class.PROTOCOL_ERROR,
        phrases(
            """
            syntax error | bad sequence | out of order | unrecognized command | command not recognized |
            command unrecognized | not implemented | improper use of | command rejected | protocol error |
            first command | pipelining | bad command | invalid command | unknown command | unimplemented |
            helo first | ehlo first | mail first | rcpt first | nested mail | syntax: | syntax in parameters |
            unsupported option | unsupported parameter | parameter not | parameters not | wrong sequence |
            protocol deviation | protocol violation | out of sequence | synchronization | synchronisation
            """
        ),
    ),
    Group("content_words", Class.CONTENT_REJECTED, near=vocabulary.DIRTY),
    Group("attachment_words", Class.CONTENT_REJECTED, near=vocabulary.ENCLOSED),
    Group(
        "spam",
        Class.CONTENT_REJECTED,
        phrases(
            """
            spam | bulk | junk | advertis
            """
        ),
    ),
    Group(
        "policy",
        Class.POLICY,
        phrases(
            """
            policy | policies | administrative | prohibit | not authorized | permission | does not accept mail from |
            envelope blocked | whitelist | allowlist | not in allowed | members only | restricted | inbounds disabled |
            not authorised | blocked senders | sender blocked | closed mailing list | no access for | unauthorized |
            unauthorised | security settings | not whitelisted | only accept | interdit | nicht erlaubt |
            no autorizado | nao autorizado | relay | security regulation | security reasons
            """
        ),
    ),
    Group(
        "blocked",
        Class.REPUTATION_BLOCK,
        phrases("blocked | banned"),
    ),
    Group("tls_words", Class.TLS_REQUIRED_FAILED, near=vocabulary.UNCIPHERED),
    Group("mailbox_for_now", Class.GREYLISTED, phrases("mailbox unavailable | mailbox is unavailable"), digit=4),
    Group(
        "busy",
        Class.UNREACHABLE,
        phrases(
            """
            service unavailable | service not available | temporarily unavailable | temporarily not available |
            local error | local problem | system error | internal error | internal resources | lookup failure |
            out of resources | shutting down | timeout | timed out | temporary problem | temporary failure |
            temporary error | overload | maintenance | server error | currently unavailable | service refuse |
            could not complete | unable to process | upstream error | backend | try a different | server is busy |
            too busy | resources temporarily | not enough resources | storage transient | no healthy |
            not accepting network messages | all server ports | ports are busy | configuration problem |
            configuration error | queue file | milter | interrupted system call | i/o error | loop broken |
            connection lost | process your | verification in progress | lookup failed | unverified address |
            not available | temporary system | system load | load average | connection refused | no route | license |
            cannot accept | could not connect | write error | insufficient | unavailable | starting up | restart |
            failed temporarily | not responding | is down | cannot reach | server is under | internal failure |
            offline | qq trouble | cannot queue | disk error | does not answer | not answering | no answer | upgraded |
            misconfigured
            """
        ),
        digit=4,
    ),
    Group("hint_of_servers", Class.UNREACHABLE, digit=4, near=vocabulary.HINTED_SERVER, hint=True),
    Group("hint_of_names", Class.DNS_FAILURE, digit=4, near=vocabulary.HINTED_NAMES, hint=True),
    Group("hint_of_encryption", Class.TLS_REQUIRED_FAILED, near=vocabulary.HINTED_ENCRYPTION, hint=True),
    Group("hint_of_rate", Class.RATE_LIMITED, digit=4, near=vocabulary.HINTED_RATE, hint=True),
    Group("hint_of_crowds", Class.RATE_LIMITED, digit=4, near=vocabulary.HINTED_CROWD, hint=True),
    Group("hint_of_content", Class.CONTENT_REJECTED, near=vocabulary.HINTED_CONTENT, hint=True),
    Group("hint_of_reputation", Class.REPUTATION_BLOCK, near=vocabulary.HINTED_REPUTATION, hint=True),
    Group(
        "refused",
        Class.POLICY,
        phrases(
            """
            denied | rejected by | refused by | not accepted | not allowed | not permitted | refuses to receive |
            refused to receive | go away | not welcome | not wanted | is forbidden | rejected for | no permit |
            you are not
            """
        ),
    ),
    Group("hint_of_policy", Class.POLICY, near=vocabulary.HINTED_POLICY, hint=True),
    Group("hint_of_closing", Class.INACTIVE_MAILBOX, digit=5, near=vocabulary.HINTED_CLOSING, hint=True),
    Group("hint_of_absence", Class.INVALID_RECIPIENT, digit=5, near=vocabulary.HINTED_ABSENCE, hint=True),
    Group(
        "later",
        Class.GREYLISTED,
        phrases(
            """
            try again in a few | try again later | try later | later again | come back later | deferred |
            at the moment | temporarily rejected | retry later | again shortly | come back in | try again soon
            """
        ),
        digit=4,
    ),
)
"""In the order in which they are believed; the hints near the end are single words, heard where nothing else speaks."""
