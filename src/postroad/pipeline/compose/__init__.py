"""Stage 2: from what was asked for to what goes over the wire.

`compose` takes a job that carries everything that decides the octets, and returns the envelope and the finished
message: headers from the content's fields, a body from `wire.mime`, plain text from the HTML when none was given,
signatures last. It is a pure function: no clock, no chance, no socket, no store. The same job and keys give the same
octets, on a retry, in a preview and in a worker process alike, so octets need not be kept. The body ends in CRLF and
holds no bare CR or LF before it is signed; dot-stuffing is the SMTP client's, after it.
"""

from postroad.pipeline.compose.compose import SIGNATURE_LIFETIME_S, compose
from postroad.pipeline.compose.keyring import KeyRing
from postroad.pipeline.compose.plaintext import plain_text

__all__ = ["SIGNATURE_LIFETIME_S", "KeyRing", "compose", "plain_text"]
