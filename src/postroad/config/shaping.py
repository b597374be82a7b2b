"""The settings of shaping: how much a site is asked for at the most."""

from pathlib import Path
from typing import Annotated

import msgspec

from postroad.config.setting import Say


class Shaping(msgspec.Struct, frozen=True):
    """How fast mail goes to each site; below these limits the speed is found by trying."""

    file: Annotated[
        Path | None,
        Say("File of limits for sites, domains, projects and pools (TOML) that goes over the one that ships."),
    ] = None
    start_connections: Annotated[
        int, Say("Connections that a site which is not known yet begins with, where no file says it.", 1, 1000)
    ] = 5
    connections_per_minute: Annotated[
        float, Say("New connections a minute to one site, where no file says it.", 0.01, 1_000_000)
    ] = 100
