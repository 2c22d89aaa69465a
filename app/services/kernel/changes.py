"""The change log: written by every flush, read by audit, history, sync, feed and roll-ups.

A flush of a tracked entity writes one `change` row in the same transaction, and its place:
- SQLite has one writer, so the change takes the next `feed.seq` at once;
- PostgreSQL has many, and a plain sequence loses changes to readers (a number is taken before
  the commit: 1.8 % lost, measured). Changes wait in `outbox` until `sequencer.settle`, alone
  under the lock of `feed_head`, gives each committed change its number. No gap, no loss.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import zip_longest
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlalchemy.orm import LoaderCallableStatus, SessionTransaction, UOWTransaction
from sqlmodel import Session, SQLModel, col

from app.clock import utc_now
from app.db import insert_many, vault_of
from app.models.attendance.attendance import Attendance
from app.models.attendance.cards import MemberCard
from app.models.base import new_id, sealed_fields
from app.models.cadres.appointments import Appointment
from app.models.cadres.trainings import Training
from app.models.duplicates.duplicates import DuplicatePair
from app.models.duplicates.merges import Merge, MergeState
from app.models.events.calendar_links import CalendarLink
from app.models.events.events import Event, EventSession, Room
from app.models.events.minutes import SessionMinutes
from app.models.events.reminders import Reminder
from app.models.events.rsvps import Rsvp
from app.models.groups.groups import Participation
from app.models.households.households import Household, HouseholdPerson
from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account
from app.models.kernel.changes import (
    Change,
    ChangeSource,
    Feed,
    FeedHead,
    Operation,
    Outbox,
)
from app.models.kernel.units import Unit
from app.models.members.corrections import CorrectionRequest
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.models.memberships.transfers import Transfer
from app.models.poverty.poverty import Assessment, PovertyStatus
from app.models.privacy.consents import Consent
from app.models.privacy.limits import ProcessingLimit
from app.models.privacy.requests import PrivacyRequest
from app.models.support.escape_paths import EscapeCheck, EscapePath, EscapeStep
from app.models.support.support import HouseholdVisit, LoanFigure, Support

Units = dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change comes from; every writing session carries one in `session.info`."""

    source: ChangeSource
    account_id: UUID | None = None
    session_id: UUID | None = None
    device: str | None = None
    request_id: str | None = None
    source_ref: str | None = None


def attribute(session: Session, origin: Origin) -> None:
    """Say who is behind the changes of this session. Without it a tracked flush fails."""
    session.info["origin"] = origin


def origin_of(session: Session) -> Origin:
    """Who is behind the changes of this session."""
    origin: Origin = session.info["origin"]
    return origin


# -- what is tracked


@dataclass(frozen=True, slots=True)
class Tracked:
    """How one table is logged: its name, where it stands, what is left out, who may read it."""

    entity: str
    units: Callable[[Session, Mapping[str, Any]], Units]
    read_right: Right
    left_out: frozenset[str]
    # Logged as set or not set, never with their value.
    secret: frozenset[str] = frozenset()
    masks: Mapping[str, Right] = field(default_factory=dict)
    # Logged sealed, as they are stored: the log is no way around the encryption.
    sealed: Mapping[str, str] = field(default_factory=dict)
    # Where else a change stands: a transfer is also the target branch's.
    also_units: Callable[[Session, Mapping[str, Any]], Units] | None = None


_DERIVED = frozenset({"revision", "created_at", "updated_at"})
PATH = ("province_id", "district_id", "commune_id", "branch_id")


def _member_units(_: Session, row: Mapping[str, Any]) -> Units:
    return {
        "unit_id": row["branch_id"],
        "province_id": row["province_id"],
        "district_id": None,
        "commune_id": row["commune_id"],
        "branch_id": row["branch_id"],
    }


def _unit_units(_: Session, row: Mapping[str, Any]) -> Units:
    units: Units = {name: row[name] for name in PATH} | {"unit_id": row["id"]}
    own = f"{row['level']}_id"
    if own in units:
        units[own] = row["id"]
    return units


def _units_by_id(session: Session, row: Mapping[str, Any]) -> Units:
    unit_id = row["unit_id"]
    known: dict[int, Units] = session.info.get("unit_paths", {})
    if unit_id not in known:
        path = session.connection().execute(_UNIT_PATH, {"unit_id": unit_id}).one()
        known[unit_id] = {**path._mapping, "unit_id": unit_id}
    return dict(known[unit_id])


def _branch_units(name: str) -> Callable[[Session, Mapping[str, Any]], Units]:
    """By a branch the row names."""

    def units(session: Session, row: Mapping[str, Any]) -> Units:
        return _units_by_id(session, {"unit_id": row[name]})

    return units


def _units_of(name: str) -> Callable[[Session, Mapping[str, Any]], Units]:
    """Where the member stands whom the row names."""

    def units(session: Session, row: Mapping[str, Any]) -> Units:
        member = session.connection().execute(_MEMBER_PATH, {"member_id": row[name]}).one()
        return _member_units(session, dict(member._mapping))

    return units


_units_of_member = _units_of("member_id")


def _units_of_kept(session: Session, row: Mapping[str, Any]) -> Units:
    """Where the record stands that was kept, however often it was merged on."""
    kept = row["kept_id"]
    while (member := _path_of_member(session, kept)) is None:
        further = sa.select(col(Merge.kept_id)).where(
            col(Merge.gone_id) == kept, col(Merge.state) == MergeState.merged
        )
        kept = session.connection().execute(further).scalar_one()
    return _member_units(session, member)


def _path_of_member(session: Session, member_id: UUID) -> dict[str, Any] | None:
    row = session.connection().execute(_MEMBER_PATH, {"member_id": member_id}).one_or_none()
    return None if row is None else dict(row._mapping)


def _units_of_host(_: Session, row: Mapping[str, Any]) -> Units:
    return {name: row[name] for name in PATH} | {"unit_id": row["host_id"]}


def _units_of_session(session: Session, row: Mapping[str, Any]) -> Units:
    """Where the session stands to which the row belongs."""
    host = session.connection().execute(_SESSION_PATH, {"session_id": row["session_id"]}).one()
    return _units_of_host(session, dict(host._mapping))


def _units_of_account(session: Session, row: Mapping[str, Any]) -> Units:
    unit_id = session.connection().execute(_ACCOUNT_UNIT, {"id": row["account_id"]}).scalar_one()
    return _units_by_id(session, {"unit_id": unit_id})


_ACCOUNT_UNIT = sa.select(col(Account.unit_id)).where(col(Account.id) == sa.bindparam("id"))
_SESSION_PATH = sa.select(
    col(EventSession.host_id), *(getattr(EventSession, name) for name in PATH)
).where(col(EventSession.id) == sa.bindparam("session_id"))


def _units_of_household(session: Session, row: Mapping[str, Any]) -> Units:
    """Where the household stands to which the row belongs."""
    known: dict[Any, dict[str, Any]] = session.info.get("household_paths", {})
    if (path := known.get(row["household_id"])) is not None:
        return _member_units(session, path)
    found = session.connection().execute(_HOUSEHOLD_PATH, {"id": row["household_id"]}).one()
    return _member_units(session, dict(found._mapping))


_HOUSEHOLD_PATH = sa.select(
    col(Household.province_id), col(Household.commune_id), col(Household.branch_id)
).where(col(Household.id) == sa.bindparam("id"))
_MEMBER_PATH = sa.select(
    col(Member.province_id), col(Member.commune_id), col(Member.branch_id)
).where(col(Member.id) == sa.bindparam("member_id"))
_UNIT_PATH = sa.select(*(getattr(Unit, name) for name in PATH)).where(
    col(Unit.id) == sa.bindparam("unit_id")
)


def _units_of_that_day(_: Session, row: Mapping[str, Any]) -> Units:
    """Where the fact stands, whatever becomes of the person."""
    return {name: row[name] for name in PATH} | {"unit_id": row["branch_id"]}


TRACKED: dict[type[SQLModel], Tracked] = {
    Unit: Tracked(
        entity="unit",
        units=_unit_units,
        read_right=Right.units_read,
        left_out=_DERIVED | set(PATH) | {"id", "name_key", "sort_key"},
    ),
    Member: Tracked(
        entity="member",
        units=_member_units,
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "sort_key", "search_key", "birth_year", "erased_on"},
        masks={
            "phone": Right.members_phone,
            "citizen_id": Right.members_citizen_id,
            "id_card": Right.members_citizen_id,
            "ethnicity": Right.members_ethnicity,
            "religion": Right.members_religion,
            "party": Right.members_party,
            "party_joined_on": Right.members_party,
        },
        sealed=sealed_fields(Member),
    ),
    Membership: Tracked(
        entity="membership",
        units=_branch_units("branch_id"),
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Transfer: Tracked(
        entity="transfer",
        units=_branch_units("from_branch_id"),
        also_units=_branch_units("to_branch_id"),
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "province_id", "full_name", "birth_year"},
    ),
    Appointment: Tracked(
        entity="appointment",
        units=_units_by_id,
        read_right=Right.appointments_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Training: Tracked(
        entity="training",
        units=_units_of_member,
        read_right=Right.appointments_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Participation: Tracked(
        entity="participation",
        units=_units_of_member,
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    CorrectionRequest: Tracked(
        entity="correction_request",
        units=_units_of_member,
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "province_id", "before"},
        secret=frozenset({"asked", "note", "answer"}),
    ),
    DuplicatePair: Tracked(
        entity="duplicate_pair",
        units=_units_of("member_a"),
        also_units=_units_of("member_b"),
        read_right=Right.members_read,
        # Who sees one of the two records only is told no more by the log than by the inbox.
        left_out=_DERIVED | {"id", "reasons", "tells", "score", "decided_by"},
        secret=frozenset({"note"}),
    ),
    Merge: Tracked(
        entity="merge",
        units=_units_of_kept,
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "journal"},
    ),
    # Notes and answers may tell more than the act: the log says that there are some.
    Consent: Tracked(
        entity="consent",
        units=_units_of_member,
        read_right=Right.privacy_record,
        left_out=_DERIVED | {"id", "province_id"},
        secret=frozenset(
            {
                "evidence_reference",
                "note",
                "representative",
                "representative_relation",
                "withdrawal_note",
            }
        ),
    ),
    PrivacyRequest: Tracked(
        entity="privacy_request",
        units=_units_of_member,
        read_right=Right.privacy_read,
        left_out=_DERIVED | {"id", "province_id"},
        secret=frozenset({"note", "extension_reason", "answer"}),
    ),
    ProcessingLimit: Tracked(
        entity="processing_limit",
        units=_units_of_member,
        read_right=Right.privacy_read,
        left_out=_DERIVED | {"id", "province_id"},
        secret=frozenset({"reference", "note", "lifted_note"}),
    ),
    Attendance: Tracked(
        entity="attendance",
        units=_units_of_that_day,
        read_right=Right.attendance_read,
        left_out=_DERIVED | {"id", "province_id", "district_id", "commune_id"},
    ),
    MemberCard: Tracked(
        entity="member_card",
        units=_units_of_member,
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Event: Tracked(
        entity="event",
        units=_units_of_host,
        read_right=Right.events_read,
        left_out=_DERIVED | set(PATH) | {"id", "title_key"},
    ),
    EventSession: Tracked(
        entity="event_session",
        units=_units_of_host,
        read_right=Right.events_read,
        left_out=_DERIVED | set(PATH) | {"id", "number"},
        masks={"join_url": Right.events_write},
    ),
    Room: Tracked(
        entity="room",
        units=_units_of_session,
        read_right=Right.events_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Rsvp: Tracked(
        entity="rsvp",
        units=_units_of_member,
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", *PATH},
    ),
    SessionMinutes: Tracked(
        entity="minutes",
        units=_units_of_session,
        read_right=Right.events_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Reminder: Tracked(
        entity="reminder",
        units=_units_of_session,
        read_right=Right.events_read,
        left_out=_DERIVED | {"id", "province_id", "sign_in_id"},
    ),
    CalendarLink: Tracked(
        entity="calendar_link",
        units=_units_of_account,
        read_right=Right.accounts_read,
        left_out=_DERIVED | {"id"},
        secret=frozenset({"token_digest"}),
    ),
    Household: Tracked(
        entity="household",
        units=_member_units,
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "sort_key", "search_key", "assessed_on", "assessed_class"},
        masks={
            "ethnic_minority": Right.members_ethnicity,
            "no_labour_capacity": Right.poverty_read,
            "merit": Right.poverty_read,
            "poverty_class": Right.poverty_read,
            "poverty_since": Right.poverty_read,
            "union_label": Right.poverty_read,
            "union_label_on": Right.poverty_read,
        },
    ),
    HouseholdPerson: Tracked(
        entity="household_person",
        units=_units_of_household,
        read_right=Right.members_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Assessment: Tracked(
        entity="assessment",
        units=_member_units,
        read_right=Right.poverty_read,
        left_out=_DERIVED | {"id", "province_id", "result"},
    ),
    PovertyStatus: Tracked(
        entity="poverty_status",
        units=_member_units,
        read_right=Right.poverty_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Support: Tracked(
        entity="support",
        units=_units_of_household,
        read_right=Right.support_read,
        left_out=_DERIVED | {"id", *PATH},
        masks=dict.fromkeys(("child_id", "guardian_consent_on", "note"), Right.support_children),
    ),
    HouseholdVisit: Tracked(
        entity="household_visit",
        units=_units_of_household,
        read_right=Right.poverty_read,
        left_out=_DERIVED | {"id", "province_id"},
        secret=frozenset({"note"}),
    ),
    LoanFigure: Tracked(
        entity="loan_figure",
        units=_units_by_id,
        read_right=Right.support_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    EscapePath: Tracked(
        entity="escape_path",
        units=_units_of_household,
        read_right=Right.poverty_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    EscapeStep: Tracked(
        entity="escape_step",
        units=_units_of_household,
        read_right=Right.poverty_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    EscapeCheck: Tracked(
        entity="escape_check",
        units=_units_of_household,
        read_right=Right.poverty_read,
        left_out=_DERIVED | {"id", "province_id"},
    ),
    Account: Tracked(
        entity="account",
        units=_units_by_id,
        read_right=Right.accounts_read,
        left_out=_DERIVED | {"id"},
        secret=frozenset({"password_hash", "secret_digest", "code_digest"}),
    ),
    Grant: Tracked(
        entity="grant",
        units=_units_by_id,
        read_right=Right.accounts_read,
        left_out=_DERIVED | {"id"},
    ),
}
BY_ENTITY: dict[str, tuple[type[SQLModel], Tracked]] = {
    tracked.entity: (model, tracked) for model, tracked in TRACKED.items()
}


# -- writing


@dataclass(slots=True)
class _Pending:
    tracked: Tracked
    instance: Any
    operation: Operation
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    old_row: dict[str, Any]


def _before_flush(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    pending: list[_Pending] = session.info.setdefault("pending_changes", [])
    now = utc_now()
    pending += [
        _Pending(tracked, instance, Operation.created, None, None, {})
        for instance in session.new
        if (tracked := TRACKED.get(type(instance)))
    ]
    for instance in session.dirty:
        tracked = TRACKED.get(type(instance))
        if tracked is None:
            continue
        before, old_row = _old_values(session, instance, tracked)
        if before:
            instance.revision += 1
            instance.updated_at = now
            after = _logged(session, tracked, {name: getattr(instance, name) for name in before})
            operation = _operation(tracked, before)
            pending.append(_Pending(tracked, instance, operation, before, after, old_row))
    for instance in session.deleted:
        if tracked := TRACKED.get(type(instance)):
            row = _row(instance)
            before = _logged(session, tracked, row)
            pending.append(_Pending(tracked, instance, Operation.deleted, before, None, row))


def _operation(tracked: Tracked, before: Mapping[str, Any]) -> Operation:
    moves = _MOVED_BY.get(tracked.entity, "") in before
    return Operation.moved if moves else Operation.updated


_MOVED_BY = {
    "member": "branch_id",
    "unit": "parent_id",
    "account": "unit_id",
    "household": "branch_id",
}


def _old_values(
    session: Session, instance: Any, tracked: Tracked
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The logged fields that changed, and the whole row, as they were."""
    now = _row(instance)
    # Only what was assigned since the load, with the value it had: cheaper than each history.
    committed = sa.inspect(instance).committed_state
    if any(isinstance(value, LoaderCallableStatus) for value in committed.values()):
        # Assigned while expired (after a savepoint was rolled back): only the database knows.
        table = sa.inspect(type(instance)).local_table
        stored = session.connection().execute(sa.select(table).where(table.c.id == instance.id))
        committed = dict(stored.one()._mapping)
    old_row = now | committed
    before = {
        name: value
        for name, value in old_row.items()
        if name not in tracked.left_out and value != now[name]
    }
    return _logged(session, tracked, before), old_row


def _row(instance: Any) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in type(instance).model_fields}


def _logged(session: Session, tracked: Tracked, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row that are logged, as JSON."""
    logged = {
        name: ("set" if value else None) if name in tracked.secret else _json(value)
        for name, value in row.items()
        if name not in tracked.left_out
    }
    for name, purpose in tracked.sealed.items():
        if (value := logged.get(name)) is not None:
            logged[name] = vault_of(session).seal(value, purpose)
    return logged


def _json(value: Any) -> Any:
    return value if value is None or type(value) in (str, int, bool) else to_jsonable_python(value)


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    pending: list[_Pending] = session.info.pop("pending_changes", [])
    if not pending:
        return
    entries: list[tuple[dict[str, Any], list[tuple[Operation, Units]]]] = []
    for item in pending:
        row = _row(item.instance)
        if item.operation is Operation.created:
            item.after = _logged(session, item.tracked, row)
        change = _change(session, item.tracked, row, item.operation)
        if item.operation is Operation.deleted:
            change["revision"] += 1  # followers compare revisions: the end is later than the rest
        change |= {"before": item.before, "after": item.after}
        places = _places(session, item.tracked, item.operation, item.old_row, row)
        entries.append((change, places))
    _write(session, entries)


def _forget_pending(session: Session, _transaction: SessionTransaction) -> None:
    """What a failed flush was about to log has not happened."""
    session.info.pop("pending_changes", None)


def _change(
    session: Session, tracked: Tracked, row: Mapping[str, Any], operation: Operation
) -> dict[str, Any]:
    origin = session.info.get("origin")
    if not isinstance(origin, Origin):
        raise RuntimeError("a change needs an origin: call changes.attribute(session, ...) first")
    return {
        "id": new_id(),
        "at": utc_now(),
        "account_id": origin.account_id,
        "session_id": origin.session_id,
        "device": origin.device,
        "request_id": origin.request_id,
        "source": origin.source,
        "source_ref": origin.source_ref,
        "entity": tracked.entity,
        "entity_id": str(row["id"]),
        "operation": operation,
        "revision": row["revision"],
    }


def _write(
    session: Session,
    entries: Sequence[tuple[dict[str, Any], list[tuple[Operation, Units]]]],
    revision: "_Revision | None" = None,
) -> None:
    connection = session.connection()
    single = connection.dialect.name != "sqlite" and sum(len(places) for _, places in entries) == 1
    if revision is not None and not single:
        statement = _update_statement(revision.model, revision.names)
        connection.execute(statement, revision.parameters)
    placed = [
        {
            "change_id": change["id"],
            "operation": operation,
            "entity": change["entity"],
            "entity_id": change["entity_id"],
            **units,
        }
        for change, places in entries
        for operation, units in places
    ]
    logged = [change for change, _ in entries]
    if connection.dialect.name == "sqlite":
        connection.execute(_INSERT_CHANGE, logged)
        head = connection.execute(_ADVANCE_HEAD, {"count": len(placed)}).scalar_one()
        for offset, row in enumerate(placed):
            row["seq"] = head - len(placed) + 1 + offset
        connection.execute(_INSERT_FEED, placed)
    elif single:
        parameters = {f"log_{name}": value for name, value in logged[0].items()}
        parameters |= {f"at_{name}": value for name, value in placed[0].items()}
        if revision is None:
            connection.execute(_INSERT_BOTH, parameters)
        else:
            both = _update_and_insert(revision.model, revision.names)
            connection.execute(both, parameters | revision.parameters)
    else:
        insert_many(session, Change, logged)
        insert_many(session, Outbox, placed)


_INSERT_CHANGE = sa.insert(Change)
_INSERT_FEED = sa.insert(Feed)
# The common single change in one round trip, its UPDATE included (`_update_and_insert`).
_INSERT_BOTH = (
    sa.insert(Outbox)
    .values({name: sa.bindparam(f"at_{name}") for name in Outbox.model_fields if name != "id"})
    .add_cte(
        sa.insert(Change)
        .values({name: sa.bindparam(f"log_{name}") for name in Change.model_fields})
        .cte("logged")
    )
)
_ADVANCE_HEAD = (
    sa.update(FeedHead)
    .where(col(FeedHead.id) == 1)
    .values(seq=FeedHead.seq + sa.bindparam("count", type_=sa.BigInteger))
    .returning(col(FeedHead.seq))
)


def revise(
    session: Session, model: type[SQLModel], old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    """Change a row that this transaction has read and locked; returns the row as it is now.

    As a flush does for an entity, but without one: for the writes that come all the time.
    Nothing is written when nothing differs.
    """
    tracked = TRACKED[model]
    differing = {name: value for name, value in new.items() if old[name] != value}
    before = _logged(session, tracked, {name: old[name] for name in differing})
    if not before:
        return dict(old)
    differing |= {"revision": old["revision"] + 1, "updated_at": utc_now()}
    row = {**old, **differing}
    change = _change(session, tracked, row, _operation(tracked, before))
    change |= {
        "before": before,
        "after": _logged(session, tracked, {name: row[name] for name in before}),
    }
    places = _places(session, tracked, change["operation"], old, row)
    revision = _Revision(model, frozenset(differing), {"row_id": old["id"]})
    revision.parameters.update({f"new_{name}": value for name, value in differing.items()})
    _write(session, [(change, places)], revision)
    return row


@dataclass(frozen=True, slots=True)
class _Revision:
    """The UPDATE that a change tells of."""

    model: Any
    names: frozenset[str]
    parameters: dict[str, Any]


def update_many(
    session: Session,
    model: type[SQLModel],
    names: frozenset[str],
    parameters: Sequence[Mapping[str, Any]],
) -> None:
    """The UPDATEs that `record_updated` tells of: of each row its `row_id`, and `new_` values."""
    session.connection().execute(_update_statement(model, names), parameters)


@lru_cache(maxsize=256)
def _update_statement(model: Any, names: frozenset[str]) -> sa.Update:
    return (
        sa.update(model)
        .where(col(model.id) == sa.bindparam("row_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in sorted(names)})
    )


@lru_cache(maxsize=256)
def _update_and_insert(model: Any, names: frozenset[str]) -> sa.Insert:
    return _INSERT_BOTH.add_cte(_update_statement(model, names).cte("revised"))


def _places(
    session: Session,
    tracked: Tracked,
    operation: Operation,
    old: Mapping[str, Any],
    row: Mapping[str, Any],
) -> list[tuple[Operation, Units]]:
    """A move stands twice in the feed: for those it left and for those it came to."""
    if operation is not Operation.moved:
        places: list[tuple[Operation, Units]] = [(operation, tracked.units(session, row))]
        if tracked.also_units is not None:
            places.append((operation, tracked.also_units(session, row)))
        return places
    return [
        (Operation.left_scope, tracked.units(session, old)),
        (Operation.entered_scope, tracked.units(session, row)),
    ]


def record_created(
    session: Session,
    model: type[SQLModel],
    rows: Iterable[Mapping[str, Any]],
    refs: Iterable[str] = (),
) -> None:
    """Log rows that were inserted in bulk, past the unit of work (demo, imports).

    `refs` tell of each row where it comes from; without them the origin of the session does.
    """
    _record(session, model, Operation.created, (({}, row) for row in rows), refs)


def record_updated(
    session: Session,
    model: type[SQLModel],
    pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
    refs: Iterable[str] = (),
) -> None:
    """Log rows that were updated in bulk: as they were and as they are, the revision raised."""
    _record(session, model, Operation.updated, pairs, refs)


def record_deleted(
    session: Session,
    model: type[SQLModel],
    rows: Iterable[Mapping[str, Any]],
    refs: Iterable[str] = (),
) -> None:
    """Log rows that were deleted in bulk, past the unit of work."""
    _record(session, model, Operation.deleted, ((row, row) for row in rows), refs)


def _record(
    session: Session,
    model: type[SQLModel],
    operation: Operation,
    pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
    refs: Iterable[str],
) -> None:
    tracked = TRACKED[model]
    entries = []
    session.info["unit_paths"] = {}  # nothing moves meanwhile: each unit is asked for once
    for (old, row), ref in zip_longest(pairs, refs):
        change = _change(session, tracked, row, operation)
        before, after = _sides(session, tracked, operation, old, row)
        change |= {"before": before, "after": after}
        if operation is Operation.deleted:
            change["revision"] += 1  # as a flush logs it
        if ref is not None:
            change["source_ref"] = ref
        entries.append((change, _places(session, tracked, operation, old, row)))
    del session.info["unit_paths"]
    for start in range(0, len(entries), _BATCH):
        _write(session, entries[start : start + _BATCH])


def _sides(
    session: Session,
    tracked: Tracked,
    operation: Operation,
    old: Mapping[str, Any],
    row: Mapping[str, Any],
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """`before` and `after` of a change."""
    if operation is Operation.created:
        return None, _logged(session, tracked, row)
    if operation is Operation.deleted:
        return _logged(session, tracked, old), None
    names = [n for n in old if n not in tracked.left_out and old[n] != row[n]]
    before = _logged(session, tracked, {name: old[name] for name in names})
    return before, _logged(session, tracked, {name: row[name] for name in names})


def record_moved(
    session: Session,
    model: type[SQLModel],
    old_rows: Iterable[Mapping[str, Any]],
    carried: Mapping[str, int | None],
) -> None:
    """Log rows that one UPDATE has carried to other units, each with its next revision."""
    tracked = TRACKED[model]
    entries = []
    for old in old_rows:
        row = {**old, **carried, "revision": old["revision"] + 1}
        change = _change(session, tracked, row, Operation.moved)
        before = {name: old[name] for name in carried if old[name] != row[name]}
        change |= {"before": before, "after": {name: row[name] for name in before}}
        entries.append((change, _places(session, tracked, Operation.moved, old, row)))
    for start in range(0, len(entries), _BATCH):
        _write(session, entries[start : start + _BATCH])


def record_erased(
    session: Session, model: type[SQLModel], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Log that these rows no longer tell who a person was, each with its next revision: whoever
    keeps copies forgets it in hers. Nothing of what was forgotten is said."""
    tracked = TRACKED[model]
    entries = []
    session.info["unit_paths"] = {}
    for old in rows:
        row = {**old, "revision": old["revision"] + 1}
        change = _change(session, tracked, row, Operation.erased) | {"before": None, "after": None}
        entries.append((change, _places(session, tracked, Operation.erased, old, row)))
    del session.info["unit_paths"]
    if entries:
        _write(session, entries)


_BATCH = 1_000

sa.event.listen(Session, "before_flush", _before_flush)
sa.event.listen(Session, "after_flush", _after_flush)
sa.event.listen(Session, "after_soft_rollback", _forget_pending)
