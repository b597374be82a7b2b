"""Stage 4: what came back is judged, once, by one judge.

The story: `judge` takes an `Attempt`, the lease it was made under and the stream's schedule, and returns a `Verdict`:
the next state, the next time, the event, and whether the recipient is to be suppressed. A reply is first read by
`classify`, which asks the `rules` about this provider, then weighs enhanced code, basic code and words, and says what
kind of cause it is and by what evidence; the first digit then says whether to try again, and `retry` when. What a rule
asks of the traffic to the provider goes with the verdict, for shaping. `explain` turns the stored reasons back into
words for people.

Three rules stand above the others. A message is delivered only when the peer said so, lost only when nobody can say
whether it did, and until then it is tried again while there is time. Nothing but certain knowledge of the recipient
suppresses: what a server thinks of us, of the message or of the moment never does. And a terminal state is judged
once.

Everything here is pure: time and chance come in as arguments, the store applies the verdict in one transaction.
"""
