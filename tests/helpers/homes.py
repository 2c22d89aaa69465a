"""Households with their decisions, arranged directly, for tests of what follows from them."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import Database
from app.models.base import new_id
from app.models.households.households import (
    Household,
    HouseholdPerson,
    HouseholdPlace,
    PovertyClass,
    Relation,
)
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit
from app.models.members.members import Gender
from app.models.poverty.poverty import (
    AssessedClass,
    Assessment,
    AssessmentSource,
    PovertyStatus,
    StatusChange,
)
from app.services.kernel import changes

DAY = timedelta(days=1)
OPENED = date(2020, 1, 1)


def attributed(session: Session) -> Session:
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    return session


def home(
    database: Database,
    branch_id: int,
    *,
    people: int = 3,
    woman: bool = True,
    opened_on: date = OPENED,
    child_born: str | None = None,
    **more: Any,
) -> UUID:
    """A household of so many people; the last of them is the child, if its birth is given."""
    now = utc_now()
    with database.writing() as session:
        attributed(session)
        branch = session.get_one(Unit, branch_id)
        assert branch.province_id is not None
        household = Household(
            province_id=branch.province_id,
            commune_id=branch.commune_id,
            branch_id=branch_id,
            head_id=new_id(),
            head_name="Nguyễn Thị Hoa",
            sort_key="hoa",
            search_key=" nguyen thi hoa",
            female_headed=woman,
            person_count=people,
            opened_on=opened_on,
            created_at=now,
            updated_at=now,
            **more,
        )
        session.add(household)
        session.flush()
        session.add(
            HouseholdPlace(
                household_id=household.id,
                valid_from=opened_on,
                branch_id=branch_id,
                province_id=branch.province_id,
            )
        )
        for number in range(people):
            head = number == 0
            session.add(
                HouseholdPerson(
                    household_id=household.id,
                    person_id=household.head_id if head else new_id(),
                    province_id=household.province_id,
                    full_name=f"Nguyễn Thị {number}",
                    birth_date=child_born if number == people - 1 else "1980",
                    gender=Gender.female if woman or not head else Gender.male,
                    relation=Relation.head if head else Relation.child,
                    valid_from=opened_on,
                    created_at=now,
                    updated_at=now,
                )
            )
        session.flush()
        return household.id


def decide(
    database: Database,
    household_id: UUID,
    class_: str,
    since: str,
    *,
    causes: tuple[str, ...] = (),
    change: StatusChange = StatusChange.none,
) -> UUID:
    """A decision from a day on; the one before ends the day before."""
    now, first = utc_now(), date.fromisoformat(since)
    with database.writing() as session:
        attributed(session)
        household = session.get_one(Household, household_id)
        before = session.exec(
            select(PovertyStatus).where(
                col(PovertyStatus.household_id) == household_id,
                col(PovertyStatus.valid_to).is_(None),
                col(PovertyStatus.annulled_on).is_(None),
            )
        ).one_or_none()
        if before is not None:
            before.valid_to = first - DAY
            session.flush()
        household.poverty_class, household.poverty_since = PovertyClass(class_), first
        status = PovertyStatus(
            household_id=household_id,
            province_id=household.province_id,
            commune_id=household.commune_id,
            branch_id=household.branch_id,
            poverty_class=PovertyClass(class_),
            change=change,
            decision_number="1/QĐ-UBND",
            decided_on=first,
            valid_from=first,
            standard="nd07-2021",
            causes=list(causes),
            created_at=now,
            updated_at=now,
        )
        session.add(status)
        session.flush()
        return status.id


def assess(
    database: Database, household_id: UUID, deprived: list[str], on: str, class_: str = "poor"
) -> UUID:
    """A visit of the union that found these deprivations."""
    now = utc_now()
    with database.writing() as session:
        attributed(session)
        household = session.get_one(Household, household_id)
        household.assessed_class, household.assessed_on = class_, date.fromisoformat(on)
        assessment = Assessment(
            household_id=household_id,
            province_id=household.province_id,
            commune_id=household.commune_id,
            branch_id=household.branch_id,
            standard="nd07-2021",
            rule_version="nd07-2021/1",
            assessed_on=date.fromisoformat(on),
            answers=dict.fromkeys(deprived, True),
            source=AssessmentSource.union_visit,
            witnesses=[],
            evidence=[],
            poverty_class=AssessedClass(class_),
            deprived=deprived,
            result={},
            created_at=now,
            updated_at=now,
        )
        session.add(assessment)
        session.flush()
        return assessment.id


def move(database: Database, household_id: UUID, branch_id: int, since: str) -> None:
    first = date.fromisoformat(since)
    with database.writing() as session:
        attributed(session)
        branch = session.get_one(Unit, branch_id)
        assert branch.province_id is not None
        session.execute(
            sa.update(HouseholdPlace)
            .where(
                col(HouseholdPlace.household_id) == household_id,
                col(HouseholdPlace.valid_to).is_(None),
            )
            .values(valid_to=first - DAY)
        )
        session.add(
            HouseholdPlace(
                household_id=household_id,
                valid_from=first,
                branch_id=branch_id,
                province_id=branch.province_id,
            )
        )
        household = session.get_one(Household, household_id)
        household.branch_id, household.commune_id = branch_id, branch.commune_id
        session.flush()
