"""Accounts as officers manage them: created, granted rights, delegated to."""

from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    problems=("accounts.yaml",),
    tags={
        "access": "Roles, rights, and why I may or may not.",
        "work": "What waits for me to act.",
        "accounts": "Accounts and their grants.",
    },
    audience={
        "access": frozenset({"mobile"}),
        "work": frozenset({"mobile"}),
    },
    work=Without("accounts are granted rights at once"),
    figures=Without("accounts are no figures of the union"),
    sync=Without("accounts stay on the server"),
    events=Without("accounts are nobody's news"),
    operations=Without("accounts are changed while online"),
)
