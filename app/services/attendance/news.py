"""What followers of the feed read of attendance."""

from sqlmodel import col

from app.models.attendance.attendance import Attendance
from app.models.attendance.lists import AttendanceItem
from app.models.members.members import Member
from app.services.kernel.offers import News, NewsKind
from app.services.members.news import ABOUT_HER

NEWS = News(
    kinds=(
        NewsKind(
            entity="attendance",
            schema=AttendanceItem,
            # It stands where she stood on the day.
            place=Attendance,
            joined=lambda rows: rows.join(Member, col(Member.id) == col(Attendance.member_id)),
            **ABOUT_HER,
        ),
    ),
    untold={"member_card": "a card is shown to its holder"},
)
