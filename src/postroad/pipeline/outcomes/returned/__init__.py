"""Mail that comes back: what it is, whom it is about, and what it says, in the types of `model.returned`.

The story: `reading.read_returned` takes the octets and asks in turn whether they are a complaint (`complaints`), a
delivery report as the standards have it or in prose (`reports`, `prose`), or an answer of a machine (`automatic`);
`quoted` finds the message that it all is about, `replies` the SMTP reply in other people's sentences. `cause` then
brings what a report says of a recipient before the same classifier that weighs replies; `sayings` are the words that
only mail systems say to people, in the languages they say them in; and where no such sentence was foreseen, `concepts`
looks for one of the `things` beside one of the `states`, and at last `hints` for the words of one cause in a sentence.

Nothing here fails on any octets, and nothing here is believed: the store finds the delivery by what cannot be forged.
"""
