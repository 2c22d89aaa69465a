"""Audit: reading the change log, the access log, and which lists left as files."""

from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    tags={
        "export log": "Which lists left the server as files.",
        "changes": "The change log: audit, field history, and the order all readers follow.",
    },
    audience={
        "changes": frozenset({"integration"}),
    },
    work=Without("logs are read and not decided on"),
    figures=Without("logs count nothing of the union"),
    sync=Without("logs stay on the server"),
    events=Without("it reads news and makes none"),
    operations=Without("logs are only read"),
)
