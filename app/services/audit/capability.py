"""Audit: reading the change log, the access log, and which lists left as files."""

from app.services.kernel.manifest import Capability

CAPABILITY = Capability(
    module=__name__,
    tags={
        "exports": "Which lists left the server as files.",
        "changes": "The change log: audit, field history, and the order all readers follow.",
    },
    audience={
        "changes": frozenset({"integration"}),
    },
)
