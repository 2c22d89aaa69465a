"""What an erasure does to the log of households that somebody headed once: they go by another name
today, and their log must not keep hers."""

from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.households.households import HouseholdPerson, Relation
from app.models.kernel.changes import Change
from app.services.kernel import log_wiping
from app.services.kernel.holdings import Forgotten, Person
from app.services.kernel.log_wiping import Side


def forget_each(session: Session, person: Person) -> Forgotten:
    """Leave the person's name out of the changes of those households."""
    headed = sa.select(col(HouseholdPerson.household_id)).where(
        col(HouseholdPerson.member_id).in_(person.all_ids),
        col(HouseholdPerson.relation) == Relation.head,
    )
    ids = [str(each) for each in session.execute(headed.distinct()).scalars()]
    kept = partial(_without_name, person)
    return {Change: log_wiping.rewrite(session, "household", ids, kept)}


def _without_name(person: Person, side: Side) -> Side:
    named = side is not None and side.get("head_name") in person.names
    return {**side, "head_name": None} if side is not None and named else side
