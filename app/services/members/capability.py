"""Members: their records, how they are found, their spells in branches, corrections they ask for."""

from app.models.base import sealed_fields
from app.models.kernel.access import Right
from app.models.members.corrections import CorrectionRequest
from app.models.members.members import Member, MemberIdentifier, NameEntry, NameWord
from app.models.members.spells import Membership
from app.services.kernel.manifest import Capability
from app.services.kernel.tracking import DERIVED, Tracked, in_branch, of_unit
from app.services.members import record
from app.services.members.standing import of_member

CAPABILITY = Capability(
    module=__name__,
    owned=(Member, MemberIdentifier, NameEntry, NameWord, Membership, CorrectionRequest),
    tracked={
        Member: Tracked(
            entity="member",
            units=in_branch,
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "sort_key", "search_key", "birth_year", "erased_on"},
            masks=record.MASKS,
            sealed=sealed_fields(Member),
            moved_by="branch_id",
        ),
        Membership: Tracked(
            entity="membership",
            units=of_unit("branch_id"),
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
        CorrectionRequest: Tracked(
            entity="correction_request",
            units=of_member(),
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id", "before"},
            secret=frozenset({"asked", "note", "answer"}),
        ),
    },
    problems=("members.yaml",),
)
