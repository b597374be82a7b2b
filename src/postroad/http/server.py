"""The application: Litestar with our controllers, admission before them and problem details behind them."""

from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.di import Provide
from litestar.middleware import DefineMiddleware

from postroad.http.admission import Admission
from postroad.http.api import CONTROLLERS
from postroad.http.auth import provide_caller
from postroad.http.problems import handle, invalid
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
        except msgspec.ValidationError as error:
            raise invalid(error) from error


def build(services: Services) -> Litestar:
    """Return the application over `services`."""
    return Litestar(
        route_handlers=list(CONTROLLERS),
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "caller": Provide(provide_caller, sync_to_thread=False),
        },
        middleware=[DefineMiddleware(Admission, services=services)],
        exception_handlers={Exception: handle},
        request_class=StrictRequest,
        request_max_body_size=None,
        logging_config=None,
        openapi_config=None,
        debug=False,
    )
