"""Sync with phones: what they keep, and what has changed."""

from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    tags={"sync": "What a phone keeps, and what it hands in."},
    audience={"sync": frozenset({"mobile"})},
    work=Without("what waits is handed in by phones"),
    figures=Without("it counts nothing of the union"),
    sync=Without("it hands on what others offer"),
    events=Without("it makes no news of its own"),
)
