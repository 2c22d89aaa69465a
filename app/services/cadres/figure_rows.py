"""What figures count of cadres: the posts that are held on a day, and the expected ones that are not."""

from typing import Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.cadres.appointments import Appointment
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.cadres.lists import vacant_on
from app.services.kernel.offers import Day, FigureRows
from app.services.units.units import valid_on


def _held(_: Day, last: Day) -> AnySelect:
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


def _vacant(_: Day, last: Day) -> AnySelect:
    vacant = vacant_on(
        last,
        col(Unit.id).label("unit_id"),
        col(Unit.id).label("key"),
        sa.literal(None, sa.Date).label("day"),
        col(Unit.name).label("title"),
    )
    return vacant.add_columns(vacant.selected_columns["rank"].label("row_id"))


FIGURES: Final = (
    FigureRows(
        name="held",
        entity="member",
        right=Right.appointments_read,
        select=_held,
        rolled_up={"appointment": None},
    ),
    FigureRows(
        name="vacant",
        entity="unit",
        right=Right.appointments_read,
        select=_vacant,
        rolled_up={"appointment": None, "unit": None},
    ),
)
