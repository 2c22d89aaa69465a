"""Who may be in a post, and on which days."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.errors import FieldError, Problem, invalid
from app.models.cadres.appointments import (
    POSTS,
    Appointment,
    Post,
)
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.problem_texts import ProblemCode
from app.services.kernel.access import Actor, Db
from app.services.units.units import ensure_open


def ensure_fits(db: Db, post: Appointment, unit: Unit, *, sent: Iterable[str]) -> None:
    """The post exists at the unit's level, its days are in order, and it is free on them.

    `sent` are the fields the client named: a fault in a date is shown where it came from.
    """
    facts = POSTS[post.post]
    if unit.level not in facts.levels:
        expected = [level for level in type(unit.level) if level in facts.levels]
        raise invalid("post_level_wrong", "/post", expected=expected)
    if post.term_from and post.term_to and post.term_to <= post.term_from:
        raise invalid("dates_reversed", "/term/ends_on")
    if post.valid_to is not None and post.valid_to < post.valid_from:
        if "valid_to" in sent:
            raise invalid("dates_reversed", "/valid_to")
        raise invalid("dates_reversed", "/term/ends_on" if "term" in sent else "/valid_from")
    ensure_open(unit, post.valid_from)
    if unit.closed_on is not None:
        ensure_open(unit, post.valid_to or date.max)
    _ensure_free(db, post, unit, single=facts.single)


def ensure_not_own(actor: Actor, post: Appointment, unit: Unit) -> None:
    """Nobody gives themselves a post or more days in it, except by a right over a unit above, which
    no grant of that very post is.
    """
    if post.member_id != actor.member_id:
        return
    above = any(
        Right.appointments_write in grant.rights
        and grant.unit_id != unit.id
        and grant.reach.contains(unit)
        for grant in actor.grants
    )
    if not above:
        raise Problem("own_appointment")


def _ensure_free(db: Db, post: Appointment, unit: Unit, *, single: bool) -> None:
    """A single post has one holder at a time, acting or not; nobody holds the same post twice."""
    last_day = post.valid_to or date.max
    others = db.execute(
        sa.select(
            col(Appointment.id),
            col(Appointment.member_id),
            col(Appointment.valid_from),
            col(Member.full_name),
        )
        .join(Member, col(Member.id) == col(Appointment.member_id))
        .where(
            col(Appointment.unit_id) == post.unit_id,
            col(Appointment.post) == post.post,
            col(Appointment.id) != post.id,
            col(Appointment.valid_from) <= last_day,
            sa.or_(
                col(Appointment.valid_to).is_(None),
                sa.and_(
                    col(Appointment.valid_to) >= post.valid_from,
                    # One that was never held is in nobody's way.
                    col(Appointment.valid_to) >= col(Appointment.valid_from),
                ),
            ),
        )
        .order_by(col(Appointment.valid_from), col(Appointment.id))
    ).all()
    for other in others:
        if other.member_id == post.member_id:
            raise _taken("already_in_post", other, post.post, unit)
    if single and others:
        raise _taken("post_taken", others[0], post.post, unit)


def _taken(code: ProblemCode, other: Any, post: Post, unit: Unit) -> Problem:
    return Problem(
        code,
        holder=other.full_name,
        post={"vi": POSTS[post].vi, "en": post.value},
        unit=unit.name,
        since=other.valid_from.isoformat(),
        errors=[FieldError("body", "/post", "state_conflict")],
        extra={"appointment_id": str(other.id)},
    )
