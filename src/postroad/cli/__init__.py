"""The command line.

A command that needs data hands one named operation to `postroad.app.administer`, which asks the running server over
its administration socket or opens the store itself when none runs: so every command works in both cases. Heavy imports
belong to the commands, so that `--help` is instant. Failures end in a sentence that says what to do, never in a
traceback: exit code 1, or 2 for a command line that cannot be understood.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from typer.main import get_command

from postroad.cli import server
from postroad.cli.accounts import key_app, project_app
from postroad.cli.clock import clock_app
from postroad.cli.guard import guard_app
from postroad.cli.inbound import inbound_app
from postroad.cli.mail import send
from postroad.cli.queue import queue_app
from postroad.cli.rules import rules_app
from postroad.cli.senders import domain_app
from postroad.cli.simulate import simulate
from postroad.cli.sites import sites_app
from postroad.cli.suppressions import suppression_app
from postroad.cli.telling import tell_failure
from postroad.cli.transport import tls_app, tlsrpt_app
from postroad.cli.webhooks import webhook_app

INTERRUPTED = 130


def application() -> typer.Typer:
    """Return the tree of commands."""
    app = typer.Typer(
        name="postroad",
        help="The self-hosted email platform for developers.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (server.dev, server.serve, send, server.doctor, server.migrate, simulate, server.version):
        app.command()(command)
    for name, group in (
        ("project", project_app),
        ("key", key_app),
        ("domain", domain_app),
        ("queue", queue_app),
        ("guard", guard_app),
        ("sites", sites_app),
        ("suppression", suppression_app),
        ("webhook", webhook_app),
        ("inbound", inbound_app),
        ("rules", rules_app),
        ("tls", tls_app),
        ("tlsrpt", tlsrpt_app),
        ("clock", clock_app),
        ("config", server.config_app),
    ):
        app.add_typer(group, name=name)
    return app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        code = get_command(application())(given, prog_name="postroad", standalone_mode=False)
    except typer.TyperException as error:
        tell_failure(error.format_message(), code="usage", as_json=as_json)
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last door: what is expected is told, the rest is reported as a bug
        _fail(error, as_json=as_json)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: Exception, *, as_json: bool) -> NoReturn:
    from postroad.config import SettingsError
    from postroad.model.errors import Refused, Unavailable

    match error:
        case Refused():
            flaws = [{"pointer": flaw.pointer, "detail": flaw.detail, "code": flaw.code} for flaw in error.flaws]
            tell_failure(error.detail, code=error.code, as_json=as_json, errors=flaws)
        case Unavailable():
            tell_failure(error.detail, code=error.code, as_json=as_json, retry_after_s=error.retry_after_s)
        case SettingsError():
            problems = [{"pointer": problem.setting, "detail": problem.sentence} for problem in error.problems]
            tell_failure(str(error), code="unsafe_settings", as_json=as_json, errors=problems if as_json else ())
        case _:
            if os.environ.get("POSTROAD_LOG_LEVEL") == "debug":
                raise error
            tell_failure(
                f"Something failed inside Postroad ({type(error).__name__}: {error}). "
                "Run it again with POSTROAD_LOG_LEVEL=debug and report what it prints.",
                code="bug",
                as_json=as_json,
            )
    sys.exit(1)
