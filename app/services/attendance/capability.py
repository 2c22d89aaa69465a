"""Attendance: captures, the facts that follow from them, members' cards."""

from app.clock import utc_now
from app.models.attendance.attendance import Attendance, Capture
from app.models.attendance.cards import MemberCard
from app.models.attendance.code_keys import CodeKey
from app.models.attendance.counts import FrozenCount
from app.models.kernel.access import Right
from app.services.attendance import (
    card_merging,
    counts,
    facts,
    figure_rows,
    held,
    news,
    on_phones,
    operations,
)
from app.services.events.followers import OfSessions
from app.services.kernel.holdings import Holding, emptied
from app.services.kernel.manifest import Capability, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer
from app.services.kernel.tracking import DERIVED, Tracked, on_path
from app.services.kernel.unit_ends import OfDay
from app.services.members.standing import of_member

CAPABILITY = Capability(
    module=__name__,
    owned=(Capture, Attendance, FrozenCount, MemberCard, CodeKey),
    unit_ends={
        Attendance: OfDay(("local_date",), facts.move),
    },
    tracked={
        # Belongs to the units of its day, whatever happens to the person.
        Attendance: Tracked(
            entity="attendance",
            units=on_path("branch_id"),
            read_right=Right.attendance_read,
            left_out=DERIVED | {"id", "province_id", "district_id", "commune_id"},
            moved_by="branch_id",
        ),
        MemberCard: Tracked(
            entity="member_card",
            units=of_member(),
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    follows=(OfSessions(made=held.release, closed=counts.freeze),),
    problems=("attendance.yaml",),
    holdings=(
        Holding(
            Attendance,
            "Các buổi đã dự; giữ để số liệu của đơn vị không đổi",
            "Sessions she attended; they stay, so that the figures of the units do",
        ),
        Holding(
            Capture,
            "Các lần điểm danh; giữ giờ và cách",
            "How she was captured; time and kind stay",
            wiped=emptied("name", "name_key", "photo", "note", "device", "reason"),
            tells_nobody=frozenset({"flags"}),
            internal=frozenset({"name_key", "digest"}),
        ),
        Holding(
            MemberCard,
            "Thẻ hội viên; không còn giá trị",
            "Her cards; no longer good",
            wiped={
                "revoked_at": lambda row: row["revoked_at"] or utc_now(),
                "reason": None,
            },
        ),
    ),
    nobody={
        FrozenCount: frozenset(),
        CodeKey: frozenset({"card_seed", "session_seed"}),
    },
    upkeep=(Upkeep(run=held.release_due),),
    tags={
        "attendance": "Attendance: captures, codes, who came, and what follows from it in figures.",
    },
    audience={
        "attendance": frozenset({"mobile", "integration"}),
    },
    # The facts follow from the captures, which the merge hands over.
    pointers=(Pointer(Attendance, None), Pointer(MemberCard, card_merging.one_good_card)),
    labels={
        "local_date": ("Ngày họp", "Day of the session"),
        "district_id": ("Huyện", "District"),
        "on_roster": ("Có trong danh sách", "On the roster"),
        "mode": ("Hình thức dự", "Way of attending"),
        "room_id": ("Điểm họp", "Room"),
        "attended_at": ("Có mặt lúc", "Attended at"),
        "capture_id": ("Lượt ghi", "Capture"),
        "is_guest": ("Là khách", "A guest"),
        "count": ("Số đếm", "Count"),
        "guests": ("Số khách", "Guests"),
        "card_id": ("Thẻ hội viên", "Card"),
        "minutes": ("Số phút", "Minutes"),
        "occurred_at": ("Ghi trên máy lúc", "Captured at"),
        "happened_at": ("Diễn ra lúc", "Happened at"),
        "received_at": ("Nhận lúc", "Received at"),
        "skew": ("Độ lệch đồng hồ", "Skew of the clock"),
        "flags": ("Lưu ý", "Flags"),
        "annulled_by": ("Người hủy", "Annulled by"),
    },
    work=Without("held captures have a list of their own"),
    figures=figure_rows.FIGURES,
    sync=(on_phones.SYNC,),
    events=news.NEWS,
    operations=operations.KINDS,
)
