"""The resources of the API, one module each. A new module's controllers are appended to `CONTROLLERS`.

A controller's handlers take `services: GivenServices` and `caller: GivenCaller` (see `postroad.http.auth`), declare the
scope they need with `opt=READ`, `SEND` or `FULL` (or `ADMIN`, which has no caller), take their body as `data:
JSONBody[SomeStruct]` (a Struct with `forbid_unknown_fields`; it is decoded once and strictly), path parameters as
`FromPath[str]` and query parameters as `Annotated[…, QueryParameter(…)]`, return Structs, and raise `Refused` or
`Unavailable`. An action whose fields may all be left out gives `data` a default, so that it needs no body. Lists are
pages: `limit`, `after`, and an answer of `data` and `next`. `SECRET` beside the scope keeps a secret that is shown once
from being kept with an Idempotency-Key.
"""

from litestar import Controller

from postroad.http.api.blobs import BlobsController
from postroad.http.api.changes import ChangesController
from postroad.http.api.clock import ClockController
from postroad.http.api.domains import DomainsController
from postroad.http.api.events import EventsController
from postroad.http.api.guard import GuardController
from postroad.http.api.inbound import InboundController
from postroad.http.api.keys import KeysController
from postroad.http.api.messages import MessagesController
from postroad.http.api.meta import MetaController
from postroad.http.api.projects import ProjectController, ProjectsController
from postroad.http.api.queue import QueueController
from postroad.http.api.sites import SitesController
from postroad.http.api.streams import StreamsController
from postroad.http.api.suppressions import SuppressionsController
from postroad.http.api.suspensions import SuspensionsController
from postroad.http.api.tls_reports import TlsReportsController
from postroad.http.api.undoing import UndoingController
from postroad.http.api.webhooks import WebhooksController

CONTROLLERS: tuple[type[Controller], ...] = (
    MessagesController,
    ChangesController,
    BlobsController,
    EventsController,
    DomainsController,
    SuppressionsController,
    UndoingController,
    QueueController,
    SuspensionsController,
    GuardController,
    WebhooksController,
    InboundController,
    SitesController,
    TlsReportsController,
    StreamsController,
    KeysController,
    ProjectController,
    ProjectsController,
    ClockController,
    MetaController,
)
