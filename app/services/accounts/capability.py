"""Accounts as officers manage them: created, granted rights, delegated to."""

from app.services.accounts import expiring
from app.services.kernel.due import Due
from app.services.kernel.manifest import Capability, Upkeep
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    problems=("accounts.yaml",),
    upkeep=(Upkeep(run=expiring.send_due),),
    notices=(expiring.PROGRAM, expiring.SECRET),
    due=(
        Due(
            kind="ends_of_programs",
            what="notices that a program or its secret ends soon",
            count=expiring.waiting,
        ),
    ),
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
