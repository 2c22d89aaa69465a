"""Disclosure control of published figures: small cells are withheld, others rounded."""

from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    work=Without("it decides nothing about a record"),
    figures=Without("it protects the figures of others"),
    sync=Without("it stores nothing"),
    events=Without("it stores nothing"),
)
