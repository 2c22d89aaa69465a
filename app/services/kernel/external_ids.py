"""Finding records by `system|value`: what another system calls them."""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import chunks, vault_of
from app.services.kernel.access import Db
from app.vault import Vault

_PURPOSE: Final = "external_id"


def key_of(vault: Vault, external_id: str) -> int:
    return vault.digest(external_id, _PURPOSE)


def records_of(
    db: Db, model: Any, column: str, external_ids: Iterable[str], *, erased: bool = False
) -> dict[str, Any]:
    """The records that these identifiers are valid for, whoever sees them, by their table of
    identifiers. `erased`: also those whose identifier is emptied, since the person was erased."""
    vault = vault_of(db)
    of: dict[int, str] = {}
    for each in external_ids:
        of.update(dict.fromkeys(vault.digests(each, _PURPOSE), each))
    found: dict[str, Any] = {}
    for chunk in chunks(sorted(of)):
        statement = sa.select(col(model.key), col(getattr(model, column))).where(
            col(model.key).in_(chunk), col(model.valid_to).is_(None)
        )
        if not erased:
            statement = statement.where(col(model.value).is_not(None))
        found |= {of[key]: record_id for key, record_id in db.execute(statement)}
    return found
