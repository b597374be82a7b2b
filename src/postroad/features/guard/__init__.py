"""The reputation guard: counts what receivers minded, warns, and pauses broadcast mail before the harm spreads.

`counting` turns the log into counters, behind a cursor, so that nothing is paid on the way of a message; `weighing`
says which rates are bad; `guard` warns once, and suspends the project's broadcast streams with the numbers as evidence.
Transactional mail is never paused. After a pause the count begins anew, so that whoever resumes is judged by what is
sent from then on.
"""

from postroad.features.guard.guard import Guard, GuardShown, ThresholdChange

__all__ = ["Guard", "GuardShown", "ThresholdChange"]
