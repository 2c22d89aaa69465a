"""Deciding on drafts of reorganisations, and taking back what was done: by one who holds the right above all
units concerned, or by officers of all sides.
"""

from functools import partial
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import Problem
from app.models.kernel.access import Right
from app.models.kernel.jobs import JobRead
from app.models.kernel.units import Unit
from app.models.reorganisations.reorganisations import (
    Agreement,
    ConfirmedAct,
    Reorganisation,
    ReorganisationApply,
    ReorganisationCreate,
    ReorganisationJob,
    ReorganisationState,
)
from app.problem_texts import Language
from app.services.identity.second_person import ensure_independent, independent
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.actors import load_actor_of_job
from app.services.kernel.offers import Work
from app.services.notices import inbox
from app.services.reorganisations import (
    agreeing,
    applying,
    drafts,
    large,
    notices,
    preview,
    reading,
    reverting,
    sides,
)
from app.services.reorganisations.planning import Plan
from app.services.reorganisations.world import named_units
from app.services.units.tree import lock_tree

_STATE = ReorganisationState


class Decided(NamedTuple):
    """`job` does it, where it takes many people along."""

    row: Reorganisation
    job: JobRead | None = None


def create(
    session: Session, actor: Actor, body: ReorganisationCreate
) -> tuple[Reorganisation, bool]:
    """A draft; those who may decide on it are notified."""
    row, is_new = drafts.create(session, actor, body)
    if is_new:
        ask(session, actor, row)
    return row, is_new


def apply(
    session: Session,
    actor: Actor,
    reorganisation_id: UUID,
    body: ReorganisationApply,
    language: Language,
) -> Decided:
    """Done at once or by a job, or where its day is to come, on that day; by another person than its
    drafter."""
    lock_tree(session)
    row = drafts.lock(session, actor, reorganisation_id)
    _ensure_alone(session, actor, row)
    drafts.ensure_state(row, _STATE.draft)
    ensure_independent(session, actor, row.drafted_by, Right.units_write, row.unit_id)
    made = drafts.plan_held(session, actor, row)
    _ensure_seen(session, actor, row, made, body.digest, language)
    return _decide(session, actor, row, made)


def _ensure_alone(session: Session, actor: Actor, row: Reorganisation) -> None:
    """The actor holds the right over all units; 409 where the sides decide, or those above them."""
    agreed = sides.agreement_of(row)
    if agreed is not None and not drafts.is_over_all(session, actor, row):
        agreeing.ensure_sides_decide(session, agreed)
        raise agreeing.sides_needed(session, agreed)
    drafts.ensure_over_all(session, actor, row)


def confirm(
    session: Session,
    actor: Actor,
    reorganisation_id: UUID,
    body: ReorganisationApply,
    language: Language,
) -> Decided:
    """An officer of a side agrees to what the preview showed; with the last side it is decided."""
    lock_tree(session)
    row = drafts.lock(session, actor, reorganisation_id)
    drafts.ensure_state(row, _STATE.draft)
    agreed = agreeing.ensure_sides_decide(session, sides.agreement_of(row))
    made = drafts.plan_held(session, actor, row)
    _ensure_seen(session, actor, row, made, body.digest, language)
    now = sides.of_plan(made, reading.operations_of(row))
    now.confirmations = agreed.confirmations
    agreeing.ensure_sides_decide(session, now)
    asked = agreeing.AskedOfSides(ConfirmedAct.apply, now.sides, body.digest)
    if agreeing.confirm(session, actor, row, now, asked):
        return _decide(session, actor, row, made)
    session.flush()
    return Decided(row)


def take_back(session: Session, actor: Actor, reorganisation_id: UUID) -> Reorganisation:
    """The actor agrees no longer: what waits for its day is a draft again. Once more changes nothing."""
    row = drafts.lock(session, actor, reorganisation_id)
    drafts.ensure_state(row, _STATE.draft, _STATE.scheduled, _STATE.applied)
    act = ConfirmedAct.revert if row.state is _STATE.applied else ConfirmedAct.apply
    if agreeing.take_back(session, actor, row, act) and row.state is _STATE.scheduled:
        row.state, row.decided_by, row.decided_at = _STATE.draft, None, None
        applying.concern(session, row, named_units(reading.operations_of(row)))
        ask(session, actor, row)
    return row


def _ensure_seen(
    session: Session,
    actor: Actor,
    row: Reorganisation,
    made: Plan,
    digest: str,
    language: Language,
) -> None:
    """Nothing prevents it, and it would do what the preview of this digest showed."""
    if made.troubles:
        unseen = preview.out_of_sight(session, actor, reading.operations_of(row))
        problems = [each.model_dump() for each in preview.told(made.troubles, language, unseen)]
        raise Problem("reorganisation_prevented", count=len(problems), extra={"problems": problems})
    if preview.digest_of(made) != digest:
        raise Problem("preview_stale")


def _decide(session: Session, actor: Actor, row: Reorganisation, made: Plan) -> Decided:
    row.decided_by, row.decided_at = actor.account_id, utc_now()
    row.returned_because = None
    ahead = row.effective_on > local_today()
    if not ahead and not large.is_large(session, applying.concerned(session, made)):
        do(session, row, made)
        session.flush()
        return Decided(row)
    row.state = _STATE.scheduled
    applying.concern(session, row, {*named_units(reading.operations_of(row)), *made.change.touched})
    return Decided(row, None if ahead else large.ask(session, actor, row, ReorganisationJob.apply))


def still_decided(session: Session, row: Reorganisation, made: Plan) -> bool:
    """Who decided on it holds the right over all its units today: alone, or with the officers of all
    sides who agreed."""
    decider = row.decided_by and load_actor_of_job(session, row.decided_by, row.id, None)
    if decider and drafts.is_over_all(session, decider, row):
        return True
    agreed = sides.agreement_of(row)
    if agreed is None:
        return False
    of_today = sides.of_plan(made, reading.operations_of(row)).sides
    return agreeing.all_agree(session, agreed, ConfirmedAct.apply, of_today)


def do(session: Session, row: Reorganisation, made: Plan) -> None:
    """Carry it out, and tell those whom it concerns."""
    opened = applying.carry_out(session, row, made)
    sides.enter(session, row)
    notices.tell(session, row, {*made.change.touched, *opened.values()})


def withdraw(session: Session, actor: Actor, reorganisation_id: UUID) -> Reorganisation:
    """It is not to be; once more changes nothing."""
    row = drafts.lock(session, actor, reorganisation_id)
    if row.state is not _STATE.withdrawn:
        drafts.ensure_state(row, _STATE.draft, _STATE.scheduled)
        row.state = _STATE.withdrawn
        session.flush()
    return row


def revert(session: Session, actor: Actor, reorganisation_id: UUID) -> Decided:
    """Take it back, at once or by a job; where the sides decide, an officer of each asks for it, and the
    last does it. Once more changes nothing."""
    row, is_decided = _decide_to_revert(session, actor, reorganisation_id)
    if not is_decided:
        return Decided(row)
    reverting.ensure_possible(session, row)
    if large.is_large(session, reverting.concerned(session, row)):
        return Decided(row, large.ask(session, actor, row, ReorganisationJob.revert))
    reverting.revert(session, actor, row)
    return Decided(row)


def revert_now(session: Session, actor: Actor, reorganisation_id: UUID) -> None:
    """What a job was asked to take back."""
    row, is_decided = _decide_to_revert(session, actor, reorganisation_id)
    if is_decided:
        reverting.revert(session, actor, row)


def _decide_to_revert(
    session: Session, actor: Actor, reorganisation_id: UUID
) -> tuple[Reorganisation, bool]:
    """It, and whether it is to be taken back now."""
    lock_tree(session)
    row = drafts.lock(session, actor, reorganisation_id)
    agreed = sides.agreement_of(row)
    together = agreed is not None and not drafts.is_over_all(session, actor, row)
    if not together:
        drafts.ensure_over_all(session, actor, row)
    if row.state is _STATE.reverted:
        return row, False
    drafts.ensure_state(row, _STATE.applied)
    agree = not together or _agree_to_revert(session, actor, row, agreed)
    session.flush()
    return row, agree


def _agree_to_revert(
    session: Session, actor: Actor, row: Reorganisation, agreed: Agreement | None
) -> bool:
    agreed = agreeing.ensure_sides_decide(session, agreed)
    asked = agreeing.AskedOfSides(ConfirmedAct.revert, sides.still_open(session, row))
    return agreeing.confirm(session, actor, row, agreed, asked)


# -- what waits for the second person

WAITING = inbox.waiting(
    "reorganisation_waits",
    "Phương án sắp xếp đơn vị chờ người thứ hai duyệt",
    "A reorganisation waits for a second person",
    "/v1/reorganisations/{entity_id}",
    sa.select(col(Reorganisation.id), col(Unit.id).label("waits_for"))
    .join(Unit, sa.or_(col(Unit.id) == col(Reorganisation.unit_id), sides.is_side(Unit)))
    .where(col(Reorganisation.state) == ReorganisationState.draft),
    Right.units_write,
)


def ask(session: Session, actor: Actor | None, row: Reorganisation) -> None:
    """Tell those who may decide on a draft, on each side."""
    inbox.deliver(session, WAITING.name, row.id, sorted(who_may_decide(session, actor, row)))


def who_may_decide(session: Session, actor: Actor | None, row: Reorganisation) -> set[UUID]:
    """The accounts of others than the actor and the drafter, nearest to each side."""
    agreed = sides.agreement_of(row)
    may = partial(independent, session, row.drafted_by)
    return {
        account_id
        for unit_id in ([row.unit_id] if agreed is None else agreed.sides)
        for account_id in inbox.who_must_act(session, actor, Right.units_write, unit_id, may)
    }


def _waiting(_: Db, actor: Actor) -> AnySelect:
    return (
        sa.select(
            col(Reorganisation.id),
            col(Reorganisation.created_at).label("since"),
            col(Reorganisation.unit_id),
        )
        .join(Unit, col(Unit.id) == col(Reorganisation.unit_id))
        .where(
            col(Reorganisation.state) == ReorganisationState.draft,
            sa.or_(
                sa.and_(
                    col(Reorganisation.drafted_by) != actor.account_id,
                    visible(Unit, actor, Right.units_write),
                ),
                sides.of_a_side(actor),
            ),
            ~sides.confirmed_by(actor),
        )
    )


WORK = Work(
    kind="reorganisation",
    right=Right.units_write,
    waiting=_waiting,
    link="/v1/reorganisations/{id}",
)
