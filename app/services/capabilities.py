"""The capabilities of Hội Số in the order of their imports, and the one place that installs them."""

from collections.abc import Sequence
from typing import Final

from app.services.accounts import capability as accounts
from app.services.attendance import capability as attendance
from app.services.audit import capability as audit
from app.services.cadres import capability as cadres
from app.services.demo import capability as demo
from app.services.disclosure import capability as disclosure
from app.services.duplicates import capability as duplicates
from app.services.events import capability as events
from app.services.exports import capability as exports
from app.services.external_ids import capability as external_ids
from app.services.feed import capability as feed
from app.services.figures import capability as figures
from app.services.files import capability as files
from app.services.groups import capability as groups
from app.services.households import capability as households
from app.services.identity import capability as identity
from app.services.imports import capability as imports
from app.services.kernel import capability as kernel
from app.services.kernel import manifest, refusals
from app.services.kernel.manifest import Capability, Manifest
from app.services.members import capability as members
from app.services.memberships import capability as memberships
from app.services.meta import capability as meta
from app.services.notices import capability as notices
from app.services.poverty import capability as poverty
from app.services.privacy import capability as privacy
from app.services.reorganisations import capability as reorganisations
from app.services.support import capability as support
from app.services.sync import capability as sync
from app.services.units import capability as units
from app.services.webhooks import capability as webhooks

# Lowest first: each may import those before it. The change log listens before its followers do.
CAPABILITIES: Final = (
    kernel.CAPABILITY,
    identity.CAPABILITY,
    units.CAPABILITY,
    notices.CAPABILITY,
    disclosure.CAPABILITY,
    files.CAPABILITY,
    figures.CAPABILITY,
    members.CAPABILITY,
    groups.CAPABILITY,
    cadres.CAPABILITY,
    households.CAPABILITY,
    external_ids.CAPABILITY,
    poverty.CAPABILITY,
    events.CAPABILITY,
    audit.CAPABILITY,
    accounts.CAPABILITY,
    support.CAPABILITY,
    attendance.CAPABILITY,
    duplicates.CAPABILITY,
    memberships.CAPABILITY,
    imports.CAPABILITY,
    privacy.CAPABILITY,
    reorganisations.CAPABILITY,
    sync.CAPABILITY,
    exports.CAPABILITY,
    feed.CAPABILITY,
    webhooks.CAPABILITY,
    meta.CAPABILITY,
    demo.CAPABILITY,
)


def install(capabilities: Sequence[Capability] = CAPABILITIES) -> None:
    """Have these capabilities in this process, instead of those it had.

    `BadCapability` names the file that does not hold together; nothing is changed then.
    """
    if not manifest.has(capabilities):
        made = Manifest(tuple(capabilities))
        refusals.check(made)
        manifest.use(made)
