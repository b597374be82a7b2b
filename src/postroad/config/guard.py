"""The settings of the reputation guard."""

from typing import Annotated

import msgspec

from postroad.config.setting import Say

_WEEK_H = 7 * 24


class Guard(msgspec.Struct, frozen=True):
    """When bad rates are warned of, and broadcast mail is paused. A project may have numbers of its own."""

    enabled: Annotated[bool, Say("Whether rates of bounces, blocks and complaints are watched.")] = True
    pause: Annotated[bool, Say("Whether broadcast mail is paused, and not only warned about.")] = True
    least: Annotated[int, Say("Deliveries in the window below which a rate says nothing.", 1, 1_000_000_000)] = 1000
    window_hours: Annotated[float, Say("Window of the rates of hard bounces and blocks.", 1, 31 * 24)] = 24
    complaint_window_hours: Annotated[
        float, Say("Window of the complaint rate, by the time of delivery; complaints come days later.", 1, 31 * 24)
    ] = _WEEK_H
    hard_bounce_warn: Annotated[float, Say("Share of hard bounces in what was sent that is warned of.", 0, 1)] = 0.03
    hard_bounce_pause: Annotated[float, Say("Share of hard bounces above which broadcast mail is paused.", 0, 1)] = 0.05
    block_warn: Annotated[
        float, Say("Share ended by reputation, policy or authentication in what was sent that is warned of.", 0, 1)
    ] = 0.1
    block_pause: Annotated[float, Say("Share of such ends above which broadcast mail is paused.", 0, 1)] = 0.3
    complaint_warn: Annotated[float, Say("Share of complaints in what was delivered that is warned of.", 0, 1)] = 0.001
    complaint_pause: Annotated[float, Say("Share of complaints above which broadcast mail is paused.", 0, 1)] = 0.003
    resume_after_hours: Annotated[float, Say("How long a pause lasts; 0: until somebody ends it.", 0, 31 * 24)] = 0
