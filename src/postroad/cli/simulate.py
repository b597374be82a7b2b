"""A simulated internet in the foreground."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.asking import AsJson, Operation, UsageFlawError
from postroad.cli.telling import tell, tell_json, terminal

if TYPE_CHECKING:
    from postroad.simulator import Personality, Simulator

_MX_PORT = 2525
_DNS_PORT = 5335


def simulate(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="DOMAIN", help="Run this provider and no other listed one; may be repeated."),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the providers and leave.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Makes what happens by chance happen again.")] = 0,
    mx_port: Annotated[
        int, typer.Option("--mx-port", help="Port of all mail exchangers; 0 takes a free one.")
    ] = _MX_PORT,
    dns_port: Annotated[int, typer.Option("--dns-port", help="Port of the resolver; 0 takes a free one.")] = _DNS_PORT,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="FILE", help="Write down here what is taken, before saying so.")
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option("--exchange", metavar="HOST:PORT", help="Where late bounces, complaints and replies are sent."),
    ] = None,
    returns_after: Annotated[
        float, typer.Option("--returns-after", metavar="SECONDS", help="How late they are.")
    ] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Run mail providers with personalities and their DNS on this machine, to send to, until Ctrl-C."""
    from postroad.simulator import PROVIDERS, Simulator

    domains = {provider.domain: provider for provider in PROVIDERS}
    for name in only or ():
        if name not in domains:
            raise UsageFlawError(f"There is no provider {name!r}; `postroad simulate --list` shows them.")
    chosen = [domains[name] for name in only] if only else list(PROVIDERS)
    if show:
        tell({"data": _rows(chosen)}, as_json=as_json)
        return
    simulator = Simulator(
        chosen,
        seed=seed,
        mx_port=mx_port,
        dns_port=dns_port,
        ledger=ledger,
        exchange=None if exchange is None else _endpoint(exchange),
        returns_after_s=returns_after,
    )
    asyncio.run(_run(simulator, as_json=as_json))


async def _run(simulator: "Simulator", *, as_json: bool) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with simulator.running():
        _greet(simulator, as_json=as_json)
        await told.wait()


def _greet(simulator: "Simulator", *, as_json: bool) -> None:
    listed = _rows(simulator.providers)
    if as_json:
        tell_json({"data": listed, "environment": simulator.environment})
    else:
        tell({"data": listed}, as_json=False)
        console = terminal()
        console.print("\nPoint a Postroad here, such as `postroad dev`:\n")
        for name, value in simulator.environment.items():
            console.print(f"  export {name}={value}", markup=False)
        console.print("\nStop with Ctrl-C.")
    typer.get_text_stream("stdout").flush()


def _rows(providers: "list[Personality] | tuple[Personality, ...]") -> list[Operation]:
    return [{"domain": provider.domain, "what": provider.says} for provider in providers]


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or (":" in host and not host.startswith("[")):
        raise UsageFlawError(f"{text!r} is no host and port, such as 127.0.0.1:2526.")
    return host.strip("[]"), int(port)
