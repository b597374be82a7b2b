"""Transport security: `postroad tlsrpt …` and `postroad tls …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.asking import AsJson, ConfigFile, Operation, ask, rows
from postroad.cli.telling import tell, tell_json

if TYPE_CHECKING:
    from collections.abc import Iterator

tls_app = typer.Typer(help="What is known of the TLS of other mail servers.", no_args_is_help=True)


tlsrpt_app = typer.Typer(help="How TLS sessions with other mail servers went.")
Day = Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="Day in UTC; without, today.")]


@tlsrpt_app.callback(invoke_without_command=True)
def tlsrpt(
    context: typer.Context,
    day: Day = None,
    domain: Annotated[str | None, typer.Option("--domain", metavar="NAME", help="Only of this domain.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show how TLS sessions with other mail servers went; with --json, the reports of RFC 8460."""
    if context.invoked_subcommand is not None:
        return
    answer = ask(config, "tls.reports", {"day": day, "domain": domain})
    if as_json:
        tell_json(answer)
    else:
        tell({"data": [line for report in rows(answer) for line in _lines(report)]}, as_json=False)


@tlsrpt_app.command("report")
def report(
    domain: Annotated[str, typer.Option("--domain", metavar="NAME", help="The domain that it is for.")],
    day: Day = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the report of a day to one domain, ready to be sent: the JSON document of RFC 8460."""
    tell_json(ask(config, "tls.report", {"domain": domain, "day": day}))


@tls_app.command("policies")
def policies(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the MTA-STS policies that are kept."""
    tell(ask(config, "tls.policies"), as_json=as_json)


@tls_app.command("broken")
def broken(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the addresses that are spoken to without TLS for now, because it does not work there."""
    tell(ask(config, "tls.broken"), as_json=as_json)


def _lines(report: Operation) -> "Iterator[Operation]":
    """Yield a line for the sessions that went well under a policy, and one for each reason of failure."""
    for found in rows(report, "policies"):
        policy, summary = found["policy"], found["summary"]
        assert isinstance(policy, dict)
        assert isinstance(summary, dict)
        head = {"domain": policy["policy-domain"], "policy": policy["policy-type"]}
        yield {**head, "sessions": summary["total-successful-session-count"], "result": "ok", "host": "", "detail": ""}
        for failure in rows(found, "failure-details"):
            yield {
                **head,
                "sessions": failure["failed-session-count"],
                "result": failure["result-type"],
                "host": failure.get("receiving-mx-hostname", ""),
                "detail": failure.get("additional-information", ""),
            }
