"""Citizen ids and phones: found by keyed digests, kept sealed, brought to a new key by a job."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import vault_of
from app.models.access import Right
from app.models.members import Identifier, MemberIdentifier
from app.vault import Vault

# What it takes to find somebody by it is what it takes to read it.
RIGHT_OF: dict[Identifier, Right] = {
    Identifier.phone: Right.members_phone,
    Identifier.citizen_id: Right.members_citizen_id,
    Identifier.id_card: Right.members_citizen_id,
}
_PARTS = {"exact": None, "last6": 6, "last4": 4}


def rows_of(vault: Vault, member: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The digests of a member's identifiers, as rows of `member_identifier`."""
    return [
        {"member_id": member["id"], "kind": kind, "province_id": member["province_id"]}
        | {
            part: vault.digest(value if length is None else value[-length:], f"{kind}:{part}")
            for part, length in _PARTS.items()
        }
        for kind in Identifier
        if (value := member.get(kind))
    ]


def remember(session: Session, members: Sequence[Mapping[str, Any]]) -> None:
    """Store the digests of members who have none yet."""
    vault = vault_of(session)
    rows = [row for member in members for row in rows_of(vault, member)]
    if rows:
        session.connection().execute(sa.insert(MemberIdentifier), rows)


def renew(session: Session, member: Mapping[str, Any], kinds: Iterable[str]) -> None:
    """Store the digests of the identifiers of a member that have just changed."""
    changed = [Identifier(kind) for kind in kinds]
    session.connection().execute(
        sa.delete(MemberIdentifier).where(
            col(MemberIdentifier.member_id) == member["id"],
            col(MemberIdentifier.kind).in_(changed),
        )
    )
    left = {name: value for name, value in member.items() if name not in set(Identifier)}
    remember(session, [left | {kind: member[kind] for kind in changed}])


def digests_of(vault: Vault, kind: Identifier, part: str, value: str) -> list[int]:
    """What to look for in the column `part`, under every key that may have been used."""
    return vault.digests(value, f"{kind}:{part}")
