"""Support of households: proposed by one, approved by another, warned of when it is given twice."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import FieldError, Problem, invalid, not_found
from app.models.households.households import Household, HouseholdPerson
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.models.support.support import (
    Support,
    SupportCreate,
    SupportKind,
    SupportQuery,
    SupportRead,
    SupportState,
)
from app.problem_texts import Language
from app.services.households import households
from app.services.identity.second_person import ensure_independent, independent
from app.services.kernel.access import Actor, Db, ensure, require_somewhere, visible
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.offers import Work
from app.services.members import scope as member_scope
from app.services.notices import inbox
from app.services.support import programmes
from app.services.units.units import valid_on

_ADULT = 18
_DAY = timedelta(days=1)
_COLUMNS = [getattr(Support, name) for name in SupportRead.model_fields if name != "masked"]
_HELD = (SupportState.proposed, SupportState.approved)
_NEWEST = Order(col(Support.id).desc())
Warnings = list[dict[str, Any]]

# -- reading


def list_support(db: Db, actor: Actor, query: SupportQuery) -> Pages:
    """Support in my scope, the newest first."""
    here = member_scope.rows(
        db,
        actor,
        [Right.support_read],
        query,
        Support,
        lambda places: places.have(Support.branch_id),
    )
    statement = _read().where(here)
    for name in ("state", "kind"):
        if (wanted := getattr(query, name)) is not None:
            statement = statement.where(col(getattr(Support, name)) == wanted)
    return pages(statement, _NEWEST, each(partial(shown, actor)))


def get_support(db: Db, actor: Actor, support_id: UUID) -> dict[str, Any]:
    """One help in my scope."""
    require_somewhere(db, actor, Right.support_read)
    statement = _read().where(
        col(Support.id) == support_id, visible(Support, actor, Right.support_read)
    )
    row = db.execute(statement).one_or_none()
    if row is None:
        raise not_found()
    return shown(actor, row)


def list_of_household(db: Db, actor: Actor, household_id: UUID) -> Pages:
    """All that a household was given or is to be given, wherever it lived then."""
    households.access(db, actor, household_id, Right.support_read)
    statement = _read().where(col(Support.household_id) == household_id)
    return pages(statement, _NEWEST, each(partial(shown, actor)))


def of_ids(db: Db, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Support as lists have it, in no order; the caller knows that the actor sees it."""
    return [shown(actor, row) for row in db.execute(_read().where(col(Support.id).in_(ids)))]


def _waiting(_: Db, actor: Actor) -> AnySelect:
    """Proposals of others that the actor may approve."""
    return sa.select(
        col(Support.id),
        col(Support.created_at).label("since"),
        col(Support.branch_id).label("unit_id"),
    ).where(
        visible(Support, actor, Right.support_approve),
        col(Support.state) == SupportState.proposed,
        col(Support.proposed_by) != actor.account_id,
    )


WORK = Work(kind="support", right=Right.support_approve, waiting=_waiting, link="/v1/support/{id}")


def _read() -> AnySelect:
    return sa.select(*_COLUMNS, col(Support.province_id), col(Support.commune_id))


def shown(actor: Actor, row: Any) -> dict[str, Any]:
    """Rows as SupportRead; the sponsored child is shown only to those who may see it."""
    item = {name: getattr(row, name) for name in SupportRead.model_fields if name != "masked"}
    hides = item["child_id"] is not None and not actor.covers(Right.support_children, row)
    if hides:
        item |= {"child_id": None, "guardian_consent_on": None, "note": None}
    return item | {"masked": ["child_id", "guardian_consent_on", "note"] if hides else []}


# -- proposing


def propose(
    session: Session, actor: Actor, household_id: UUID, body: SupportCreate
) -> tuple[Support, bool, list[FieldError]]:
    """Propose help for a household; what looks wrong is stored, with a warning."""
    household = households.lock(session, actor, household_id, Right.support_write)
    support, is_new = created_once(
        session,
        Support,
        body.id,
        partial(_proposed, session, actor, household, body),
        same=holds(_sent(household_id, body)),
    )
    if is_new:
        inbox.ask(
            session,
            actor,
            WAITING.name,
            support.id,
            Right.support_approve,
            support.branch_id,
            partial(independent, session, actor.account_id),
        )
    return support, is_new, warnings(session, support)


WAITING = inbox.waiting(
    "support_waits",
    "Đề nghị hỗ trợ chờ duyệt",
    "Proposed support waits for approval",
    "/v1/support?state=proposed",
    sa.select(col(Support.id), col(Support.branch_id).label("waits_for")).where(
        col(Support.state) == SupportState.proposed
    ),
    Right.support_approve,
)


def _sent(household_id: UUID, body: SupportCreate) -> dict[str, Any]:
    """The fields as sent, without those the server filled in."""
    filled_in = {"deprivation"} if body.deprivation is None else set()
    return body.model_dump(exclude={"id"} | filled_in) | {"household_id": household_id}


def _proposed(session: Session, actor: Actor, household: Household, body: SupportCreate) -> Support:
    _ensure_whole(session, household, body)
    now = utc_now()
    support = Support(
        **body.model_dump(exclude={"id"}),
        household_id=household.id,
        province_id=household.province_id,
        commune_id=household.commune_id,
        branch_id=household.branch_id,
        state=SupportState.proposed,
        proposed_by=actor.account_id,
        created_at=now,
        updated_at=now,
    )
    programme = body.programme and programmes.find(body.programme, body.given_on)
    if programme and support.deprivation is None and len(programme.addresses) == 1:
        support.deprivation = programme.addresses[0]
    return support


def _ensure_whole(session: Session, household: Household, body: SupportCreate) -> None:
    """Refuse contradictions that the schema cannot express."""
    if body.programme is not None:
        programme = programmes.find(body.programme, body.given_on)
        if programme is None:
            raise invalid("programme_unknown", "/programme")
        if programme.kind is not body.kind:
            raise invalid("not_in_list", "/kind", allowed=[programme.kind])
    if body.given_on < household.opened_on:
        date_ = household.opened_on.isoformat()
        raise invalid("before_household", "/given_on", date=date_)
    if body.ends_on is not None and body.ends_on < body.given_on:
        raise invalid("dates_reversed", "/ends_on")
    if (body.quantity is None) != (body.quantity_unit is None):
        missing = "quantity" if body.quantity is None else "quantity_unit"
        raise invalid("both_needed", f"/{missing}", expected=("quantity", "quantity_unit"))
    if body.kind is SupportKind.loan:
        for name in ("as_of", "source"):
            if getattr(body, name) is None:
                raise invalid("required", f"/{name}")
    if body.kind is SupportKind.sponsorship:
        _ensure_child(session, household.id, body)
    elif body.child_id is not None:
        raise invalid("not_together", "/child_id", expected="kind")


def _ensure_child(session: Session, household_id: UUID, body: SupportCreate) -> None:
    """A person of the household, under 18 on the day, and the guardian has consented."""
    for name in ("child_id", "guardian_consent_on"):
        if getattr(body, name) is None:
            raise invalid("required", f"/{name}")
    born = session.execute(
        sa.select(sa.func.coalesce(col(HouseholdPerson.birth_date), col(Member.birth_date)))
        .join(Member, col(Member.id) == col(HouseholdPerson.member_id), isouter=True)
        .where(
            col(HouseholdPerson.household_id) == household_id,
            col(HouseholdPerson.person_id) == body.child_id,
            valid_on(HouseholdPerson, body.given_on),
        )
    ).scalar()
    if born is None or not _is_minor(born, body.given_on):
        raise invalid("not_a_child", "/child_id")


def _is_minor(born: str, on: date) -> bool:
    """Of a birth date known to the year (or month) she is a minor for the whole of it."""
    year, *rest = (int(part) for part in born.split("-"))
    month_day = (*rest, 12, 31)[-2:] if not rest else (rest[0], rest[1] if len(rest) > 1 else 31)
    return (on.year - year, (on.month, on.day)) < (_ADULT, tuple(month_day))


# -- what looks wrong


def warnings(session: Session, support: Support) -> list[FieldError]:
    """Given before, not who the programme is for, or against what nobody has found."""
    found = []
    programme = support.programme and programmes.find(support.programme, support.given_on)
    home = programmes.situation(session, support.household_id)
    if programme and (unmet := programmes.lacking(programme, home)):
        found.append(FieldError("body", "/programme", "not_eligible", {"lacking": unmet}))
    known = support.deprivation is not None and home.deprived is not None
    if known and support.deprivation not in (home.deprived or ()):
        found.append(FieldError("body", "/deprivation", "deprivation_not_found"))
    days = programme.repeat_days if programme else programmes.catalogue().double_support_days
    if (earlier := _earlier(session, support, days)) is not None:
        params = {"date": earlier.given_on.isoformat(), "support_id": earlier.id}
        found.append(FieldError("body", "/given_on", "double_support", params))
    return found


def _earlier(session: Session, support: Support, days: int) -> Any:
    """The last other help of the same programme, against the same deprivation or of the same child
    within so many days on either side, by any giver.
    """
    same = [
        col(getattr(Support, name)) == value
        for name in ("programme", "deprivation", "child_id")
        if (value := getattr(support, name)) is not None
    ]
    if not same:
        same = [col(Support.kind) == support.kind]
    span = timedelta(days=days)
    return session.execute(
        sa.select(col(Support.id), col(Support.given_on))
        .where(
            col(Support.household_id) == support.household_id,
            col(Support.id) != support.id,
            col(Support.state).in_(_HELD),
            col(Support.given_on).between(support.given_on - span, support.given_on + span),
            sa.or_(*same),
        )
        .order_by(col(Support.given_on).desc(), col(Support.id).desc())
        .limit(1)
    ).first()


def warnings_of(found: list[FieldError], language: Language) -> Warnings:
    return [
        {
            "code": warning.code,
            "detail": warning.render(language)["detail"],
            "support_id": warning.params.get("support_id"),
        }
        for warning in found
    ]


# -- deciding


def _access(session: Session, actor: Actor, support_id: UUID, right: Right) -> Support:
    support = session.get(Support, support_id, with_for_update=True)
    if support is None:
        require_somewhere(session, actor, Right.support_read)
        raise not_found()
    household = session.execute(
        sa.select(
            col(Household.province_id), col(Household.commune_id), col(Household.branch_id)
        ).where(col(Household.id) == support.household_id)
    ).one()
    ensure(session, actor, right, household, seen_with=Right.support_read)
    return support


def approve(session: Session, actor: Actor, support_id: UUID) -> tuple[Support, list[FieldError]]:
    """Approve the support, by another person than its proposer: it counts from now on."""
    support = _access(session, actor, support_id, Right.support_approve)
    if support.state is SupportState.approved:
        return support, warnings(session, support)
    if support.state is not SupportState.proposed:
        raise _wrong_state(support)
    ensure_independent(
        session, actor, support.proposed_by, Right.support_approve, support.branch_id
    )
    _decide(session, actor, support, SupportState.approved)
    return support, warnings(session, support)


def refuse(session: Session, actor: Actor, support_id: UUID, reason: str) -> Support:
    support = _access(session, actor, support_id, Right.support_approve)
    if support.state is SupportState.refused:
        return support
    if support.state is not SupportState.proposed:
        raise _wrong_state(support)
    support.reason = reason
    _decide(session, actor, support, SupportState.refused)
    return support


def cancel(session: Session, actor: Actor, support_id: UUID) -> Support:
    """It was not given: a proposal is taken back, an approved one by who may approve."""
    support = _access(session, actor, support_id, Right.support_write)
    if support.state is SupportState.cancelled:
        return support
    if support.state is SupportState.approved:
        support = _access(session, actor, support_id, Right.support_approve)
    elif support.state is not SupportState.proposed:
        raise _wrong_state(support)
    _decide(session, actor, support, SupportState.cancelled)
    return support


def _wrong_state(support: Support) -> Problem:
    return Problem("support_state", status=support.state)


def _decide(session: Session, actor: Actor, support: Support, state: SupportState) -> None:
    support.state = state
    support.decided_by = actor.account_id
    support.decided_at = utc_now()
    session.flush()


def carry(session: Session, branch_ids: Sequence[int], carried: Mapping[str, int | None]) -> None:
    """Support in a branch is managed by the present officers of the branch."""
    session.execute(
        sa.update(Support).where(col(Support.branch_id).in_(branch_ids)).values(**carried),
        execution_options={"synchronize_session": False},
    )
