"""Attendance: captures, the facts that follow from them, members' cards."""

from app.models.attendance.attendance import Attendance, Capture, FrozenCount
from app.models.attendance.cards import MemberCard
from app.models.kernel.access import Right
from app.services.kernel.manifest import Capability
from app.services.kernel.tracking import DERIVED, Tracked, on_path
from app.services.members.standing import of_member

CAPABILITY = Capability(
    module=__name__,
    owned=(Capture, Attendance, FrozenCount, MemberCard),
    tracked={
        # It stands where it happened, whatever becomes of the person.
        Attendance: Tracked(
            entity="attendance",
            units=on_path("branch_id"),
            read_right=Right.attendance_read,
            left_out=DERIVED | {"id", "province_id", "district_id", "commune_id"},
        ),
        MemberCard: Tracked(
            entity="member_card",
            units=of_member(),
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    problems=("attendance.yaml",),
)
