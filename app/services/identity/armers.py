"""Who may be able to enter an account without being its owner: whoever issued what opens it."""

from typing import Any
from uuid import UUID

from app.services.identity import client_secrets, external_logins
from app.services.kernel.access import Db


def armers(db: Db, account: Any) -> set[UUID]:
    """Accounts that were shown the code or a good secret of this one (`id`, `armed_by`), or linked a
    login with it."""
    found = {
        account.armed_by,
        *client_secrets.creators(db, account.id),
        *external_logins.linkers(db, account.id),
    }
    return {each for each in found if each is not None}
