"""Disclosure control of published figures: small cells are withheld, others rounded."""

from app.services.kernel.manifest import Capability

CAPABILITY = Capability(module=__name__)
