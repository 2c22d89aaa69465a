"""What published figures may say: small cells are withheld, others rounded."""

from app.services.kernel.manifest import Capability

CAPABILITY = Capability(module=__name__)
