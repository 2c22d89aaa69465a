"""Reviews of poor and near-poor households: when they are, who is to be looked at, how far it is."""

from datetime import date, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
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
from app.services.kernel.access import Actor, Db, within
from app.services.kernel.keyset import Order, Pages, fields_of, in_memory, pages
from app.services.members import scope as member_scope
from app.services.units.units import valid_on

_FILE = DATA / "campaigns" / "reviews.yaml"
_DAY = timedelta(days=1)
_BELOW = (PovertyClass.poor, PovertyClass.near_poor)
_SATURDAY = 5
_LAST_YEAR = 2200


@cache
def _rules() -> ReviewFile:
    return ReviewFile.model_validate(load(_FILE))


def find(campaign: str) -> CampaignRead:
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
    return _monthly(day) if month else _yearly(day.year)


def _yearly(year: int) -> CampaignRead:
    rules = _rules()
    opens, closes = rules.yearly.opens, rules.yearly.closes
    return _read(
        f"{year:04d}",
        CampaignKind.yearly,
        date(year, opens.month, opens.day),
        date(year, closes.month, closes.day),
    )


def _monthly(month: date) -> CampaignRead:
    rules = _rules().monthly
    opens = month.replace(day=rules.opens_day)
    closes, left = opens, rules.working_days
    while left:
        # Holidays are not known here: the result is the earliest possible end.
        left -= closes.weekday() < _SATURDAY
        closes += _DAY
    return _read(f"{month:%Y-%m}", CampaignKind.monthly, opens, closes - _DAY)


def _read(id_: str, kind: CampaignKind, opens: date, closes: date) -> CampaignRead:
    rules = _rules()
    return CampaignRead(
        id=id_,
        kind=kind,
        opens_on=opens,
        closes_on=closes,
        source=rules.source,
        confirmed=rules.confirmed,
    )


def list_campaigns(query: CampaignQuery) -> Pages:
    """The yearly review of a year, then its monthly ones."""
    year = query.year or local_today().year
    all_ = [_yearly(year), *(_monthly(date(year, month, 1)) for month in range(1, 13))]
    return in_memory(((campaign.id,), campaign.model_dump()) for campaign in all_)


# -- who is under review

_recognised, _assessed = col(Household.poverty_class), col(Household.assessed_class)
_DIFFERS = sa.or_(
    *(sa.and_(_assessed == each.value, _recognised.is_distinct_from(each)) for each in _BELOW),
    sa.and_(
        _assessed.in_([AssessedClass.average.value, AssessedClass.not_poor.value]),
        _recognised.in_(_BELOW),
    ),
)


def _under_review(campaign: CampaignRead, here: sa.ColumnElement[bool]) -> AnySelect:
    """Households with whether each was assessed and decided on since the campaign opened."""
    was_in_poverty = sa.exists().where(
        col(PovertyStay.household_id) == col(Household.id),
        valid_on(PovertyStay, min(campaign.opens_on, local_today())),
    )
    assessed = sa.exists().where(
        col(Assessment.household_id) == col(Household.id),
        col(Assessment.assessed_on).between(campaign.opens_on, campaign.closes_on),
    )
    decided_on = (
        sa.select(sa.func.max(col(PovertyStatus.decided_on)))
        .where(
            col(PovertyStatus.household_id) == col(Household.id),
            col(PovertyStatus.annulled_on).is_(None),
            col(PovertyStatus.decided_on) >= campaign.opens_on,
        )
        .correlate(Household)
        .scalar_subquery()
    )
    return sa.select(
        col(Household.id).label("household_id"),
        col(Household.head_name),
        col(Household.branch_id),
        col(Household.sort_key),
        _recognised.label("poverty_status"),
        _assessed.label("assessed_class"),
        col(Household.assessed_on),
        decided_on.label("decided_on"),
        sa.type_coerce(assessed, sa.Boolean).label("assessed"),
        sa.type_coerce(_DIFFERS, sa.Boolean).label("differs"),
    ).where(here, col(Household.closed_on).is_(None), sa.or_(was_in_poverty, assessed))


def _missing(rows: Any) -> Any:
    return sa.case(
        (~rows.c.assessed, Missing.assessment.value),
        (rows.c.decided_on.is_(None), Missing.decision.value),
        (rows.c.differs, Missing.agreement.value),
        else_=Missing.nothing.value,
    )


def _here(db: Db, actor: Actor, unit: int | None) -> sa.ColumnElement[bool]:
    scope = member_scope.held(db, actor, [Right.poverty_read])
    if unit is not None:
        scope = member_scope.narrowed(db, actor, scope, unit, "/unit")
    return within(Household, scope)


def worklist(db: Db, actor: Actor, campaign_id: str, query: WorklistQuery) -> Pages:
    """Households to be reviewed, by the name of the head, with what each still needs."""
    campaign = find(campaign_id)
    rows = _under_review(campaign, _here(db, actor, query.unit)).subquery("reviewed")
    missing = _missing(rows)
    statement: AnySelect = sa.select(
        rows, missing.label("missing"), sa.literal(campaign.closes_on).label("closes_on")
    )
    if query.missing is not None:
        statement = statement.where(missing == query.missing.value)
    order = Order(rows.c.sort_key, rows.c.household_id)
    return pages(statement, order, fields_of(WorkRead))


def coverage(db: Db, actor: Actor, campaign_id: str, query: CoverageQuery) -> Pages:
    """How far each branch of a unit is, by name; one without a household to review is left out."""
    campaign = find(campaign_id)
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
