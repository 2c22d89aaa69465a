"""What figures count of cadres: the posts that are held on a day, and the expected ones that are not."""

from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.cadres.appointments import Appointment
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.cadres.lists import vacant_on
from app.services.kernel.offers import FigureRows
from app.services.units.units import valid_on


def _held(_: date, last: date) -> AnySelect:
    return (
        sa.select(
            col(Appointment.unit_id),
            col(Appointment.member_id).label("key"),
            col(Appointment.id).label("row_id"),
            col(Appointment.valid_from).label("day"),
            col(Member.full_name).label("title"),
            col(Appointment.post),
            col(Appointment.payment),
        )
        .join(Member, col(Member.id) == col(Appointment.member_id))
        .where(valid_on(Appointment, last))
    )


def _vacant(_: date, last: date) -> AnySelect:
    rows = vacant_on(last, col(Unit.id).label("unit_id"), col(Unit.name).label("title")).subquery(
        "vacant"
    )
    return sa.select(
        rows.c.unit_id,
        rows.c.unit_id.label("key"),
        rows.c.rank.label("row_id"),
        sa.literal(None, sa.Date).label("day"),
        rows.c.title,
    )


FIGURES: Final = (
    FigureRows(name="held", entity="member", right=Right.appointments_read, select=_held),
    FigureRows(name="vacant", entity="unit", right=Right.appointments_read, select=_vacant),
)
