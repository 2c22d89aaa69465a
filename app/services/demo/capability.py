"""The demo: a district of synthetic people to try everything with."""

from app.services.kernel.manifest import Capability

CAPABILITY = Capability(module=__name__)
