"""Transfers (chuyển sinh hoạt): requested, consented to by the source, accepted by the target.

Every act holds the lock of the member (`memberships.lock`), so of two at once one comes second and
finds what the first has done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import FieldError, Problem, invalid, not_found
from app.models.base import new_id
from app.models.cadres.appointments import EndReason
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.models.memberships.transfers import (
    UNDER_WAY,
    Transfer,
    TransferCreate,
    TransferRefuse,
    TransferSide,
    TransferState,
)
from app.services.cadres import endings
from app.services.duplicates import pairs
from app.services.groups import groups
from app.services.kernel.access import Actor, forbidden, require_somewhere
from app.services.kernel.created_once import holds, insert, sent_before
from app.services.kernel.limits import RateLimits
from app.services.members import spells
from app.services.members.spells import Life
from app.services.memberships import under_way
from app.services.notices import inbox
from app.services.units.rows import being_reorganised, find, unit_of

# -- requesting


def request(
    session: Session,
    limits: RateLimits,
    actor: Actor,
    member_id: UUID,
    body: TransferCreate,
    tacit_days: int,
) -> tuple[Transfer, bool]:
    """Ask for a transfer, from either side; done at once where the actor covers both."""
    require_somewhere(session, actor, Right.members_read)
    life = spells.lock(session, member_id, body.to_branch_id)
    same = partial(_is_same, session, actor, member_id, body)
    if (sent := sent_before(session, Transfer, body.id, same)) is not None:
        return sent, False
    target = find(session, body.to_branch_id)
    if target is None:
        raise invalid("unit_unknown", "/to_branch_id")
    if target.level is not UnitLevel.branch:
        raise invalid("unit_level_wrong", "/to_branch_id", expected=UnitLevel.branch)
    life = spells.find_known(session, limits, actor, life, target, body)
    spells.ensure_changeable(actor, life)
    at_source = actor.covers(Right.members_write, life.member)
    at_target = actor.covers(Right.members_write, target)
    if not (at_source or at_target):
        raise forbidden(session, actor, Right.members_write, life.member.branch_id)
    _ensure_may_go(life, target, body.effective_on)
    transfer = _asked(actor, life, target, body)
    transfer.due_on = _due(tacit_days)
    if at_source:
        transfer.requested_side = TransferSide.source
        note_consent(transfer, actor.account_id, transfer.requested_at, tacit_days)
    insert(session, [transfer], {"pk_transfer": Problem("id_taken")})
    life.transfer_id = transfer.id
    if at_source and at_target:
        arrive(session, life, target, transfer, actor.account_id)
    else:
        ask_side(session, actor, transfer)
    spells.settle(session, life)
    return transfer, True


def ask_side(session: Session, actor: Actor | None, transfer: Transfer) -> None:
    """Tell the side whose turn it is."""
    inbox.ask(session, actor, WAITING.name, transfer.id, Right.members_write, _asked_of(transfer))


def ask_again(session: Session, transfer: Transfer, due_on: date) -> None:
    """Tell the side whose turn it is, once, that its silence since this day decides nothing."""
    people = inbox.who_must_act(session, None, Right.members_write, _asked_of(transfer))
    inbox.deliver(session, OVERDUE.name, transfer.id, people, due_on.isoformat())


def _asked_of(transfer: Transfer) -> int:
    at_source = transfer.state is TransferState.requested
    return transfer.from_branch_id if at_source else transfer.to_branch_id


_UNDER_WAY: AnySelect = sa.select(
    col(Transfer.id),
    sa.case(
        (col(Transfer.state) == TransferState.requested, col(Transfer.from_branch_id)),
        else_=col(Transfer.to_branch_id),
    ).label("waits_for"),
).where(col(Transfer.state).in_(UNDER_WAY))
WAITING = inbox.waiting(
    "transfer_waits",
    "Hồ sơ chuyển sinh hoạt chờ xử lý",
    "A transfer waits for you",
    "/v1/transfers/{entity_id}",
    _UNDER_WAY,
    Right.members_write,
)
OVERDUE = inbox.waiting(
    "transfer_overdue",
    "Hồ sơ chuyển sinh hoạt đã quá hạn trả lời và không được tự chấp thuận, cần chị quyết định",
    "The time to answer a transfer is over, and it does not go on by itself: it needs your decision",
    "/v1/transfers/{entity_id}",
    _UNDER_WAY,
    Right.members_write,
)


def _is_same(
    session: Session, actor: Actor, member_id: UUID, body: TransferCreate, found: Transfer
) -> bool:
    branches = (unit_of(session, id_) for id_ in (found.from_branch_id, found.to_branch_id))
    if not any(actor.covers(Right.members_write, branch) for branch in branches):
        return False
    sent = body.model_dump(include={"to_branch_id", "reason", "effective_on"})
    if body.effective_on is None and found.state is TransferState.accepted:
        del sent["effective_on"]  # acceptance has filled it in
    return holds(sent | {"member_id": member_id})(found)


def _ensure_may_go(life: Life, target: Unit, since: date | None) -> None:
    """Refuse unless she is in the union, in another branch, in no other transfer, and the target
    takes members.
    """
    if life.transfer_id is not None:
        raise _under_way(life.transfer_id)
    if life.current.branch_id == target.id:
        raise invalid("branch_is_her_own", "/to_branch_id")
    ensure_arrives(life, target, since or local_today())


def _under_way(transfer_id: UUID) -> Problem:
    return Problem(
        "transfer_under_way",
        errors=[FieldError("path", "/member_id", "state_conflict")],
        extra={"transfer_id": str(transfer_id)},
    )


def ensure_arrives(life: Life, target: Unit, since: date) -> None:
    spells.ensure_takes(target, since, pointer="/to_branch_id", day_pointer="/effective_on")
    began = life.current.valid_from
    if since < began:
        raise invalid("before_membership", "/effective_on", date=began.isoformat())


def _asked(actor: Actor, life: Life, target: Unit, body: TransferCreate) -> Transfer:
    """The request as its target would make it."""
    now = utc_now()
    return Transfer(
        id=body.id or new_id(),
        member_id=life.member.id,
        full_name=life.member.full_name,
        birth_year=life.member.birth_year,
        province_id=life.member.province_id,
        from_branch_id=life.member.branch_id,
        to_branch_id=target.id,
        reason=body.reason,
        effective_on=body.effective_on,
        state=TransferState.requested,
        requested_side=TransferSide.target,
        requested_by=actor.account_id,
        requested_at=now,
        created_at=now,
        updated_at=now,
    )


# -- the acts of the two sides


@dataclass(frozen=True, slots=True)
class _Case:
    """A transfer under lock, with what the actor is to it."""

    transfer: Transfer
    life: Life
    branches: Mapping[TransferSide, Unit]
    sides: frozenset[TransferSide]

    @property
    def is_under_way(self) -> bool:
        return self.transfer.state in UNDER_WAY

    def wrong_state(self) -> Problem:
        return Problem("transfer_state", status=self.transfer.state)


def _access(session: Session, actor: Actor, transfer_id: UUID) -> _Case:
    """404 when neither side is in scope; what may be done is up to each act."""
    require_somewhere(session, actor, Right.members_read)
    row = session.execute(_WHOSE, {"transfer_id": transfer_id}).one_or_none()
    if row is None:
        raise not_found()
    life = spells.lock(session, row.member_id, row.from_branch_id, row.to_branch_id)
    assert life is not None  # noqa: S101  # a transfer goes with its member
    transfer = session.get_one(Transfer, transfer_id)
    branches = {
        TransferSide.source: unit_of(session, row.from_branch_id),
        TransferSide.target: unit_of(session, row.to_branch_id),
    }
    if not any(actor.covers(Right.members_read, branch) for branch in branches.values()):
        raise not_found()
    if (transfer.from_branch_id, transfer.to_branch_id) != (row.from_branch_id, row.to_branch_id):
        # It has gone on with a branch that was reorganised while this waited for it.
        raise being_reorganised()
    sides = frozenset(s for s, branch in branches.items() if actor.covers(WRITE, branch))
    return _Case(transfer, life, branches, sides)


WRITE = Right.members_write
_WHOSE = sa.select(
    col(Transfer.member_id), col(Transfer.from_branch_id), col(Transfer.to_branch_id)
).where(col(Transfer.id) == sa.bindparam("transfer_id"))


def _ensure_side(session: Session, actor: Actor, case: _Case, side: TransferSide) -> None:
    if side not in case.sides:
        raise forbidden(session, actor, WRITE, case.branches[side].id)


def consent(session: Session, actor: Actor, transfer_id: UUID, tacit_days: int) -> Transfer:
    """The source consents."""
    case = _access(session, actor, transfer_id)
    _ensure_side(session, actor, case, TransferSide.source)
    transfer = case.transfer
    if transfer.state in (TransferState.consented, TransferState.accepted):
        return transfer
    if transfer.state is not TransferState.requested:
        raise case.wrong_state()
    spells.ensure_changeable(actor, case.life)
    note_consent(transfer, actor.account_id, utc_now(), tacit_days)
    session.flush()
    ask_side(session, actor, transfer)
    return transfer


def accept(session: Session, actor: Actor, transfer_id: UUID) -> Transfer:
    """The target accepts, after the source has consented: the member moves."""
    case = _access(session, actor, transfer_id)
    _ensure_side(session, actor, case, TransferSide.target)
    transfer = case.transfer
    if transfer.state is TransferState.accepted:
        return transfer
    if transfer.state is not TransferState.consented:
        raise case.wrong_state()
    spells.ensure_changeable(actor, case.life)
    target = case.branches[TransferSide.target]
    ensure_arrives(case.life, target, transfer.effective_on or local_today())
    arrive(session, case.life, target, transfer, actor.account_id)
    return transfer


def refuse(session: Session, actor: Actor, transfer_id: UUID, body: TransferRefuse) -> Transfer:
    """Either side refuses, for a reason, while the transfer is under way."""
    case = _access(session, actor, transfer_id)
    transfer = case.transfer
    asked_of_source = transfer.state is TransferState.requested
    waiting = TransferSide.source if asked_of_source else TransferSide.target
    if not case.sides:
        raise forbidden(session, actor, WRITE, case.branches[waiting].id)
    if transfer.state is TransferState.refused and transfer.refused_side in case.sides:
        return transfer
    if not case.is_under_way:
        raise case.wrong_state()
    side = waiting if waiting in case.sides else next(iter(case.sides))
    close_refused(session, case.life, actor.account_id, side, body.reason)
    return transfer


def cancel(session: Session, actor: Actor, transfer_id: UUID) -> Transfer:
    """The side that asked takes it back."""
    case = _access(session, actor, transfer_id)
    _ensure_side(session, actor, case, case.transfer.requested_side)
    if case.transfer.state is TransferState.cancelled:
        return case.transfer
    if not case.is_under_way:
        raise case.wrong_state()
    under_way.cancel(session, case.life, actor.account_id)
    spells.settle(session, case.life)
    return case.transfer


def note_consent(transfer: Transfer, by: UUID | None, at: datetime, tacit_days: int) -> None:
    transfer.state = TransferState.consented
    transfer.consented_by = by
    transfer.consented_at = at
    transfer.due_on = _due(tacit_days)


def arrive(session: Session, life: Life, target: Unit, transfer: Transfer, by: UUID | None) -> None:
    """She moves, on the day given or today; nothing of the transfer is open any more."""
    since = transfer.effective_on or local_today()
    under_way.close(session, life, TransferState.accepted, by)
    transfer.effective_on = since
    transfer.accepted_by = by
    transfer.accepted_at = utc_now()
    spells.move(session, life, target, since=since, transfer_id=transfer.id)
    left = (session, life.member.id, transfer.from_branch_id, since)
    groups.end_in_branch(*left)
    endings.end_in_branch(*left, EndReason.transferred)
    pairs.look_for(session, life.member)


def close_refused(
    session: Session, life: Life, by: UUID | None, side: TransferSide | None, reason: str
) -> None:
    transfer = under_way.close(session, life, TransferState.refused, by)
    transfer.refused_side = side
    transfer.refusal_reason = reason
    spells.settle(session, life)


def _due(tacit_days: int) -> date | None:
    """From which day on silence is consent: each side has the whole time."""
    return local_today() + timedelta(days=tacit_days) if tacit_days else None
