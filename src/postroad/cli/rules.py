"""The rules about providers' replies: list them, prove them, and ask which one decides a reply.

These commands read the files themselves and need neither server nor store, so that a rule can be tried anywhere.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.asking import AsJson, ConfigFile, Operation, UsageFlawError, settings_of
from postroad.cli.telling import tell, tell_findings, tell_json

if TYPE_CHECKING:
    from postroad.app.rulebook import RuleFiles
    from postroad.pipeline.outcomes.rules import RuleSet

rules_app = typer.Typer(help="Rules about what providers mean by their replies.", no_args_is_help=True)

Provider = Annotated[
    str | None, typer.Option("--provider", metavar="NAME", help="Provider such as google, or the name of a server.")
]
_SHOWN = ("id", "provider", "class", "traffic", "file")


@rules_app.command("list")
def list_all(provider: Provider = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the rules in the order in which they are asked."""
    from postroad.app.ruling import rule_shown

    rules = _warned(_files(config)).book.rules
    mx = _host(rules, provider)
    found = rules.rules if mx is None else rules.of_provider(rules.provider(mx))
    shown = [rule_shown(rule) for rule in found]
    tell({"data": shown if as_json else [{name: row[name] for name in _SHOWN} for row in shown]}, as_json=as_json)


@rules_app.command("test")
def try_out(
    file: Annotated[
        list[Path] | None, typer.Argument(help="Files to test before ours; without, those of the settings.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run the test lines of all rules, and say which do not decide as they are meant."""
    from postroad.app.ruling import problems

    files = _files(config, file)
    found = list(problems(files))
    rules = files.book.rules.rules
    tests = sum(len(rule.tests) + len(rule.counterexamples) for rule in rules)
    if as_json:
        tell_json({"rules": len(rules), "tests": tests, "problems": found})
    else:
        good: Operation = {"state": "ok", "detail": f"{files.standing()}, and their {tests} test lines hold"}
        tell_findings([{"state": "problem", "detail": each} for each in found] or [good])
    if found:
        raise typer.Exit(1)


@rules_app.command("match")
def match(
    reply: Annotated[str, typer.Argument(help="Reply as the server said it, such as '550 5.1.1 No such user'.")],
    provider: Provider = None,
    phase: Annotated[
        str, typer.Option("--phase", metavar="PHASE", help="What it answered: rcpt, dot, mail …")
    ] = "rcpt",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what a reply means, and which rule or which other evidence decides."""
    from postroad.app.ruling import reply_explained
    from postroad.model.attempt import Phase

    if phase not in list(Phase):
        raise UsageFlawError(f"There is no phase {phase!r}; there are {', '.join(Phase)}.")
    rules = _warned(_files(config)).book.rules
    answer = reply_explained(rules, reply, Phase(phase), _host(rules, provider))
    if answer is None:
        raise UsageFlawError(
            "That is no refusal; write it as the server said it, code first: '550 5.1.1 No such user'."
        )
    tell(answer, as_json=as_json)


def _files(config: Path | None, given: Sequence[Path] | None = None) -> "RuleFiles":
    from postroad.app.rulebook import RuleFiles

    return RuleFiles(given or [Path(name) for name in settings_of(config).delivery.rules])


def _warned(files: "RuleFiles") -> "RuleFiles":
    """Return the files; those that cannot be used are told of on standard error."""
    for flaws in files.flaws.values():
        for flaw in flaws:
            typer.echo(f"left out: {flaw}", err=True)
    return files


def _host(rules: "RuleSet", provider: str | None) -> str | None:
    """Return a server of the provider of that name, or the server of that name."""
    from postroad.app.ruling import host_of

    if provider is None or "." in provider:
        return provider
    found = host_of(rules, provider)
    if found is None:
        raise UsageFlawError(f"No provider is called {provider!r}; give the name of one of its servers instead.")
    return found
