"""Reviews of poor and near-poor households: when they are, who is to be looked at, how far it is."""

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.data_files import DATA, load
from app.db import AnySelect
from app.errors import invalid
from app.models.households.households import Household, PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.poverty.flows import PovertyStay
from app.models.poverty.poverty import AssessedClass, Assessment, PovertyStatus
from app.models.poverty.work import (
    CampaignKind,
    CampaignQuery,
    CampaignRead,
    CoverageQuery,
    CoverageRead,
    Missing,
    ReviewFile,
    WorklistQuery,
    WorkRead,
)
from app.services.kernel import working_days
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.keyset import Order, Pages, fields_of, in_memory, pages
from app.services.kernel.offers import Work
from app.services.kernel.reach import within
from app.services.kernel.working_days import WorkingDays
from app.services.members import scope as member_scope
from app.services.units.units import valid_on

_FILE = DATA / "campaigns" / "reviews.yaml"
_BELOW = (PovertyClass.poor, PovertyClass.near_poor)
_LAST_YEAR = 2200


@cache
def _rules() -> ReviewFile:
    return ReviewFile.model_validate(load(_FILE))


def find(db: Db, campaign: str) -> CampaignRead:
    """`2026` is the yearly review of a year, `2026-09` the monthly one."""
    unknown = invalid("campaign_unknown", "/campaign", place="path")
    year, _, month = campaign.partition("-")
    try:
        day = date(int(year), int(month or 1), 1)
    except ValueError as error:
        raise unknown from error
    if day.year > _LAST_YEAR:
        raise unknown
    if campaign not in (f"{day.year:04d}", f"{day.year:04d}-{day.month:02d}"):
        raise unknown
    return _monthly(day, working_days.of(db)) if month else _yearly(day.year)


def _yearly(year: int) -> CampaignRead:
    rules = _rules().yearly
    opens, closes, decided_by = (
        date(year, each.month, each.day) for each in (rules.opens, rules.closes, rules.decided_by)
    )
    return _read(f"{year:04d}", CampaignKind.yearly, opens, closes, decided_by)


def _monthly(month: date, calendar: WorkingDays) -> CampaignRead:
    rules = _rules().monthly
    opens = month.replace(day=rules.opens_day)
    closes = calendar.last_of(opens, rules.working_days)
    return _read(f"{month:%Y-%m}", CampaignKind.monthly, opens, closes, closes)


def _read(
    id_: str, kind: CampaignKind, opens: date, closes: date, decided_by: date
) -> CampaignRead:
    rules = _rules()
    return CampaignRead(
        id=id_,
        kind=kind,
        opens_on=opens,
        closes_on=closes,
        decided_by=decided_by,
        source=rules.source,
        confirmed=rules.confirmed,
        unconfirmed=rules.unconfirmed,
    )


def list_campaigns(db: Db, query: CampaignQuery) -> Pages:
    """The yearly review of a year, then its monthly ones."""
    year, calendar = query.year or local_today().year, working_days.of(db)
    months = (date(year, month, 1) for month in range(1, 13))
    all_ = [_yearly(year), *(_monthly(month, calendar) for month in months)]
    return in_memory(((campaign.id,), campaign.model_dump()) for campaign in all_)


# -- who is under review


def _under_review(campaign: CampaignRead, here: sa.ColumnElement[bool]) -> AnySelect:
    """Households with what was found and decided in this round: other rounds change nothing in it."""
    today = local_today()
    was_in_poverty = sa.exists().where(
        col(PovertyStay.household_id) == col(Household.id),
        valid_on(PovertyStay, min(campaign.opens_on, today)),
    )
    ends_on = min(campaign.decided_by, today)
    assessed = _assessed_in(campaign)
    decided = _decided_in(campaign)
    stood = (
        sa.select(col(PovertyStatus.poverty_class))
        .where(
            col(PovertyStatus.household_id) == col(Household.id),
            col(PovertyStatus.annulled_on).is_(None),
            valid_on(PovertyStatus, ends_on),
        )
        .correlate(Household)
        .scalar_subquery()
    )
    found = sa.cast(assessed(Assessment.poverty_class), sa.String).label("assessed_class")
    recognised = sa.cast(
        sa.func.coalesce(decided(PovertyStatus.poverty_class), stood), sa.String
    ).label("poverty_status")
    lives = sa.or_(col(Household.closed_on).is_(None), col(Household.closed_on) >= ends_on)
    rows = (
        sa.select(
            col(Household.id).label("household_id"),
            col(Household.head_name),
            col(Household.branch_id),
            col(Household.sort_key),
            recognised,
            found,
            assessed(Assessment.assessed_on).label("assessed_on"),
            decided(PovertyStatus.decided_on).label("decided_on"),
            sa.type_coerce(was_in_poverty, sa.Boolean).label("was_in_poverty"),
        )
        .where(here, lives)
        .subquery("found")
    )
    is_assessed = rows.c.assessed_on.is_not(None)
    return sa.select(
        rows,
        is_assessed.label("assessed"),
        sa.type_coerce(_differs(rows), sa.Boolean).label("differs"),
    ).where(sa.or_(rows.c.was_in_poverty, is_assessed))


def _assessed_in(campaign: CampaignRead) -> Callable[[Any], Any]:
    """A column of the last assessment of the round that nobody has corrected."""
    correction = aliased(Assessment)

    def column(wanted: Any) -> Any:
        return (
            sa.select(col(wanted))
            .where(
                col(Assessment.household_id) == col(Household.id),
                col(Assessment.assessed_on).between(campaign.opens_on, campaign.closes_on),
                ~sa.exists().where(col(correction.corrects_id) == col(Assessment.id)),
            )
            .order_by(col(Assessment.assessed_on).desc(), col(Assessment.id).desc())
            .limit(1)
            .correlate(Household)
            .scalar_subquery()
        )

    return column


def _decided_in(campaign: CampaignRead) -> Callable[[Any], Any]:
    """A column of the last decision of the round."""

    def column(wanted: Any) -> Any:
        return (
            sa.select(col(wanted))
            .where(
                col(PovertyStatus.household_id) == col(Household.id),
                col(PovertyStatus.annulled_on).is_(None),
                col(PovertyStatus.decided_on).between(campaign.opens_on, campaign.decided_by),
            )
            .order_by(col(PovertyStatus.decided_on).desc(), col(PovertyStatus.id).desc())
            .limit(1)
            .correlate(Household)
            .scalar_subquery()
        )

    return column


def _differs(rows: Any) -> sa.ColumnElement[bool]:
    """Poor, near-poor or neither, by what was found and by what is recognised."""
    found, recognised = rows.c.assessed_class, rows.c.poverty_status
    below = [each.value for each in _BELOW]
    above = [AssessedClass.average.value, AssessedClass.not_poor.value]
    differing = [
        sa.and_(found == each, sa.or_(recognised.is_(None), recognised != each)) for each in below
    ]
    return sa.and_(
        found.is_not(None), sa.or_(*differing, sa.and_(found.in_(above), recognised.in_(below)))
    )


def _missing(rows: Any) -> Any:
    return sa.case(
        (~rows.c.assessed, Missing.assessment.value),
        (rows.c.decided_on.is_(None), Missing.decision.value),
        (rows.c.differs, Missing.agreement.value),
        else_=Missing.nothing.value,
    )


def _here(db: Db, actor: Actor, unit: int | None) -> sa.ColumnElement[bool]:
    return within(Household, member_scope.asked(db, actor, [Right.poverty_read], unit))


def worklist(db: Db, actor: Actor, campaign_id: str, query: WorklistQuery) -> Pages:
    """Households to be reviewed, by the name of the head, with what each still needs."""
    campaign = find(db, campaign_id)
    rows = _under_review(campaign, _here(db, actor, query.unit)).subquery("reviewed")
    missing = _missing(rows)
    statement: AnySelect = sa.select(
        rows, missing.label("missing"), sa.literal(campaign.closes_on).label("closes_on")
    )
    if query.missing is not None:
        statement = statement.where(missing == query.missing.value)
    order = Order(rows.c.sort_key, rows.c.household_id)
    return pages(statement, order, fields_of(WorkRead))


def _waiting(db: Db, actor: Actor) -> AnySelect:
    """Households under a review of these days, and not reviewed yet."""
    today = local_today()
    campaigns = (_yearly(today.year), _monthly(today.replace(day=1), working_days.of(db)))
    open_now = [each for each in campaigns if each.opens_on <= today <= each.decided_by]
    here = visible(Household, actor, Right.poverty_write)
    found = []
    for campaign in open_now:
        rows = _under_review(campaign, here).subquery()
        found.append(
            sa.select(
                rows.c.household_id, sa.literal(campaign.opens_on, sa.Date), rows.c.branch_id
            ).where(_missing(rows) != Missing.nothing.value)
        )
    if not found:
        nobody = sa.select(col(Household.id), sa.literal(today, sa.Date), col(Household.branch_id))
        found = [nobody.where(sa.false())]
    each = sa.union_all(*found).subquery()
    id_, since, unit_id = each.c
    columns = (id_.label("id"), sa.func.min(since).label("since"), unit_id.label("unit_id"))
    return sa.select(*columns).group_by(id_, unit_id)


WORK = Work(kind="review", right=Right.poverty_write, waiting=_waiting, link="/v1/households/{id}")


def coverage(db: Db, actor: Actor, campaign_id: str, query: CoverageQuery) -> Pages:
    """How far each branch of a unit is, by name; one without a household to review is left out."""
    campaign = find(db, campaign_id)
    rows = _under_review(campaign, _here(db, actor, query.unit)).subquery("reviewed")

    def number(wanted: Any) -> Any:
        return sa.func.coalesce(sa.func.sum(sa.case((wanted, 1), else_=0)), 0)

    statement = (
        sa.select(
            rows.c.branch_id,
            col(Unit.name).label("branch_name"),
            col(Unit.sort_key),
            sa.func.count().label("to_review"),
            number(rows.c.assessed).label("assessed"),
            number(rows.c.decided_on.is_not(None)).label("decided"),
            number(rows.c.differs).label("disagreeing"),
            sa.literal(campaign.closes_on).label("closes_on"),
        )
        .join(Unit, col(Unit.id) == rows.c.branch_id)
        .group_by(rows.c.branch_id, col(Unit.name), col(Unit.sort_key))
    )
    order = Order(col(Unit.sort_key), rows.c.branch_id)
    return pages(statement, order, fields_of(CoverageRead))
