"""The settings of shaping: how much a site is asked for at the most."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import msgspec

from postroad.config.setting import Say


def check_day(text: str) -> str | None:
    """Check a day."""
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return "must be a day such as 2026-11-22"
    return None


class Shaping(msgspec.Struct, frozen=True):
    """How fast mail goes to each site; below these limits the speed is found by trying."""

    file: Annotated[
        Path | None,
        Say("File of limits for sites, domains, projects and pools (TOML) that goes over the one that ships."),
    ] = None
    warm_up_since: Annotated[
        str | None,
        Say(
            "First day, such as 2026-11-22, of a new address that is to be warmed up, where no sources are named.",
            check=check_day,
        ),
    ] = None
    warm_up_messages: Annotated[
        tuple[int, ...], Say("Messages to one site on each day of the warm-up, from the first.", 1, 100_000_000)
    ] = (50, 100, 500, 1000, 5000, 10_000, 20_000, 40_000, 70_000, 100_000, 150_000, 250_000)
    start_connections: Annotated[
        int, Say("Connections that a site which is not known yet begins with, where no file says it.", 1, 1000)
    ] = 5
    connections_per_minute: Annotated[
        float, Say("New connections a minute to one site, where no file says it.", 0.01, 1_000_000)
    ] = 100
