"""Citizen ids and phones: the keyed digests they are found by."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Columns, insert_many, upsert, vault_of
from app.models.kernel.access import Right
from app.models.members.members import Identifier, Member, MemberIdentifier
from app.vault import Vault

# What it takes to find somebody by it is what it takes to read it.
RIGHT_OF: dict[Identifier, Right] = {
    Identifier.phone: Right.members_phone,
    Identifier.citizen_id: Right.members_citizen_id,
    Identifier.id_card: Right.members_citizen_id,
}
_PARTS = {"exact": None, "last6": 6, "last4": 4}


def rows_of(
    vault: Vault, member: Mapping[str, Any], kinds: Iterable[Identifier] = tuple(Identifier)
) -> list[dict[str, Any]]:
    """The digests of a member's identifiers, as rows of `member_identifier`."""
    return [
        {"member_id": member["id"], "kind": kind, "province_id": member["province_id"]}
        | {
            part: vault.digest(value if length is None else value[-length:], f"{kind}:{part}")
            for part, length in _PARTS.items()
        }
        for kind in kinds
        if (value := member.get(kind))
    ]


def remember(session: Session, members: Sequence[Mapping[str, Any]]) -> None:
    """Store the digests of members who have none yet."""
    vault = vault_of(session)
    rows = [row for member in members for row in rows_of(vault, member)]
    insert_many(session, MemberIdentifier, rows)


def renew_many(
    session: Session, changed: Sequence[tuple[Mapping[str, Any], Collection[Identifier]]]
) -> None:
    """As `renew`, for many members."""
    vault = vault_of(session)
    gone, rows = [], []
    for member, kinds in changed:
        gone += [{"of": member["id"], "which": kind} for kind in kinds if member[kind] is None]
        rows += rows_of(vault, member, kinds)
    if gone:
        session.connection().execute(_FORGET, gone)
    upsert(session, MemberIdentifier, rows, _replaced)


def _replaced(_: Columns, new: Columns) -> dict[str, Any]:
    return {part: new[part] for part in _PARTS}


def renew(session: Session, member: Mapping[str, Any], kinds: Iterable[Identifier]) -> None:
    """Bring the digests of these identifiers of a member to what they are now."""
    renew_many(session, [(member, list(kinds))])


_FORGET = sa.delete(MemberIdentifier).where(
    col(MemberIdentifier.member_id) == sa.bindparam("of"),
    col(MemberIdentifier.kind) == sa.bindparam("which"),
)


def digests_of(vault: Vault, kind: Identifier, part: str, value: str) -> list[int]:
    """What to look for in the column `part`, under every key that may have been used."""
    return vault.digests(value, f"{kind}:{part}")


def resealed(session: Session, member_id: UUID, opened: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a member is found by follows the key that the numbers are sealed with."""
    province = sa.select(col(Member.province_id)).where(col(Member.id) == member_id)
    member = {"id": member_id, "province_id": session.execute(province).scalar_one(), **opened}
    renew(session, member, [kind for kind in Identifier if kind in opened])
    return {}
