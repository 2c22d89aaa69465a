"""Accounts as officers see to them: made, granted rights, delegated to."""

from app.services.kernel.manifest import Capability

CAPABILITY = Capability(module=__name__, problems=("accounts.yaml",))
