"""Appointments of cadres: made, corrected and ended, each with the access grant that follows it.

`valid_to` is the last day in the post. An end is dated by its first day without (`effective_on`), so
that ending a post today ends its rights now. A post that ended before its first day was never held:
its `valid_to` is then the day before `valid_from`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import chunks
from app.errors import Problem, invalid, not_found
from app.models.cadres.appointments import (
    Appointment,
    AppointmentCreate,
    AppointmentEnd,
    AppointmentUpdate,
    TermUpdate,
    role_of,
)
from app.models.kernel.access import ROLE_RIGHTS, Right
from app.models.kernel.units import Unit
from app.services.cadres.endings import set_end
from app.services.cadres.post_rules import ensure_fits, ensure_not_own
from app.services.identity import grants
from app.services.identity.signin import Signin
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    require_somewhere,
)
from app.services.kernel.created_once import created_once, holds
from app.services.members import persons
from app.services.units.rows import hold_alone, unit_of
from app.services.units.units import find_target

_DAY = timedelta(days=1)
_TERM = {"congress_number": "congress_number", "starts_on": "term_from", "ends_on": "term_to"}


# -- making


def create(
    session: Session, signin: Signin, actor: Actor, body: AppointmentCreate
) -> tuple[Appointment, bool]:
    """Put a member in a post. The same id with the same content again is no second appointment."""
    post, is_new = enter(session, actor, body)
    if is_new:
        _forget_holder(session, signin, post)
    return post, is_new


def enter(session: Session, actor: Actor, body: AppointmentCreate) -> tuple[Appointment, bool]:
    """`create` outside of a server: tokens in use reflect it within 5 seconds."""
    require_somewhere(session, actor, Right.appointments_write)
    # One appointment in a unit at a time: the other of two new chairs sees the first. The unit
    # before the person, as every act on a member takes them: nobody waits in a circle.
    unit, person = _named(session, actor, body)
    post, is_new = created_once(
        session,
        Appointment,
        body.id,
        partial(_checked, session, actor, body, unit, person),
        same=holds(_sent(body)),
    )
    if is_new:
        grants.follow(session, actor, post, unit)
    return post, is_new


def ensure_possible(db: Db, actor: Actor, body: AppointmentCreate) -> None:
    """Raise what `create` would refuse, without writing; the checks of her account are left out."""
    unit, person = _named(db, actor, body)
    _checked(db, actor, body, unit, person)


def _named(db: Db, actor: Actor, body: AppointmentCreate) -> tuple[Unit, Any]:
    """The unit and the person of a body."""
    unit = find_target(
        db, actor, body.unit_id, Right.appointments_write, pointer="/unit_id", alone=True
    )
    return unit, persons.find_member(db, actor, body.member_id, pointer="/member_id")


def _checked(db: Db, actor: Actor, body: AppointmentCreate, unit: Unit, person: Any) -> Appointment:
    """The appointment as it may be stored, which nothing is yet."""
    persons.ensure_in_union(person)
    now = utc_now()
    post = Appointment(
        **body.model_dump(exclude={"id", "term", "valid_from", "valid_to"}),
        province_id=person.province_id,
        valid_from=body.valid_from or local_today(),
        created_at=now,
        updated_at=now,
    )
    if body.term is not None:
        _set_term(post, body.term.model_dump())
    post.valid_to = body.model_dump().get("valid_to", post.term_to)
    ensure_not_own(actor, post, unit)
    ensure_fits(db, post, unit, sent=body.model_fields_set)
    if (role := role_of(post.post, unit.level)) is not None:
        grants.ensure_holds(actor, ROLE_RIGHTS[role], unit, role)
    return post


def _sent(body: AppointmentCreate) -> dict[str, Any]:
    """The fields as sent; a day left out became the day of the first request."""
    filled_in = {"valid_from"} if body.valid_from is None else set()
    term = body.term.model_dump() if body.term else dict.fromkeys(_TERM)
    sent = body.model_dump(exclude={"id", "term"} | filled_in)
    return sent | {_TERM[name]: value for name, value in term.items()}


def _set_term(post: Appointment, term: Mapping[str, Any]) -> None:
    for name, value in term.items():
        setattr(post, _TERM[name], value)


# -- changing


def access_appointment(
    session: Session, actor: Actor, appointment_id: UUID
) -> tuple[Appointment, Unit, Any]:
    """The appointment, its unit and its holder, held; 404 out of scope, 403 without the right."""
    held = hold(session, appointment_id)
    if held is None:
        require_somewhere(session, actor, Right.appointments_read)
        raise not_found()
    ensure(session, actor, Right.appointments_write, held[1], seen_with=Right.appointments_read)
    return held


def hold(session: Session, appointment_id: UUID) -> tuple[Appointment, Unit, Any] | None:
    """The appointment, its unit and its holder, kept from other writers until the commit; locked in the
    order of `create`: the unit, the person, the post."""
    place = session.execute(
        sa.select(col(Appointment.member_id), col(Appointment.unit_id)).where(
            col(Appointment.id) == appointment_id
        )
    ).one_or_none()
    if place is None:
        return None
    unit = hold_alone(session, place.unit_id)
    person = persons.lock(session, place.member_id)
    post = session.get(Appointment, appointment_id, with_for_update=True)
    return None if post is None else (post, unit, person)


def hold_many(session: Session, appointment_ids: Sequence[UUID]) -> None:
    """As `hold`, in the order of locks: all units, all holders, then the posts."""
    units: set[int] = set()
    members: set[UUID] = set()
    for chunk in chunks(appointment_ids):
        of_these = sa.select(col(Appointment.unit_id), col(Appointment.member_id)).where(
            col(Appointment.id).in_(chunk)
        )
        for unit_id, member_id in session.execute(of_these):
            units.add(unit_id)
            members.add(member_id)
    for unit_id in sorted(units):
        hold_alone(session, unit_id)
    persons.hold_alone(session, members)
    for chunk in chunks(sorted(appointment_ids)):
        posts = sa.select(col(Appointment.id)).where(col(Appointment.id).in_(chunk))
        session.execute(posts.order_by(col(Appointment.id)).with_for_update())


def update(
    session: Session,
    signin: Signin,
    actor: Actor,
    appointment_id: UUID,
    body: AppointmentUpdate,
    expected: Expected,
) -> Appointment:
    """Correct an appointment. Its grant follows its days at once."""
    post, has_moved = correct(session, actor, appointment_id, body, expected)
    if has_moved:
        _forget_holder(session, signin, post)
    return post


def correct(
    session: Session,
    actor: Actor,
    appointment_id: UUID,
    body: AppointmentUpdate,
    expected: Expected,
) -> tuple[Appointment, bool]:
    """`update` outside of a server: the appointment, and whether its days have changed."""
    post, unit, person = access_appointment(session, actor, appointment_id)
    ensure_revision(post.revision, expected)
    has_moved = _change(session, actor, post, unit, person, body)
    session.flush()
    if has_moved:
        grants.follow(session, actor, post, unit)
    return post, has_moved


def ensure_correctable(
    db: Db, actor: Actor, record: Any, unit: Unit, body: AppointmentUpdate
) -> None:
    """What `update` would refuse of an appointment, of which `record` is the whole row."""
    post = Appointment(**{name: getattr(record, name) for name in Appointment.model_fields})
    _change(db, actor, post, unit, persons.find(db, post.member_id), body)


def _change(
    db: Db, actor: Actor, post: Appointment, unit: Unit, person: Any, body: AppointmentUpdate
) -> bool:
    """Set what was sent, within the rules; returns whether the days have changed."""
    changed = body.model_dump(exclude_unset=True, exclude={"term"})
    if post.reason is not None and changed.get("valid_to", post.valid_to) is None:
        raise invalid("not_null", "/valid_to")  # it has ended; the day may be corrected
    with_term = post.reason is None and post.valid_to == post.term_to
    if "term" in body.model_fields_set:
        _correct_term(post, body)
        if with_term and post.term_to is not None:
            changed.setdefault("valid_to", post.term_to)
    days = (post.valid_from, post.valid_to)
    for name, value in changed.items():
        setattr(post, name, value)
    if body.model_fields_set & {"term", "valid_from", "valid_to"}:
        ensure_fits(db, post, unit, sent=body.model_fields_set)
    if (post.valid_from, post.valid_to) == days:
        return False
    if not _within((post.valid_from, post.valid_to), days):
        ensure_not_own(actor, post, unit)
    if post.valid_to is None or post.valid_to >= local_today():
        persons.ensure_in_union(person)
    return True


def _within(days: tuple[date, date | None], others: tuple[date, date | None]) -> bool:
    """No day of the first is outside the second; an open end is the last of all days."""
    return days[0] >= others[0] and (days[1] or date.max) <= (others[1] or date.max)


def _correct_term(post: Appointment, body: AppointmentUpdate) -> None:
    """Merge the term that was sent into the one it has; null takes it away."""
    if not isinstance(body.term, TermUpdate):
        _set_term(post, dict.fromkeys(_TERM))
        return
    _set_term(post, body.term.model_dump(exclude_unset=True))
    for name, column in _TERM.items():
        if getattr(post, column) is None:
            raise invalid("required", f"/term/{name}")


def end(
    session: Session, signin: Signin, actor: Actor, appointment_id: UUID, body: AppointmentEnd
) -> Appointment:
    """End a post, and the rights that came with it, from `effective_on` on."""
    post, _, _ = access_appointment(session, actor, appointment_id)
    last = post.valid_to
    # One that is to end later may still end sooner.
    is_over = last is not None and (last < local_today() or last < post.valid_from)
    if post.reason is not None and last is not None and is_over:
        raise Problem("appointment_ended", ended_on=last.isoformat())
    latest = None if last is None else last + _DAY
    effective_on = body.effective_on or min(local_today(), latest or date.max)
    if body.effective_on is None:
        effective_on = max(effective_on, post.valid_from)
    if effective_on < post.valid_from:
        raise invalid("dates_reversed", "/effective_on")
    if latest is not None and effective_on > latest:
        raise invalid("too_large", "/effective_on", max=latest.isoformat())
    set_end(post, effective_on, body.reason, body.note)
    session.flush()
    # Whose tokens to forget: asked before the grant, and what hangs on it, may be gone.
    _forget_holder(session, signin, post)
    grants.cut_with(session, [post])
    return post


# -- as if it had never been


def withdraw(session: Session, actor: Actor, appointment_id: UUID) -> None:
    """An appointment entered by mistake never was, but in the change log; nor was its grant."""
    post, _, _ = access_appointment(session, actor, appointment_id)
    grants.remove_with(session, post.id)
    session.delete(post)
    session.flush()


def restore(
    session: Session, actor: Actor, appointment_id: UUID, before: Mapping[str, Any]
) -> None:
    """Undo a correction: the fields it changed are as the change log has them (JSON)."""
    post, unit, _ = access_appointment(session, actor, appointment_id)
    of_term = {name: before[name] for name in _TERM.values() if name in before}
    plain = {name: value for name, value in before.items() if name not in of_term}
    values = AppointmentUpdate.model_validate(plain).model_dump(exclude_unset=True)
    for name, value in of_term.items():
        is_day = value is not None and name != "congress_number"
        values[name] = date.fromisoformat(value) if is_day else value
    for name, value in values.items():
        setattr(post, name, value)
    ensure_fits(session, post, unit, sent=())
    session.flush()
    grants.follow(session, actor, post, unit)


def _forget_holder(session: Session, signin: Signin, post: Appointment) -> None:
    account = grants.account_of(session, post.member_id)
    if account is not None:
        grants.forget_tokens(session, signin, account.id)


def give_grants_of(session: Session, actor: Actor, member_id: UUID) -> None:
    """Grant a new account the roles of the posts its member holds or will hold."""
    held = select(Appointment).where(
        col(Appointment.member_id) == member_id,
        sa.or_(col(Appointment.valid_to).is_(None), col(Appointment.valid_to) >= local_today()),
    )
    for post in session.exec(held.order_by(col(Appointment.id)).with_for_update()).all():
        grants.follow(session, actor, post, unit_of(session, post.unit_id))
