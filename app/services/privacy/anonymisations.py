"""Leavers whom nothing holds any longer: anonymised by a policy of their unit, in runs that one
officer proposes and another one approves.

A run is a durable job. It wipes one person after the other in small transactions, each with its
receipt, and asks for the next ones anew: begun again after a crash it goes on where it was.
"""

from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from dateutil.relativedelta import relativedelta
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect, Database
from app.errors import Problem, invalid, not_found
from app.models.base import new_id
from app.models.cadres.appointments import Appointment
from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account
from app.models.kernel.jobs import JobRead
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitClosure, UnitLevel
from app.models.members.members import Member, MemberStatus
from app.models.members.spells import Membership
from app.models.privacy.erasures import (
    Anonymisation,
    AnonymisationCreate,
    AnonymisationPolicy,
    AnonymisationQuery,
    AnonymisationRead,
    AnonymisationState,
    ErasureReason,
    Leavers,
    LeaversOf,
    LeaversQuery,
    PolicyCreate,
    PolicyRead,
    PrivacyJob,
)
from app.models.privacy.requests import OPEN_REQUESTS, PrivacyRequest
from app.services.identity.second_person import ensure_independent, independent
from app.services.kernel import jobs
from app.services.kernel.access import Actor, Db, ensure, require_somewhere, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.holdings import Person
from app.services.kernel.keyset import Order, Pages, pages
from app.services.members import persons
from app.services.notices import inbox
from app.services.privacy import erasures, wiping
from app.services.units.rows import find, unit_of
from app.services.units.units import find_filter, find_target

_CHUNK = 20  # people a transaction: on SQLite others write in between
_LAPSES_AFTER = timedelta(days=30)
_OPEN = (AnonymisationState.proposed, AnonymisationState.approved)
_GONE = (MemberStatus.left, MemberStatus.deceased)

# -- policies


def create_policy(session: Session, actor: Actor, body: PolicyCreate) -> PolicyRead:
    """From today on; those before it stay, to be read."""
    unit = find_target(session, actor, body.unit_id, Right.privacy_erase, pointer="/unit_id")
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", "/unit_id", expected=LEVELS_BUT_GROUP)
    policy = AnonymisationPolicy(
        **body.model_dump(),
        valid_from=local_today(),
        made_by=actor.account_id,
        made_at=utc_now(),
    )
    session.add(policy)
    session.flush()
    return PolicyRead.model_validate(policy)


def list_policies(db: Db, actor: Actor) -> Pages:
    """Policies of units in my scope, the newest first."""
    require_somewhere(db, actor, Right.privacy_read)
    statement = _POLICIES.join(Unit, col(Unit.id) == col(AnonymisationPolicy.unit_id)).where(
        visible(Unit, actor, Right.privacy_read)
    )
    return pages(statement, Order(col(AnonymisationPolicy.id).desc()))


_POLICIES: AnySelect = sa.select(
    *(getattr(AnonymisationPolicy, name) for name in PolicyRead.model_fields)
)


def policy_of(db: Db, unit_id: int) -> PolicyRead:
    """The newest of the unit, else of the nearest unit above that has one; 409 when none has."""
    row = db.execute(
        _POLICIES.join(
            UnitClosure, col(UnitClosure.ancestor_id) == col(AnonymisationPolicy.unit_id)
        )
        .where(
            col(UnitClosure.descendant_id) == unit_id,
            col(UnitClosure.valid_to).is_(None),
            col(AnonymisationPolicy.valid_from) <= local_today(),
        )
        .order_by(col(UnitClosure.depth), col(AnonymisationPolicy.id).desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        raise Problem("no_policy")
    return PolicyRead.model_validate(row)


# -- who


_Spell = aliased(Membership)


def _left_before(day: Any) -> sa.ColumnElement[bool]:
    """Who is in the union no longer, and whose last membership ended before a day."""
    later = sa.exists(
        sa.select(col(_Spell.id)).where(
            col(_Spell.member_id) == col(Member.id),
            col(_Spell.annulled_at).is_(None),
            sa.or_(col(_Spell.valid_to).is_(None), col(_Spell.valid_to) >= day),
        )
    )
    return sa.and_(col(Member.status).in_(_GONE), col(Member.erased_on).is_(None), sa.not_(later))


def _held() -> sa.ColumnElement[bool]:
    """Something is in the way: a legal hold, a request that is open, a post, rights in force."""
    today = local_today()
    posts = sa.select(col(Appointment.id)).where(
        col(Appointment.member_id) == col(Member.id),
        sa.or_(col(Appointment.valid_to).is_(None), col(Appointment.valid_to) >= today),
    )
    grants = (
        sa.select(col(Grant.id))
        .join(Account, col(Account.id) == col(Grant.account_id))
        .where(
            col(Account.member_id) == col(Member.id),
            sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) >= today),
        )
    )
    requests = sa.select(col(PrivacyRequest.id)).where(
        col(PrivacyRequest.member_id) == col(Member.id),
        col(PrivacyRequest.state).in_(OPEN_REQUESTS),
    )
    hold = sa.select(sa.literal(1)).where(*erasures.held(col(Member.id)))
    return sa.or_(*(sa.exists(each) for each in (posts, grants, requests, hold)))


def preview(db: Db, actor: Actor, query: LeaversQuery) -> Leavers:
    """Whom a run over a unit would anonymise if it were approved today."""
    unit = find_filter(db, actor, query.unit, pointer="/unit")
    ensure(db, actor, Right.privacy_read, unit, seen_with=Right.units_read)
    policy = policy_of(db, query.unit)
    day = local_today() - relativedelta(months=policy.months)
    here = reach_of(db, unit).predicate(Member)
    held, free = (
        db.execute(
            sa.select(sa.func.count()).select_from(Member).where(here, _left_before(day), which)
        ).scalar_one()
        for which in (_held(), sa.not_(_held()))
    )
    last = (
        sa.select(sa.func.max(col(Membership.valid_to)).label("day"))
        .join(Member, col(Member.id) == col(Membership.member_id))
        .where(here, _left_before(day), sa.not_(_held()), col(Membership.annulled_at).is_(None))
        .group_by(col(Membership.member_id))
        .subquery()
    )
    below = Member.commune_id if unit.level in _WIDE else Member.branch_id
    counted: AnySelect = (
        sa.select(col(Unit.id).label("unit_id"), col(Unit.name), sa.func.count().label("people"))
        .join(Member, col(below) == col(Unit.id))
        .where(here, _left_before(day), sa.not_(_held()))
        .group_by(col(Unit.id), col(Unit.name))
        .order_by(col(Unit.id))
    )
    by_unit = db.execute(counted)
    return Leavers(
        unit_id=query.unit,
        policy=policy,
        left_before=day,
        people=free,
        held=held,
        this_run=min(free, policy.most),
        oldest_left_on=db.execute(sa.select(sa.func.min(last.c.day))).scalar_one(),
        by_unit=[LeaversOf.model_validate(row) for row in by_unit],
    )


_WIDE = (UnitLevel.central, UnitLevel.province, UnitLevel.district)

# -- runs

_READ: AnySelect = sa.select(
    *(getattr(Anonymisation, name) for name in AnonymisationRead.model_fields),
).join(Unit, col(Unit.id) == col(Anonymisation.unit_id))


def list_runs(db: Db, actor: Actor, query: AnonymisationQuery) -> Pages:
    """Runs over units in my scope, the newest first."""
    require_somewhere(db, actor, Right.privacy_read)
    statement = _READ.where(visible(Unit, actor, Right.privacy_read))
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        statement = statement.where(
            sa.or_(reach_of(db, unit).predicate(Unit), col(Unit.id) == query.unit)
        )
    if query.state is not None:
        statement = statement.where(col(Anonymisation.state) == query.state)
    return pages(statement, Order(col(Anonymisation.id).desc()))


def get_run(db: Db, actor: Actor, run_id: UUID) -> AnonymisationRead:
    """One run over a unit in my scope."""
    visible_ = visible(Unit, actor, Right.privacy_read)
    row = db.execute(_READ.where(col(Anonymisation.id) == run_id, visible_)).one_or_none()
    if row is None:
        require_somewhere(db, actor, Right.privacy_read)
        raise not_found()
    return AnonymisationRead.model_validate(row)


def propose(session: Session, actor: Actor, body: AnonymisationCreate) -> AnonymisationRead:
    """One officer proposes a run; nothing is anonymised before another one approves it."""
    unit = find_target(
        session, actor, body.unit_id, Right.privacy_erase, pointer="/unit_id", alone=True
    )
    other = session.execute(
        sa.select(col(Anonymisation.id)).where(
            col(Anonymisation.unit_id) == body.unit_id, col(Anonymisation.state).in_(_OPEN)
        )
    ).scalar()
    if other is not None:
        raise Problem("anonymisation_open", extra={"anonymisation_id": str(other)})
    policy = policy_of(session, body.unit_id)
    day = local_today() - relativedelta(months=policy.months)
    most = min(policy.most, body.most or policy.most)
    wanted = _wanted(reach_of(session, unit).predicate(Member), day).limit(most).subquery()
    found = session.execute(sa.select(sa.func.count()).select_from(wanted)).scalar_one()
    if not found:
        raise Problem("nobody_to_anonymise", date=day.isoformat())
    run = Anonymisation(
        id=new_id(),
        unit_id=body.unit_id,
        policy_id=policy.id,
        left_before=day,
        most=most,
        state=AnonymisationState.proposed,
        found=found,
        proposed_by=actor.account_id,
        proposed_at=utc_now(),
    )
    session.add(run)
    session.flush()
    inbox.ask(
        session,
        actor,
        WAITING.name,
        run.id,
        Right.privacy_erase,
        body.unit_id,
        partial(independent, session, actor.account_id),
    )
    return AnonymisationRead.model_validate(run)


WAITING = inbox.waiting(
    "anonymisation_waits",
    "Đề nghị xoá tên người đã rời Hội chờ người thứ hai duyệt",
    "An anonymisation waits for a second person",
    "/v1/privacy/anonymisations/{entity_id}",
    sa.select(col(Anonymisation.id), col(Anonymisation.unit_id).label("waits_for")).where(
        col(Anonymisation.state) == AnonymisationState.proposed
    ),
    Right.privacy_erase,
)


def _wanted(here: sa.ColumnElement[bool], day: date) -> AnySelect:
    return sa.select(col(Member.id)).where(here, _left_before(day), sa.not_(_held()))


def _decidable(session: Session, actor: Actor, run_id: UUID) -> Anonymisation:
    run = session.get(Anonymisation, run_id, with_for_update=True)
    unit = None if run is None else find(session, run.unit_id)
    if run is None or unit is None:
        require_somewhere(session, actor, Right.privacy_read)
        raise not_found()
    ensure(session, actor, Right.privacy_erase, unit, seen_with=Right.privacy_read)
    return run


def approve(session: Session, actor: Actor, run_id: UUID) -> JobRead:
    """Another officer approves it: the run begins. At most as many as were proposed."""
    run = _decidable(session, actor, run_id)
    if run.state is not AnonymisationState.proposed:
        raise Problem("anonymisation_state", status=run.state)
    ensure_independent(session, actor, run.proposed_by, Right.privacy_erase, run.unit_id)
    run.state = AnonymisationState.approved
    run.decided_by = actor.account_id
    run.decided_at = utc_now()
    session.flush()
    return jobs.enqueue(
        session,
        actor,
        kind=PrivacyJob.anonymisation,
        args={"anonymisation_id": str(run.id)},
        unit_id=run.unit_id,
    )


def cancel(session: Session, actor: Actor, run_id: UUID) -> AnonymisationRead:
    """It is not to be; of a run that has begun, no more of it. Once more changes nothing."""
    run = _decidable(session, actor, run_id)
    if run.state is AnonymisationState.done:
        raise Problem("anonymisation_state", status=run.state)
    if run.state is not AnonymisationState.cancelled:
        run.state = AnonymisationState.cancelled
        run.decided_by = run.decided_by or actor.account_id
        run.decided_at = run.decided_at or utc_now()
        session.flush()
    return AnonymisationRead.model_validate(run)


def lapse(database: Database) -> int:
    """What nobody has approved for a month is proposed no longer; returns how many runs."""
    stale = sa.and_(
        col(Anonymisation.state) == AnonymisationState.proposed,
        col(Anonymisation.proposed_at) < utc_now() - _LAPSES_AFTER,
    )
    with database.writing() as session:
        ended = session.connection().execute(
            sa.update(Anonymisation).where(stale).values(state=AnonymisationState.cancelled)
        )
    return ended.rowcount


def carry_out(task: jobs.Task) -> dict[str, Any]:
    """Anonymise the leavers of a run that was approved, a few a transaction."""
    run_id = UUID(task.args["anonymisation_id"])
    while (run := _next(task, run_id)).state is AnonymisationState.approved:
        task.progress(run.done, run.found)
    task.progress(run.done, run.found)
    erasures.sweep(task)
    return {"anonymisation_id": str(run_id), "people": run.done}


def _next(task: jobs.Task, run_id: UUID) -> AnonymisationRead:
    """The next few; the run is done when there are no more of them, or as many as were proposed."""
    with task.writing() as session:
        run = session.get_one(Anonymisation, run_id, with_for_update=True)
        if run.state is AnonymisationState.approved:
            unit = unit_of(session, run.unit_id)
            here = reach_of(session, unit).predicate(Member)
            wanted = _wanted(here, run.left_before).limit(min(_CHUNK, run.found - run.done))
            # Again under their lock: one may have come back, or be held, meanwhile.
            ids = sorted(session.execute(wanted).scalars())
            persons.hold_alone(session, ids)
            ids = sorted(session.execute(wanted.where(col(Member.id).in_(ids))).scalars())
            wiping.scan(session, [_anonymise(session, run, member_id) for member_id in ids])
            run.done += len(ids)
            if not ids or run.done >= run.found:
                run.state = AnonymisationState.done
                run.finished_at = utc_now()
            session.flush()
        return AnonymisationRead.model_validate(run)


def _anonymise(session: Session, run: Anonymisation, member_id: UUID) -> Person:
    person = persons.lock(session, member_id)
    assert run.decided_by is not None  # noqa: S101  # it was approved
    whole = wiping.find_person(session, member_id, person.full_name, person.birth_date)
    done = wiping.wipe(session, whole)
    erasures.receive(
        session,
        person,
        former_ids=whole.former_ids,
        reason=ErasureReason.anonymisation,
        request_id=None,
        anonymisation_id=run.id,
        effects=wiping.effects_of(done),
        approved_by=run.decided_by,
        erased_by=run.proposed_by,
    )
    return whole
