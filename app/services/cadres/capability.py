"""Cadres: their posts, their training, their careers."""

from app.models.cadres.appointments import Appointment
from app.models.cadres.trainings import Training
from app.models.kernel.access import Right
from app.services.kernel.manifest import Capability
from app.services.kernel.tracking import DERIVED, Tracked, of_unit
from app.services.members.standing import of_member

CAPABILITY = Capability(
    module=__name__,
    owned=(Appointment, Training),
    tracked={
        Appointment: Tracked(
            entity="appointment",
            units=of_unit(),
            read_right=Right.appointments_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
        Training: Tracked(
            entity="training",
            units=of_member(),
            read_right=Right.appointments_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    problems=("cadres.yaml",),
)
