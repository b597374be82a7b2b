"""Settings: one frozen tree, from a TOML file and the environment.

`load` reads them and tells everything that is wrong at once; `for_development` makes them harmless and
`check_production` says what makes them unsafe; `entries` and `shown` describe them. Each setting's sentence, bounds and
default stand in `tree`. This is the lowest layer: it knows nothing of mail.
"""

from postroad.config.catalogue import Entry, entries, plain, shown, value_at
from postroad.config.exposure import exposed
from postroad.config.loading import SEARCHED, Problem, SettingsError, load
from postroad.config.paths import RouteKind, RouteRule
from postroad.config.purpose import check_production, for_development
from postroad.config.relay import Relay, parse_relay
from postroad.config.setting import Secret, split_endpoint
from postroad.config.tree import LogFormat, LogLevel, Settings

__all__ = [
    "SEARCHED",
    "Entry",
    "LogFormat",
    "LogLevel",
    "Problem",
    "Relay",
    "RouteKind",
    "RouteRule",
    "Secret",
    "Settings",
    "SettingsError",
    "check_production",
    "entries",
    "exposed",
    "for_development",
    "load",
    "parse_relay",
    "plain",
    "shown",
    "split_endpoint",
    "value_at",
]
