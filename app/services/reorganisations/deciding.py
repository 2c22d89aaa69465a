"""Deciding on drafts of reorganisations, and taking back what was done."""

from functools import partial
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import Problem
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationApply,
    ReorganisationCreate,
    ReorganisationState,
)
from app.problem_texts import Language
from app.services.identity.second_person import ensure_independent, independent
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.offers import Work
from app.services.notices import inbox
from app.services.reorganisations import applying, drafts, notices, reverting
from app.services.reorganisations.planning import Plan
from app.services.reorganisations.preview import digest_of, told
from app.services.reorganisations.world import named_units
from app.services.units.tree import lock_tree

_STATE = ReorganisationState


def create(
    session: Session, actor: Actor, body: ReorganisationCreate
) -> tuple[Reorganisation, bool]:
    """A draft; those who may decide on it are told."""
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
) -> Reorganisation:
    """Done at once, or where its day is to come, on that day; by another person than its drafter."""
    lock_tree(session)
    row = drafts.lock(session, actor, reorganisation_id)
    drafts.ensure_over_all(session, actor, row)
    drafts.ensure_state(row, _STATE.draft)
    ensure_independent(session, actor, row.drafted_by, Right.units_write, row.unit_id)
    made = drafts.plan_held(session, actor, row)
    if made.troubles:
        problems = [each.model_dump() for each in told(made.troubles, language)]
        raise Problem("reorganisation_prevented", count=len(problems), extra={"problems": problems})
    if digest_of(made) != body.digest:
        raise Problem("preview_stale")
    row.decided_by, row.decided_at = actor.account_id, utc_now()
    if row.effective_on > local_today():
        row.state = _STATE.scheduled
        applying.concern(
            session, row, {*named_units(drafts.operations_of(row)), *made.change.touched}
        )
    else:
        do(session, row, made)
    session.flush()
    return row


def do(session: Session, row: Reorganisation, made: Plan) -> None:
    """Carry it out, and tell those whom it concerns."""
    opened = applying.carry_out(session, row, made)
    notices.tell(session, row, {*made.change.touched, *opened.values()})


def withdraw(session: Session, actor: Actor, reorganisation_id: UUID) -> Reorganisation:
    """It is not to be; once more changes nothing."""
    row = drafts.lock(session, actor, reorganisation_id)
    if row.state is not _STATE.withdrawn:
        drafts.ensure_state(row, _STATE.draft, _STATE.scheduled)
        row.state = _STATE.withdrawn
        session.flush()
    return row


def revert(session: Session, actor: Actor, reorganisation_id: UUID) -> Reorganisation:
    """Take it back; once more changes nothing."""
    lock_tree(session)
    row = drafts.lock(session, actor, reorganisation_id)
    drafts.ensure_over_all(session, actor, row)
    if row.state is not _STATE.reverted:
        drafts.ensure_state(row, _STATE.applied)
        reverting.revert(session, actor, row)
    return row


# -- what waits for the second person

WAITING = inbox.waiting(
    "reorganisation_waits",
    "Phương án sắp xếp đơn vị chờ người thứ hai duyệt",
    "A reorganisation waits for a second person",
    "/v1/reorganisations/{entity_id}",
    sa.select(col(Reorganisation.id), col(Reorganisation.unit_id).label("waits_for")).where(
        col(Reorganisation.state) == ReorganisationState.draft
    ),
    Right.units_write,
)


def ask(session: Session, actor: Actor | None, row: Reorganisation) -> None:
    """Tell those who may decide on a draft."""
    inbox.ask(
        session,
        actor,
        WAITING.name,
        row.id,
        Right.units_write,
        row.unit_id,
        partial(independent, session, row.drafted_by),
    )


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
            col(Reorganisation.drafted_by) != actor.account_id,
            visible(Unit, actor, Right.units_write),
        )
    )


WORK = Work(
    kind="reorganisation",
    right=Right.units_write,
    waiting=_waiting,
    link="/v1/reorganisations/{id}",
)
