"""Accounts as officers manage them: created, granted rights, delegated to."""

from app.services.kernel.manifest import Capability

CAPABILITY = Capability(
    module=__name__,
    problems=("accounts.yaml",),
    tags={
        "access": "Roles, rights, and why I may or may not.",
        "accounts": "Accounts and their grants.",
    },
    audience={
        "access": frozenset({"mobile"}),
    },
)
