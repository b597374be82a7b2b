"""Settings for tests of an integration."""

from typing import Annotated

import msgspec

from postroad.config.setting import Say, check_host_name


class Testing(msgspec.Struct, frozen=True):
    """Mail that is only pretended, and time that can be moved."""

    __test__ = False  # no test case, whatever its name says to pytest

    reserved_domain: Annotated[
        str,
        Say(
            "Domain whose mailboxes stand for outcomes, such as bounced@ and deferred@, for test keys and in "
            "`postroad dev`.",
            check=check_host_name,
        ),
    ] = "simulator.test"
    movable_clock: Annotated[
        bool,
        Say(
            "Whether `postroad clock advance` and the API may move this server's clock ahead; always on in "
            "`postroad dev`, and for a closed network only: with loopback resolvers and another mx_port than 25."
        ),
    ] = False
