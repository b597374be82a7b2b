"""Rules: what single providers mean by their replies, as data that users can add to.

The story: a rules file is TOML. `read` takes its text and returns the rules in it, or what is wrong with it, one
sentence each. `assemble` puts several files together, the first the most important, into the `RuleSet` that
`classify` asks before it weighs codes and words by itself. Each rule carries replies it is meant for, and `try_out`
says whether the set really decides them so. Our own files are the package data beside this module (`*.toml`), read by
nobody here: this package is pure, `postroad.app` brings the texts in and puts a new set into the `Rulebook` when a
file has changed.

A pattern is no regular expression: pieces of text that must follow each other, so that no rule and no reply can make
the search slow. What a rule says never suppresses anybody unless its class is about the recipient, and never makes a
4xx final.
"""

from postroad.pipeline.outcomes.rules.reading import Flaw, RuleFile, read
from postroad.pipeline.outcomes.rules.rule import Rule
from postroad.pipeline.outcomes.rules.ruleset import NO_RULES, Rulebook, RuleSet, assemble
from postroad.pipeline.outcomes.rules.trial import Failure, spoken_reply, try_out

__all__ = [
    "NO_RULES",
    "Failure",
    "Flaw",
    "Rule",
    "RuleFile",
    "RuleSet",
    "Rulebook",
    "assemble",
    "read",
    "spoken_reply",
    "try_out",
]
