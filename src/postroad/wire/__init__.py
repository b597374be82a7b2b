"""Internet standards: octets on one side, values on the other, and nothing else.

Everything here is pure: no clock, no socket, no chance, no files. What a function needs of those comes in as an
argument, so each module can be read, tested and reused alone. The package knows nothing of Postroad's own nouns.

The story, in the order a message meets it: `address` says who, `headers` and `mime` write the message (RFC 5322, 2045),
`dkim` signs it (RFC 6376), `verp` names the way back, `smtp` carries it (RFC 5321), `status` reads what came back, and
`parse` takes raw mail apart. `unsubscribe`, `webhook`, `spf` and `dmarc` are the small standards beside that road.

What comes in from outside is refused with a `ValueError` of ours whose text is a public sentence; nothing is repaired
silently that a stricter reader downstream could understand differently.
"""
