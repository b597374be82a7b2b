"""The nouns and laws of Postroad, as immutable values.

A *message* is one request; it has one *delivery* for each envelope recipient; a delivery has *attempts*; what an
attempt brought back is judged into a *verdict*; every change of state is an *event*. Nothing in here reads a clock,
draws a random number or touches the outside: instants, entropy and keys come in as arguments.
"""
