"""What ships with Postroad as data, as a server has it at its start."""

from functools import cache
from importlib import resources

from postroad.pipeline.outcomes.rules import RuleSet, assemble, read


@cache
def shipped_rules() -> RuleSet:
    """Return the rules about providers' replies."""
    folder = resources.files("postroad.pipeline.outcomes.rules")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return assemble([read(file.read_text(encoding="utf-8"), file.name) for file in files])
