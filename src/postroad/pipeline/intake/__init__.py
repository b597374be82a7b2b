"""Stage 1: a request becomes deliveries that will survive anything.

`draft` is the shape of a request; `reading` turns it into content that is valid by construction, or refuses it with a
pointer to every field that is wrong; `intake` asks whether the caller may, stores the blobs, then the rows in one
transaction, and answers only after the commit. It never speaks SMTP and renders nothing.
"""

from postroad.pipeline.intake.draft import AddressInput, AttachmentInput, Draft
from postroad.pipeline.intake.intake import Intake
from postroad.pipeline.intake.reading import IntakeLimits

__all__ = ["AddressInput", "AttachmentInput", "Draft", "Intake", "IntakeLimits"]
