"""Fuzzing of everything that reads what a stranger wrote: SMTP replies, delivery reports, feedback reports.

`targets` says what must hold for any octets, `corpus` where the seeds are, `mutate` changes them without a fuzzer, and
`python -m fuzz` runs a target for a time, with atheris where it is installed.
"""
