"""Taking back the rows of a list of members: what stands in the way, and what they were before."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import AnySelect, chunks, vault_of
from app.models.duplicates.merges import Merge, MergeState
from app.models.imports.imports import RowOutcome
from app.models.kernel.changes import Change
from app.models.members.members import Member, MemberUpdate
from app.models.members.spells import Membership
from app.problem_texts import FieldCode
from app.services.duplicates import pairs as duplicates
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_kinds import Done
from app.services.kernel.manifest import tracked_of
from app.services.kernel.references import named_elsewhere
from app.services.members import batches
from app.services.members.batches import Correction


def obstacles(db: Db, rows: Sequence[Done]) -> dict[int, FieldCode]:
    """What has happened since to the records of these rows, by number."""
    found: dict[int, FieldCode] = {}
    for chunk in chunks(rows):
        ids = [row.entity_id for row in chunk]
        revisions = _revisions(db, ids)
        created = [row.entity_id for row in chunk if row.outcome is RowOutcome.created]
        moved, named = _with_history(db, created), _named_elsewhere(db, created)
        for row in chunk:
            if row.entity_id not in revisions:
                found[row.number] = "record_gone"
            elif revisions[row.entity_id] != row.entity_revision:
                found[row.number] = "record_changed"
            elif row.entity_id in moved:
                found[row.number] = "record_has_history"
            elif row.entity_id in named:
                found[row.number] = "record_in_use"
    return found


def _revisions(db: Db, ids: Sequence[UUID]) -> dict[UUID, int]:
    columns = sa.select(col(Member.id), col(Member.revision)).where(col(Member.id).in_(ids))
    return {row.id: row.revision for row in db.execute(columns)}


def _with_history(db: Db, ids: Sequence[UUID]) -> set[UUID]:
    """Whose membership is no longer the one she was admitted with."""
    member = col(Membership.member_id)
    statement = (
        sa.select(member)
        .where(member.in_(ids))
        .group_by(member)
        .having(sa.or_(sa.func.count() > 1, sa.func.max(col(Membership.revision)) > 1))
    )
    return set(db.execute(statement).scalars())


_OWN_TABLES = ("membership", "member_identifier", "member_external_id", "import_row")


def _named_elsewhere(db: Db, ids: Sequence[UUID]) -> set[UUID]:
    """Whom any other record names: posts, accounts, groups, whatever refers to members."""
    merged: AnySelect = sa.select(col(Merge.kept_id)).where(
        col(Merge.kept_id).in_(ids), col(Merge.state) == MergeState.merged
    )
    elsewhere = named_elsewhere(db, "member.id", _OWN_TABLES, ids)
    return elsewhere | set(db.execute(merged).scalars())


def take_back(session: Session, actor: Actor, rows: Sequence[Done]) -> None:
    """Undo the rows without obstacles: delete new records, reverse corrections."""
    admitted = {row.entity_id: row.ref for row in rows if row.outcome is RowOutcome.created}
    batches.withdraw(session, admitted)
    duplicates.forget(session, sorted(admitted))
    corrected = [row for row in rows if row.outcome is RowOutcome.updated]
    records = batches.locked(session, {row.entity_id for row in corrected})
    before = _before(session, corrected)
    batches.correct(
        session,
        actor,
        records,
        [Correction(row.entity_id, before[row.entity_id], row.ref) for row in corrected],
    )


def _before(session: Session, rows: Sequence[Done]) -> dict[UUID, dict[str, Any]]:
    """The fields that the corrections changed, as they were: the change log knows."""
    tracked = tracked_of(Member)
    revision = {str(row.entity_id): row.entity_revision for row in rows}
    vault = vault_of(session)
    statement: AnySelect = sa.select(
        col(Change.entity_id), col(Change.revision), col(Change.before)
    ).where(
        col(Change.entity) == tracked.entity,
        col(Change.entity_id).in_(list(revision)),
    )
    found: dict[UUID, dict[str, Any]] = {}
    for entity_id, at, before in session.execute(statement):
        if at != revision[entity_id] or not before:
            continue
        opened = {
            name: vault.open(value, tracked.sealed[name])
            if value and name in tracked.sealed
            else value
            for name, value in before.items()
        }
        found[UUID(entity_id)] = MemberUpdate.model_validate(opened).model_dump(exclude_unset=True)
    return found
