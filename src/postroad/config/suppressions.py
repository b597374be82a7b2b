"""The settings of suppressions for soft causes."""

from typing import Annotated

import msgspec

from postroad.config.setting import Say


class Suppressions(msgspec.Struct, frozen=True):
    """When an address is suppressed whose mailbox stays full, and how it comes off the list again."""

    soft: Annotated[bool, Say("Whether addresses are suppressed whose mailbox stays full.")] = True
    soft_messages: Annotated[
        int, Say("Messages that must have ended because of it, with none delivered since the first.", 2, 1000)
    ] = 5
    soft_days: Annotated[float, Say("Days over which they must be spread; keep messages longer.", 0, 365)] = 14
    soft_expire_days: Annotated[float, Say("How long such a suppression lasts.", 1, 3650)] = 30
    probe_days: Annotated[
        float, Say("After how long it lets one message through, and again after each that fails.", 0.01, 365)
    ] = 7
