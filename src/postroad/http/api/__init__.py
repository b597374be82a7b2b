"""The resources of the API, one module each. A new module's controllers are appended to `CONTROLLERS`.

A controller's handlers take `services: GivenServices` and `caller: GivenCaller` (see `postroad.http.auth`), declare the
scope they need with `opt=READ`, `SEND` or `FULL`, take their body as `data: SomeStruct` (a msgspec Struct with
`forbid_unknown_fields`; it is decoded once and strictly), return Structs, and raise `Refused` or `Unavailable`.
"""

from litestar import Controller

from postroad.http.api.meta import MetaController

CONTROLLERS: tuple[type[Controller], ...] = (MetaController,)
