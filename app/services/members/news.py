"""What followers of the feed read of members."""

from typing import Any, Final

from sqlmodel import col

from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberRead
from app.models.members.spells import Membership, MembershipRead
from app.services.kernel.offers import News, NewsKind


def of_member(model: Any) -> dict[str, Any]:
    """Of a kind of rows about a member: they stand where she does, and go with her data."""
    return {
        "place": Member,
        "joined": lambda rows: rows.join(Member, col(Member.id) == col(model.member_id)),
        "stands_with": "member_id",
        **ABOUT_HER,
    }


# An event is a copy that leaves, as a file is (Law 91/2025/QH15).
_HERS: Final[dict[str, Any]] = {
    "shared": ~col(Member.restricted),
    "exists": col(Member.erased_on).is_(None),
}
ABOUT_HER: Final[dict[str, Any]] = {**_HERS, "hangs_on": {"member_id": "member"}}
NEWS = News(
    kinds=(
        NewsKind(entity="member", schema=MemberRead, place=Member, path=True, **_HERS),
        NewsKind(
            entity="membership",
            schema=MembershipRead,
            # A spell stays with its branch, wherever she is now.
            place=Unit,
            joined=lambda rows: rows.join(Unit, col(Unit.id) == col(Membership.branch_id)).join(
                Member, col(Member.id) == col(Membership.member_id)
            ),
            **ABOUT_HER,
        ),
    ),
    untold={"correction_request": "what a member asks for is an event when it is done"},
)
