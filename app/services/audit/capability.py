"""Audit: reading the change log, the access log, and which lists left as files."""

from app.services.kernel.manifest import Capability

CAPABILITY = Capability(module=__name__)
