"""A model of queue, leases and controller, which runs beside the real parts and is compared with them after each step.

`expected` is what the model keeps, `nodes` has the real parts of one node,
`parts` does one thing at a time with them and checks it,
`machine` has what may happen, in any order, on top of `parts`.
"""
