"""Assessments of households: made under the standard of the day, never changed, corrected by a new one."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import AnySelect
from app.errors import Problem, invalid, not_found
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.kernel.units import AreaType
from app.models.poverty.poverty import Assessment, AssessmentCreate, AssessmentRead
from app.services.households import households
from app.services.households.line import show_assessment
from app.services.kernel.access import Actor, Db, ensure, require_somewhere
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.poverty import standards
from app.services.poverty.classification import Classified, Facts, Rules, classify
from app.services.poverty.standards import Catalogue, province_code

# -- reading

_Correction = aliased(Assessment)
_OF_RESULT = ("reasons", "missing", "possible")
_COMPUTED = {"class": "poverty_class"} | dict.fromkeys(_OF_RESULT, "result")
READ: AnySelect = sa.select(
    *(
        col(_Correction.id).label(name)
        if name == "corrected_by"
        else getattr(Assessment, _COMPUTED.get(name, name)).label(name)
        for name in AssessmentRead.model_fields
    )
).join(_Correction, col(_Correction.corrects_id) == col(Assessment.id), isouter=True)


def list_assessments(db: Db, actor: Actor, household_id: UUID) -> Pages:
    """What was found at a household, the newest first; what was corrected is named so."""
    households.access(db, actor, household_id, Right.poverty_read)
    statement = READ.where(col(Assessment.household_id) == household_id)
    return pages(statement, _NEWEST, each(shown))


_NEWEST = Order(col(Assessment.assessed_on).desc(), col(Assessment.id).desc())


def get_assessment(db: Db, actor: Actor, assessment_id: UUID) -> dict[str, Any]:
    row = db.execute(READ.where(col(Assessment.id) == assessment_id)).one_or_none()
    if row is None:
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    households.access(db, actor, row.household_id, Right.poverty_read)
    return shown(row)


def of_ids(db: Db, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Assessments as lists have them, in no order; the caller knows that the actor sees them."""
    return [shown(row) for row in db.execute(READ.where(col(Assessment.id).in_(ids)))]


def shown(row: Any) -> dict[str, Any]:
    return dict(row._mapping) | {name: row.reasons[name] for name in _OF_RESULT}


def last_assessment(household_id: Any) -> sa.Select[Any]:
    """The id of the last assessment of a household that no other corrects."""
    later = aliased(Assessment)
    return (
        sa.select(col(Assessment.id))
        .where(
            col(Assessment.household_id) == household_id,
            ~sa.exists().where(col(later.corrects_id) == col(Assessment.id)),
        )
        .order_by(col(Assessment.assessed_on).desc(), col(Assessment.id).desc())
        .limit(1)
    )


def deprived_of(db: Db, household_id: UUID) -> frozenset[str] | None:
    """What the last assessment found; None where there is none."""
    deprived = db.execute(
        sa.select(col(Assessment.deprived)).where(
            col(Assessment.id) == last_assessment(household_id).scalar_subquery()
        )
    ).scalar()
    return None if deprived is None else frozenset(deprived)


# -- writing


def create(
    session: Session,
    actor: Actor,
    household_id: UUID,
    body: AssessmentCreate,
) -> tuple[Assessment, bool]:
    """Keep what was found and what the standard makes of it. Sent twice with an id it is one."""
    household = households.lock(session, actor, household_id, Right.poverty_write)
    ensure(session, actor, Right.poverty_read, household, seen_with=Right.members_read)
    assessment, is_new = created_once(
        session,
        Assessment,
        body.id,
        partial(_assessed, session, actor, household, body),
        same=holds(_sent(household_id, body)),
    )
    if is_new:
        settle(session, household)
    return assessment, is_new


def _sent(household_id: UUID, body: AssessmentCreate) -> dict[str, Any]:
    """The fields as sent, without those the server filled in."""
    filled_in = {name for name in ("standard", "area_type") if getattr(body, name) is None}
    return body.model_dump(exclude={"id"} | filled_in) | {"household_id": household_id}


def _assessed(
    session: Session,
    actor: Actor,
    household: Household,
    body: AssessmentCreate,
) -> Assessment:
    place = _place(session, household, body.assessed_on)
    province = province_code(session, place.province_id, body.assessed_on)
    rules = _rules(standards.of(session), body, province)
    area = body.area_type or place.area_type
    _ensure_answers(rules, body, area)
    found = classify(rules, facts_of(rules, area, body))
    if body.corrects_id is not None:
        _ensure_correctable(session, household.id, body.corrects_id)
    assessment = _made(actor, household.id, body, rules, found)
    assessment.province_id = place.province_id
    assessment.commune_id, assessment.branch_id = place.commune_id, place.branch_id
    assessment.area_type = area
    return assessment


def _place(session: Session, household: Household, day: date) -> households.PlaceOn:
    """Where it stood on the day; 422 before it existed, 409 after it was no more."""
    if day < household.opened_on:
        raise invalid("before_household", "/assessed_on", date=household.opened_on.isoformat())
    if household.closed_on is not None and day > household.closed_on:
        raise Problem("household_closed", closed_on=household.closed_on.isoformat())
    place = households.place_on(session, household.id, day)
    assert place is not None  # noqa: S101  # places follow each other from the first day on
    return place


def _rules(catalogue: Catalogue, body: AssessmentCreate, province: str | None) -> Rules:
    if body.standard is None:
        return catalogue.on(body.assessed_on, province)
    rules = catalogue.find(body.standard, body.assessed_on, province)
    if rules is None:
        raise invalid("standard_unknown", "/standard")
    if not rules.standard.judges(body.assessed_on):
        raise invalid("standard_not_in_force", "/standard", standard=rules.standard.words())
    return rules


def _ensure_answers(rules: Rules, body: AssessmentCreate, area: AreaType | None) -> None:
    standard = rules.standard
    for code in body.answers:
        if code not in rules.codes:
            raise invalid(
                "indicator_unknown",
                f"/answers/{code}",
                standard=standard.words(),
                expected=[indicator.words() for indicator in standard.indicators],
            )
    if body.b2_points is not None:
        _ensure_total(rules, body, body.b2_points)
    if body.income_points is None:
        return
    if body.income_per_person is not None:
        raise invalid("not_together", "/income_points", expected="income_per_person")
    if area is not None and not standard.point_lines.get(area):
        raise invalid("no_points", "/income_points", standard=standard.words())


def _ensure_total(rules: Rules, body: AssessmentCreate, total: int) -> None:
    """The official total fits the standard, and what is answered beside it."""
    step, most = rules.points_each, rules.points_each * len(rules.codes)
    if not step:
        raise invalid("no_points", "/b2_points", standard=rules.standard.words())
    deprived = sum(answer is True for answer in body.answers.values())
    known = sum(answer is not None for answer in body.answers.values())
    least, greatest = deprived * step, most - (known - deprived) * step
    if total % step or not least <= total <= greatest:
        raise invalid("total_points_wrong", "/b2_points", step=step, least=least, most=greatest)


def facts_of(rules: Rules, area: AreaType | None, found: Any) -> Facts:
    """What was found (an assessment, or one that is sent), for these rules. The official total B2 is
    a number of deprivations by the standard it was taken with."""
    own = found.b2_points is not None and found.standard in (None, rules.standard.id)
    deprived = found.b2_points // rules.points_each if own else None
    return Facts(area, found.income_per_person, found.income_points, found.answers, deprived)


def _ensure_correctable(session: Session, household_id: UUID, assessment_id: UUID) -> None:
    old = session.get(Assessment, assessment_id)
    if old is None or old.household_id != household_id:
        raise invalid("assessment_unknown", "/corrects_id")
    corrected = select(Assessment.id).where(col(Assessment.corrects_id) == assessment_id)
    if session.exec(corrected).first() is not None:
        raise Problem("assessment_corrected")


def _made(
    actor: Actor, household_id: UUID, body: AssessmentCreate, rules: Rules, found: Classified
) -> Assessment:
    now = utc_now()
    return Assessment(
        **body.model_dump(exclude={"id", "standard", "area_type"}),
        household_id=household_id,
        standard=rules.standard.id,
        rule_version=found.rule_version,
        poverty_class=found.class_,
        deprived=list(found.deprived),
        result={
            "reasons": list(found.reasons),
            "missing": list(found.missing),
            "possible": [each.value for each in found.possible],
        },
        account_id=actor.account_id,
        created_at=now,
        updated_at=now,
    )


def withdraw(session: Session, assessment_id: UUID) -> None:
    """An assessment that was entered by mistake, and that nothing refers to, never was."""
    assessment = session.get_one(Assessment, assessment_id)
    household = households.hold(session, assessment.household_id)
    session.delete(assessment)
    session.flush()
    if household is not None:
        settle(session, household)


def settle(session: Session, household: Household) -> None:
    """The household's line shows its last assessment that nobody has corrected."""
    last = session.execute(
        sa.select(col(Assessment.poverty_class), col(Assessment.assessed_on)).where(
            col(Assessment.id) == last_assessment(household.id).scalar_subquery()
        )
    ).one_or_none()
    if last is None:
        show_assessment(household, None, None)
    else:
        show_assessment(household, last.poverty_class.value, last.assessed_on)
    session.flush()


def read(session: Session, assessment: Assessment) -> dict[str, Any]:
    """An assessment just written, as AssessmentRead."""
    return shown(session.execute(READ.where(col(Assessment.id) == assessment.id)).one())
