"""The road itself, its stages in the order of events.

`intake` takes a request, `compose` writes the message, `deliver` carries it, `outcomes` judges what came back. No stage
knows another; `sending` walks a delivery through them.
"""
