"""Causes and remedies in plain words, one of each for every class: the same sentences on a reason and in `explain`."""

from typing import Final

from postroad.model.reason import Class
from postroad.model.suppression import Cause

CAUSES: Final = {
    Class.INVALID_RECIPIENT: "The recipient's mail server says that this address does not exist.",
    Class.INACTIVE_MAILBOX: "The recipient's mail server says that this mailbox is closed or disabled.",
    Class.BAD_DOMAIN: "The recipient's domain does not exist or does not take mail.",
    Class.MAILBOX_FULL: "The recipient's mailbox is full.",
    Class.MESSAGE_TOO_LARGE: "The message is larger than the recipient's mail server takes.",
    Class.CONTENT_REJECTED: "The recipient's mail server objects to the content of the message.",
    Class.REPUTATION_BLOCK: "The recipient's mail server blocks the address or the domain this was sent from.",
    Class.POLICY: "The recipient's mail server refused by a policy of its own.",
    Class.AUTH_FAILED: "The sender was not accepted: its authentication, its DNS records or its address.",
    Class.RATE_LIMITED: "The recipient's mail server takes no more mail from us for now.",
    Class.GREYLISTED: "The recipient's mail server lets unfamiliar senders try twice (greylisting).",
    Class.UNREACHABLE: "No mail server of the recipient's domain could be reached or was ready to take mail.",
    Class.DNS_FAILURE: "The DNS of the recipient's domain gave no usable answer.",
    Class.TLS_REQUIRED_FAILED: "An encrypted connection is required and could not be made.",
    Class.PROTOCOL_ERROR: "The conversation with the mail server broke the rules of SMTP.",
    Class.EXPIRED: "It could not be delivered within the time given for it.",
    Class.IN_DOUBT: "The connection was lost when the message had been sent and before the server had answered.",
    Class.SMTPUTF8_UNSUPPORTED: "The mail server cannot take internationalised addresses.",
    Class.AUTO_REPLY: "An automatic reply came back.",
    Class.CHALLENGE: "The recipient's side asks the sender to confirm being human.",
    Class.COMPLAINT: "The recipient reported the message as unwanted.",
    Class.SUPPRESSED: "The recipient is on the project's suppression list.",
    Class.CANCELED: "It was canceled before it was sent.",
    Class.RENDERING: "The message could not be built from what was given.",
    Class.LOCAL: "This server interrupted the delivery itself.",
    Class.ACCEPTED: "The mail server took responsibility for the message.",
    Class.UNKNOWN: "The mail server refused and gave no cause that we know.",
}

REMEDIES: Final = {
    Class.INVALID_RECIPIENT: "Check the address for mistakes, and ask the recipient for one that works.",
    Class.INACTIVE_MAILBOX: "Ask the recipient for another address.",
    Class.BAD_DOMAIN: "Check the domain for mistakes; its owner has to publish MX records that lead to a mail server.",
    Class.MAILBOX_FULL: "The recipient has to make room.",
    Class.MESSAGE_TOO_LARGE: "Send less: put large attachments somewhere else and link to them.",
    Class.CONTENT_REJECTED: "Change what the reply points at: wording, links, attachments or headers.",
    Class.REPUTATION_BLOCK: "Find out why the sending address is blocked, end that, and ask the provider to lift it.",
    Class.POLICY: "Ask the recipient's postmaster to allow this sender; the reply often links to a page about it.",
    Class.AUTH_FAILED: "Check the sending domain's SPF, DKIM and DMARC records and this server's reverse DNS.",
    Class.RATE_LIMITED: "Send more slowly to this provider; waiting is what helps.",
    Class.GREYLISTED: "Waiting helps: such servers take a message that comes again after some minutes.",
    Class.UNREACHABLE: "Their side or the network between has to come back; if no host answers, look at port 25.",
    Class.DNS_FAILURE: "The domain's owner has to repair its DNS; check that the resolver of this server works.",
    Class.TLS_REQUIRED_FAILED: "Their server needs working TLS and a valid certificate, or the policy has to change.",
    Class.PROTOCOL_ERROR: "Look at the attempt's conversation; the mail server or something between needs repair.",
    Class.EXPIRED: "Send it again with more time: a later expires_at, or a longer expiry of its stream.",
    Class.IN_DOUBT: "Ask the recipient whether it arrived before sending it again: it may have.",
    Class.SMTPUTF8_UNSUPPORTED: "Use an address of the recipient's that has ASCII letters only before the @.",
    Class.AUTO_REPLY: "Nothing needs to be done.",
    Class.CHALLENGE: "A person has to follow the instructions in the reply.",
    Class.COMPLAINT: "Send this recipient nothing more, and look at how the address came to be on the list.",
    Class.SUPPRESSED: "Remove the address from the suppression list when its cause is gone.",
    Class.CANCELED: "Send the message again if it is wanted after all.",
    Class.RENDERING: "Correct the content as the detail says.",
    Class.LOCAL: "Nothing needs to be done: it goes on by itself.",
    Class.ACCEPTED: "Nothing needs to be done; if it is not in the inbox, look into the spam folder.",
    Class.UNKNOWN: "Read the reply; the recipient's postmaster can say what it means.",
}

SUPPRESSION_CAUSES: Final = {
    Cause.BOUNCE: "because mail to it bounced",
    Cause.COMPLAINT: "because its owner reported mail as spam",
    Cause.UNSUBSCRIBE: "because its owner unsubscribed",
    Cause.MANUAL: "because somebody put it there",
    Cause.IMPORT: "because it came with an import",
}
SUPPRESSION_REMEDIES: Final = {
    Cause.BOUNCE: "When the address works again, remove it from the suppression list and send the message again.",
    Cause.COMPLAINT: "Leave it: only when its owner asks for mail again may it be removed from the suppression list.",
    Cause.UNSUBSCRIBE: "Leave it: only its owner can subscribe again. Mail of other streams may still be wanted.",
    Cause.MANUAL: "Ask who put it on the suppression list, and remove it there when it was a mistake.",
    Cause.IMPORT: "Check where the imported list came from, and remove the address there when it was a mistake.",
}

RELAY_REMEDY: Final = (
    "Correct user name and password in the relay's URL, or its security where the relay takes them only over TLS. "
    "Restart, then release what is held."
)
RELAY_REMEDIES: Final = {
    Class.UNREACHABLE: "The relay has to come back; if its host or port are wrong, correct the relay's URL.",
    Class.DNS_FAILURE: "Correct the host in the relay's URL; check that the resolver of this server works.",
    Class.TLS_REQUIRED_FAILED: "The relay needs working TLS and a certificate that is valid for its host. If it has "
    "them, correct host, port and security in the relay's URL.",
}
"""What helps where the mail server in question is our own relay."""
HOLD_REMEDY: Final = "Put right what the detail says, then release what is held."
WAITING_REMEDY: Final = "Nothing needs to be done. Until it is sent it can be canceled or moved to another time."
SENDING_REMEDY: Final = "Nothing needs to be done. It is on its way and can no longer be canceled or moved."
RESEND_REMEDY: Final = "Send it again: the address is not on the suppression list any more."
REHEARSED_REMEDY: Final = "Nothing needs to be done: this address is reserved, and plays a recipient who is suppressed."
