"""The application: Litestar with our controllers behind the door."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Litestar, Request
from litestar.middleware import DefineMiddleware

from postroad.http import hits, sending
from postroad.http.admission import Admission, Doorkeeper
from postroad.http.api import CONTROLLERS
from postroad.http.auth import dependencies
from postroad.http.door import Door, Metrics
from postroad.http.openapi import documentation
from postroad.http.problems import handle, invalid, not_utf8
from postroad.http.reference import Reference
from postroad.http.services import Services


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is decoded once, straight into the type that the handler asks for."""

    async def json(self) -> Any:
        """Return the body as the handler's `data` type.

        Raises:
            Refused: it is not valid; the flaws point at the place.
            msgspec.DecodeError: it is not JSON.
        """
        field = self.route_handler.parsed_data_field
        try:
            return msgspec.json.decode(await self.body(), type=field.annotation if field is not None else Any)
        except UnicodeDecodeError as error:
            raise not_utf8() from error
        except msgspec.ValidationError as error:
            raise invalid(error, kind=None if field is None else field.annotation) from error


def build(services: Services) -> Door:
    """Return the ASGI application over `services`."""
    settings = services.settings.http
    doorkeeper = Doorkeeper(services)
    reference = Reference(documentation)
    sent = sending.fast_routes(services, doorkeeper)
    return Door(
        framework(services, doorkeeper),
        mint=services.mint,
        max_requests=settings.max_requests,
        https=urlsplit(settings.public_url or "").scheme == "https",
        metrics=Metrics(services.metrics),
        fast=sent | reference.exact(),
        whole={place: route.whole for place, route in sent.items()},
        prefixes={hits.PREFIX: hits.Unsubscribe(services), **reference.below()},
    )


def framework(services: Services, doorkeeper: Doorkeeper) -> Litestar:
    """Return what stands behind the door."""
    return Litestar(
        route_handlers=list(CONTROLLERS),
        dependencies=dependencies(services),
        middleware=[DefineMiddleware(Admission, services=services, doorkeeper=doorkeeper)],
        exception_handlers={Exception: handle},
        request_class=StrictRequest,
        request_max_body_size=None,
        logging_config=None,
        openapi_config=None,
        debug=False,
    )
