"""The two errors of a conversation: ours and theirs."""


class MisuseError(Exception):
    """A verb was used where it may not be, or with what can never be sent. A bug of the caller, never of the peer."""


class PeerError(Exception):
    """The peer said something that is not SMTP. The text is one sentence fit for a report."""
