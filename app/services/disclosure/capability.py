"""Disclosure control of figures shown to outsiders: rounded, and what can be concluded from them."""

from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    work=Without("it decides nothing about a record"),
    figures=Without("it protects the figures of others"),
    sync=Without("it stores nothing"),
    events=Without("it stores nothing"),
    operations=Without("it stores nothing"),
)
