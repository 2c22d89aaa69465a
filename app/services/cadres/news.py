"""What followers of the feed read of cadres."""

from sqlmodel import col

from app.models.cadres.appointments import Appointment, AppointmentState
from app.models.cadres.trainings import Training, TrainingRead
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.kernel.offers import News, NewsKind
from app.services.members.news import ABOUT_HER, of_member

NEWS = News(
    kinds=(
        NewsKind(
            entity="appointment",
            schema=AppointmentState,
            place=Unit,
            joined=lambda rows: rows.join(Unit, col(Unit.id) == col(Appointment.unit_id)).join(
                Member, col(Member.id) == col(Appointment.member_id)
            ),
            **ABOUT_HER,
        ),
        NewsKind(entity="training", schema=TrainingRead, **of_member(Training)),
    ),
)
