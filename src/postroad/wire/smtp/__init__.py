"""SMTP without input or output (RFC 5321): both ends of the conversation as machines that a shell feeds with octets.

The story: `replies` reads and writes what a server says, `extensions` what it offers; `client` holds our end of a
conversation that we began, carrying the messages that `transaction` frames; `server` holds our end of one that somebody
else began, with `content` reading message octets and `commands` everything before them. `transcript` keeps what was
said.

Every machine has one shape. `receive(octets)` returns events, `outgoing()` returns octets to be written, verbs say
what is wanted next and also return events, and `phase` tells what is being waited for, so that whoever owns the clock
knows how long to wait. Any cutting of the same octets gives the same events. Two errors: `MisuseError` is raised at
us, `PeerError` is what the other side did; it comes as an event, never as an exception from a machine.
"""
