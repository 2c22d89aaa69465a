"""One member: the record as the reader may see it, admission to a branch, corrections."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.errors import FieldError, Problem, invalid, not_found
from app.models.base import Uuid, new_id
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import (
    Identifier,
    Member,
    MemberCreate,
    MemberRead,
    MemberStatus,
    MemberUpdate,
    PartyStatus,
)
from app.services.kernel import changes
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    forbidden,
    require_somewhere,
)
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.offers import SyncKind
from app.services.kernel.reach import Placed
from app.services.members import (
    checks,
    following,
    identifiers,
    merged,
    names,
    persons,
    photos,
    spells,
)
from app.services.members.checks import Doubt
from app.services.units.rows import locked_is_409
from app.services.units.units import CURRENT_MEMBERS, ensure_open, find_target
from app.text import has_given, search_key, sort_key

# What only holders of these rights are shown.
MASKS: Final[Mapping[str, Right]] = {
    "phone": Right.members_phone,
    "citizen_id": Right.members_citizen_id,
    "id_card": Right.members_citizen_id,
    "ethnicity": Right.members_ethnicity,
    "religion": Right.members_religion,
    "party": Right.members_party,
    "party_joined_on": Right.members_party,
}
_SHOWN = [name for name in MemberRead.model_fields if name != "masked"]
# Enums as the text they are stored as: nothing is converted to be converted back.
_TEXT = (
    "gender",
    "kind",
    "status",
    "religion",
    "party",
    "education",
    "qualification",
)
COLUMNS: list[Any] = [
    sa.type_coerce(getattr(Member, name), sa.String).label(name)
    if name in _TEXT
    else getattr(Member, name)
    for name in _SHOWN
]
_BRANCH = _SHOWN.index("branch_id")
_BY_ID = sa.select(*COLUMNS).where(
    col(Member.id) == sa.bindparam("member_id"), col(Member.erased_on).is_(None)
)


# -- reading


def get_member(db: Db, actor: Actor, member_id: UUID) -> dict[str, Any]:
    """One member in scope, masked by right. The scope check compares columns already read.

    An id that was merged away gives the record that was kept.
    """
    row = db.execute(_BY_ID, {"member_id": member_id}).one_or_none()
    if row is None and (kept := merged.kept_of(db, member_id)) is not None:
        row = db.execute(_BY_ID, {"member_id": kept}).one_or_none()
    if row is None or not actor.covers(Right.members_read, row):
        # There is none, or she was erased: an actor who would see her gets that as the answer.
        persons.access_member(db, actor, member_id, Right.members_read)
        raise not_found()
    return shown(actor, [row])[0]


def shown(actor: Actor, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows as MemberRead, each with what this actor may not see set to null and named."""
    return _shown(actor, rows, {})


def shown_today(actor: Actor, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows as MemberOnDay, all of today."""
    return _shown(actor, rows, {"not_dated": []})


def _shown(actor: Actor, rows: Sequence[Any], also: Mapping[str, Any]) -> list[dict[str, Any]]:
    items = []
    by_branch: dict[int, dict[str, Any]] = {}
    for row in rows:
        branch_id = row[_BRANCH]
        put = by_branch.get(branch_id)
        if put is None:
            masked = actor.hidden(MASKS, row)
            put = by_branch[branch_id] = {**dict.fromkeys(masked), "masked": masked, **also}
        item = dict(zip(_SHOWN, row, strict=False))  # a list's rows end with the sort key
        item |= put
        items.append(item)
    return items


def _of_ids(db: Connection, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return shown(actor, db.execute(_OF_IDS, {"ids": list(ids)}).all())


_OF_IDS = sa.select(*COLUMNS).where(
    col(Member.id).in_(sa.bindparam("ids", expanding=True, type_=Uuid))
)
SYNC = SyncKind(
    name="member",
    entity="member",
    right=Right.members_read,
    schema=MemberRead,
    model=Member,
    place=Member,
    rows=_of_ids,
    # Who is on lists; and a phone is a copy that leaves, as a file does.
    kept=sa.and_(col(Member.status).in_(CURRENT_MEMBERS), ~col(Member.restricted)),
    exists=col(Member.erased_on).is_(None),
    parents={"unit": "branch_id"},
    went_into=merged.seen_kept_of_many,
)


# -- writing


def create(session: Session, actor: Actor, body: MemberCreate) -> tuple[Member, bool]:
    """Admit a person to a branch. The same id with the same content again is no second member."""
    branch = find_target(
        session,
        actor,
        body.branch_id,
        Right.members_write,
        pointer="/branch_id",
        level=UnitLevel.branch,
    )
    body = body.model_copy(update={"branch_id": branch.id})
    member, is_new = created_once(
        session,
        Member,
        body.id,
        partial(_made, session, actor, body, branch),
        same=partial(_is_same, actor, body),
    )
    if is_new:
        _admitted(session, member, branch)
        photos.follow(session, actor, member.id, None, member.photo)
    return member, is_new


def _made(session: Session, actor: Actor, body: MemberCreate, branch: Unit) -> Member:
    if body.id is not None:
        _ensure_not_merged(session, actor, body.id)
    # Of today, not of `joined_on`: she may have joined the union before this branch was opened.
    ensure_open(branch, local_today(), pointer="/branch_id")
    ensure_consistent(body.model_dump())
    return Member(**new_row(body, branch))


def new_row(body: MemberCreate, branch: Placed) -> dict[str, Any]:
    """The row of a record that nobody has yet."""
    given = body.model_dump(exclude={"id"})
    now = utc_now()
    return {
        "id": body.id or new_id(),
        "status": MemberStatus.active,
        "revision": 1,
        "created_at": now,
        "updated_at": now,
        **with_keys({}, given),
        "province_id": branch.province_id,
        "commune_id": branch.commune_id,
    }


def with_keys(old: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a record that are written, and the columns that follow from them."""
    keys: dict[str, Any] = {}
    if "full_name" in values or "given_name" in values:
        named = {**old, **values}
        keys["sort_key"] = sort_key(named["full_name"], named["given_name"])
        keys["search_key"] = search_key(named["full_name"], named["given_name"])
    if "birth_date" in values:
        keys["birth_year"] = int(values["birth_date"][:4])
    return {**values, **keys}


def renamed(old: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """A given name that is no part of a new name goes with the old one."""
    given = old["given_name"]
    if given is None or "given_name" in changed or "full_name" not in changed:
        return {**changed}
    kept = has_given(changed["full_name"], given)
    return {**changed} if kept else {**changed, "given_name": None}


def _admitted(session: Session, member: Member, branch: Unit) -> None:
    """What belongs to a new record: search keys and the first spell."""
    row = member.model_dump()
    identifiers.remember(session, [row])
    names.remember(session, [row])
    spells.begin(session, member, branch)


def _is_same(actor: Actor, body: MemberCreate, existing: Member) -> bool:
    """Fields the actor may not see do not count: comparing them would reveal their values."""
    hidden = set(actor.hidden(MASKS, existing))
    sent = body.model_dump(exclude={"id"} | hidden)
    return actor.covers(Right.members_write, existing) and holds(sent)(existing)


def _ensure_not_merged(session: Session, actor: Actor, member_id: UUID) -> None:
    if merged.kept_of(session, member_id) is None:
        return
    kept = merged.seen_kept_of(session, actor, member_id)
    if kept is None:
        raise Problem("id_taken")
    raise Problem("member_merged", extra={"merged_into": str(kept)})


def ensure_consistent(record: Mapping[str, Any], within: str = "") -> None:
    """Refuse contradictions: joining before birth, a date in the Party of a non-member.

    `within` is the JSON pointer of the fields in the request.
    """
    given = record["given_name"]
    if given is not None and not has_given(record["full_name"], given):
        raise invalid("given_name_not_in_name", f"{within}/given_name")
    for name in ("joined_on", "party_joined_on"):
        if record[name] is not None and record[name][:4] < record["birth_date"][:4]:
            raise invalid("joined_before_birth", f"{within}/{name}")
    if record["party_joined_on"] is not None and record["party"] != PartyStatus.member:
        raise invalid("party_date_alone", f"{within}/party_joined_on")


def update(
    session: Session, actor: Actor, member_id: UUID, body: MemberUpdate, expected: Expected
) -> tuple[dict[str, Any], list[Doubt]]:
    """Correct a member's record. The actor may not overwrite a field they may not see."""
    row = _lock(session, member_id)
    if row is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, Right.members_write, row, seen_with=Right.members_read)
    if row.erased_on is not None:
        raise persons.erased(row.erased_on)
    persons.ensure_changeable(actor, row)
    ensure_revision(row.revision, expected)
    old = row._asdict()
    changed = renamed(old, body.model_dump(exclude_unset=True))
    _ensure_seen(session, actor, row, changed)
    ensure_consistent(old | changed)
    changed = with_keys(old, changed)
    now = changes.revise(session, Member, old, changed)
    following.follow(session, [(old, now)])
    photos.follow(session, actor, member_id, old["photo"], now["photo"])
    if now["joined_on"] != old["joined_on"]:
        spells.follow_joined_on(session, actor, member_id, old["joined_on"], now["joined_on"])
    doubts = checks.doubts_about(
        session, actor, now, changed, lambda name: actor.covers(MASKS[name], row)
    )
    doubts = [*checks.name_doubts(body.typed_name), *checks.given_doubts(old, now), *doubts]
    return _read(actor, row, now), doubts


def remove(session: Session, member: Member) -> None:
    """The record is gone with its photo, and nobody is found by its numbers."""
    identifiers.renew(session, dict.fromkeys(Identifier) | {"id": member.id}, list(Identifier))
    photos.forget(session, member.id)
    session.delete(member)
    session.flush()


def restored(values: Mapping[str, Any]) -> Member:
    """A record that was deleted, to be written again."""
    return Member(**values)


def mark_restricted(session: Session, member_id: UUID, *, restricted: bool) -> None:
    """Set the flag that shows readers that the record is restricted."""
    row = _lock(session, member_id)
    assert row is not None  # noqa: S101  # the caller holds her
    old = row._asdict()
    changes.revise(session, Member, old, {"restricted": restricted})


def _ensure_seen(session: Session, actor: Actor, row: Any, changed: Iterable[str]) -> None:
    """403 that names the first right missing and all the fields that need it."""
    masked = [name for name in changed if name in MASKS and not actor.covers(MASKS[name], row)]
    if masked:
        right = MASKS[masked[0]]
        errors = [
            FieldError("body", f"/{name}", "masked_field")
            for name in masked
            if MASKS[name] is right
        ]
        raise forbidden(session, actor, right, row.branch_id, errors)


def _lock(session: Session, member_id: UUID) -> Any:
    with locked_is_409():
        return session.connection().execute(_LOCKED, {"member_id": member_id}).one_or_none()


_LOCKED = (
    sa.select(*(getattr(Member, name) for name in Member.model_fields))
    .where(col(Member.id) == sa.bindparam("member_id"))
    .with_for_update()
)


def read(
    session: Session, actor: Actor, member: Member, *, is_new: bool
) -> tuple[dict[str, Any], list[Doubt]]:
    """A member just admitted, as the actor sees her, with the warnings."""
    row = member.model_dump()
    hidden = () if is_new else actor.hidden(MASKS, member)
    return _read(actor, member, row), checks.doubts_about(
        session, actor, row, row.keys() - set(hidden), lambda name: name not in hidden
    )


def _read(actor: Actor, place: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    masked = actor.hidden(MASKS, place)
    shown = {name: values[name] for name in _SHOWN}
    return shown | dict.fromkeys(masked) | {"masked": masked}
