"""Where the database tells who a person is: every table and column, and what becomes of it.

A table is in one of three places here, and `tests/privacy/test_holdings.py` sees that none is in none, and
that every column that holds text is named:
- HOLDINGS: rows that belong to a person, found by a column that names her or her account;
- SCANNED: rows that may speak of her, found by what they say (`services/erasures`);
- NOBODY: rows that speak of no person.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.clock import local_today, utc_now
from app.models.attendance.attendance import Attendance, Capture
from app.models.attendance.cards import MemberCard
from app.models.cadres.appointments import Appointment
from app.models.cadres.trainings import Training
from app.models.duplicates.duplicates import DuplicatePair
from app.models.duplicates.merges import Merge
from app.models.events.calendar_links import CalendarLink
from app.models.events.rsvps import Rsvp
from app.models.groups.groups import Participation
from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdPerson,
    HouseholdPlace,
)
from app.models.kernel.access import Grant
from app.models.kernel.access_log import AccessRead
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.jobs import Job
from app.models.kernel.sessions import AuthSession
from app.models.members.corrections import CorrectionRequest
from app.models.members.members import Member, MemberIdentifier
from app.models.members.spells import Membership
from app.models.memberships.transfers import Transfer
from app.models.notices.notifications import Notification
from app.models.poverty.poverty import Assessment, PovertyStatus
from app.models.privacy.consents import Consent
from app.models.privacy.erasures import Fate
from app.models.privacy.limits import ProcessingLimit
from app.models.privacy.requests import PrivacyRequest
from app.models.support.escape_paths import EscapeCheck, EscapePath, EscapeStep
from app.models.support.support import HouseholdVisit, Support

ERASED_NAME = "Đã xoá danh tính"
_ERASED_WORD = "—"
_BAND_YEARS = 5

Row = Mapping[str, Any]
# A value, or what makes one of the row as it is.
Becomes = Any | Callable[[Row], Any]


def _band(row: Row) -> int:
    """The first year of the five her birth lies in: an age, and no birthday."""
    year: int = row["birth_year"]
    return year - year % _BAND_YEARS


@dataclass(frozen=True, slots=True)
class Holding:
    """The rows of a person in one table.

    `by` is the column that names her, or her account where `of_account`. `wiped`: what its columns
    become that tell who she is. `tells_nobody`: text that may stay. `internal`: of no use to her,
    or dangerous in a file (keys, digests).
    """

    model: type[SQLModel]
    vi: str
    en: str
    by: str = "member_id"
    # Of rows that name two people, the column of the other one.
    or_by: str | None = None
    of_account: bool = False
    # Of the households she heads: what is written of them is written of her.
    of_household: bool = False
    wiped: Mapping[str, Becomes] = field(default_factory=dict)
    tells_nobody: frozenset[str] = frozenset()
    internal: frozenset[str] = frozenset()
    deleted: bool = False
    # Made by us of other rows: that they are gone is no news to who keeps copies.
    derived: bool = False
    # Rows may be gone before she is: then the log alone knows whose they were.
    deletable: bool = False

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)

    @property
    def table(self) -> sa.Table:
        return SQLModel.metadata.tables[self.name]

    def names(self, ids: Sequence[UUID]) -> sa.ColumnElement[bool]:
        """The rows that name one of these people, or accounts."""
        columns = [self.by] if self.or_by is None else [self.by, self.or_by]
        return sa.or_(*(self.table.c[name].in_(ids) for name in columns))

    @property
    def fate(self) -> Fate:
        return Fate.deleted if self.deleted else Fate.wiped

    def of(self, row: Row) -> dict[str, Any]:
        """What the columns that tell who she is become in this row."""
        return {
            name: value(row) if callable(value) else value for name, value in self.wiped.items()
        }


def _emptied(*names: str) -> dict[str, Becomes]:
    return dict.fromkeys(names)


HOLDINGS: tuple[Holding, ...] = (
    Holding(
        Member,
        "Hồ sơ hội viên; giữ đơn vị, giới tính, khoảng năm sinh và ngày vào Hội để đếm",
        "Her record; units, gender, a band of birth years and the join date stay to be counted",
        by="id",
        wiped={
            "full_name": ERASED_NAME,
            "sort_key": "",
            "search_key": "",
            "birth_date": lambda row: str(_band(row)),
            "birth_year": _band,
            **_emptied("phone", "citizen_id", "id_card", "address", "hometown", "ethnicity"),
            **_emptied("religion", "party", "party_joined_on", "education", "qualification"),
            **_emptied("occupation", "household_id", "photo"),
            "erased_on": lambda row: row["erased_on"] or local_today(),
        },
        internal=frozenset({"sort_key", "search_key"}),
    ),
    Holding(
        MemberIdentifier,
        "Khoá tra cứu số điện thoại, CCCD, CMND",
        "Digests her phone and identity numbers are found by",
        internal=frozenset({"exact", "last6", "last4"}),
        deleted=True,
    ),
    Holding(
        Membership,
        "Các giai đoạn sinh hoạt; giữ để số liệu của đơn vị cộng đúng",
        "Her memberships; they stay, so that the figures of the units add up",
        wiped=_emptied("note"),
    ),
    Holding(
        Transfer,
        "Chuyển sinh hoạt; giữ đơn vị và ngày",
        "Her transfers; units and days stay",
        wiped={
            "full_name": ERASED_NAME,
            "birth_year": _band,
            **_emptied("reason", "refusal_reason"),
        },
    ),
    Holding(
        Appointment,
        "Chức vụ; giữ chức danh, đơn vị và nhiệm kỳ",
        "Her posts; post, unit and term stay",
        wiped=_emptied("title", "decision_number", "ended_note"),
    ),
    Holding(
        Training,
        "Đào tạo, bồi dưỡng; giữ loại và ngày",
        "Her training; kind and days stay",
        wiped={"name": _ERASED_WORD, **_emptied("level", "institution", "certificate_number")},
        deletable=True,
    ),
    Holding(Participation, "Tham gia tổ, nhóm, câu lạc bộ", "The groups she took part in"),
    Holding(
        CorrectionRequest,
        "Đề nghị sửa hồ sơ",
        "Corrections she asked for",
        wiped=_emptied("asked", "before", "note", "answer"),
        deleted=True,
    ),
    Holding(
        Consent,
        "Sự đồng ý; giữ mục đích, ngày và loại bằng chứng",
        "Her consents; purpose, days and kind of evidence stay",
        wiped=_emptied(
            "evidence_reference",
            "note",
            "representative",
            "representative_relation",
            "withdrawal_note",
        ),
        tells_nobody=frozenset({"purpose", "text"}),
    ),
    Holding(
        PrivacyRequest,
        "Yêu cầu về dữ liệu; giữ loại và hạn để chứng minh đã làm",
        "Her requests; kind and deadlines stay, to show that they were met",
        wiped=_emptied("note", "extension_reason", "answer"),
        tells_nobody=frozenset({"purpose", "rules"}),
    ),
    Holding(
        ProcessingLimit,
        "Hạn chế, phản đối, lưu giữ pháp lý",
        "Restrictions, objections and legal holds",
        wiped=_emptied("reference", "note", "lifted_note"),
        tells_nobody=frozenset({"purpose"}),
    ),
    Holding(
        Household,
        "Hộ chị làm chủ hộ; giữ đặc điểm và diện để đếm",
        "Households she heads; what they are counted by stays",
        by="head_id",
        wiped={
            "head_name": ERASED_NAME,
            "sort_key": "",
            "search_key": "",
            **_emptied("address"),
        },
        tells_nobody=frozenset({"code", "assessed_class"}),
        internal=frozenset({"sort_key", "search_key"}),
    ),
    Holding(
        HouseholdPerson,
        "Các hộ chị từng ở; giữ quan hệ và ngày",
        "Households she lived in; relation and days stay",
        wiped=_emptied("full_name", "birth_date"),
    ),
    Holding(
        HouseholdPlace,
        "Nơi ở của hộ; giữ đơn vị và ngày",
        "Where her household lived; units and days stay",
        by="household_id",
        of_household=True,
        wiped=_emptied("address"),
    ),
    Holding(
        HouseholdEvent,
        "Biến động của hộ; giữ loại và ngày",
        "What happened to her household; kind and day stay",
        by="household_id",
        of_household=True,
        wiped=_emptied("before", "after", "note"),
    ),
    Holding(
        Assessment,
        "Các lần rà soát hộ; giữ câu trả lời và kết quả",
        "Assessments of her household; answers and result stay",
        by="household_id",
        of_household=True,
        wiped={**_emptied("assessor", "note"), "witnesses": [], "evidence": []},
        tells_nobody=frozenset({"standard", "rule_version", "answers", "deprived", "result"}),
    ),
    Holding(
        PovertyStatus,
        "Quyết định công nhận diện hộ; giữ để số liệu cân đối",
        "Decisions on her household; they stay, so that the figures balance",
        by="household_id",
        of_household=True,
        wiped=_emptied("note"),
        tells_nobody=frozenset({"decision_number", "standard", "causes"}),
    ),
    Holding(
        Support,
        "Hỗ trợ hộ đã nhận; giữ loại, ngày, giá trị",
        "What her household was given; kind, day and value stay",
        by="household_id",
        of_household=True,
        wiped=_emptied("note", "refused_reason"),
        tells_nobody=frozenset({"programme", "deprivation", "provider", "source"}),
    ),
    Holding(
        HouseholdVisit,
        "Các lần thăm hộ; giữ ngày và nhu cầu",
        "Visits to her household; day and needs stay",
        by="household_id",
        of_household=True,
        wiped={**_emptied("note"), "visitors": []},
        tells_nobody=frozenset({"needs"}),
    ),
    Holding(
        EscapePath,
        "Kế hoạch giúp hộ thoát nghèo; giữ ngày và kết quả",
        "Plans of her household's way out; days and result stay",
        by="household_id",
        of_household=True,
        wiped=_emptied("note"),
    ),
    Holding(
        EscapeStep,
        "Các bước của kế hoạch; giữ hạn và ngày xong",
        "The steps of those plans; due and done days stay",
        by="household_id",
        of_household=True,
        wiped={"title": _ERASED_WORD, **_emptied("responsible", "note")},
        tells_nobody=frozenset({"deprivation"}),
    ),
    Holding(
        EscapeCheck,
        "Các lần kiểm tra sau thoát nghèo; giữ ngày và kết quả",
        "Checks after her household's escape; day and result stay",
        by="household_id",
        of_household=True,
        wiped=_emptied("note"),
    ),
    Holding(
        Attendance,
        "Các buổi đã dự; giữ để số liệu của đơn vị không đổi",
        "Sessions she attended; they stay, so that the figures of the units do",
    ),
    Holding(
        Capture,
        "Các lần điểm danh; giữ giờ và cách",
        "How she was captured; time and kind stay",
        wiped=_emptied("name", "name_key", "photo", "note", "device", "annulled_reason"),
        tells_nobody=frozenset({"flags"}),
    ),
    Holding(
        Rsvp,
        "Trả lời lời mời; giữ câu trả lời",
        "Her answers to invitations; the answer stays",
        wiped=_emptied("reason"),
    ),
    Holding(
        MemberCard,
        "Thẻ hội viên; không còn giá trị",
        "Her cards; no longer good",
        wiped={"revoked_at": lambda row: row["revoked_at"] or utc_now(), "revoked_reason": None},
    ),
    Holding(
        CalendarLink,
        "Đường dẫn lịch",
        "Links to her calendars",
        by="account_id",
        of_account=True,
        tells_nobody=frozenset({"token_digest"}),
        internal=frozenset({"token_digest"}),
        deleted=True,
    ),
    Holding(
        Notification,
        "Thông báo đã nhận",
        "Messages in her inbox",
        by="account_id",
        of_account=True,
        deleted=True,
    ),
    Holding(
        DuplicatePair,
        "Nghi trùng với hồ sơ khác",
        "Whom her record was suspected to be the same as",
        by="member_a",
        or_by="member_b",
        wiped=_emptied("note"),
        tells_nobody=frozenset({"reasons"}),
        internal=frozenset({"member_a", "member_b", "note"}),
        deleted=True,
        derived=True,
    ),
    Holding(
        Merge,
        "Các lần gộp hồ sơ; giữ hai mã và ngày để mã cũ vẫn tìm được",
        "Merges of her records; both ids and the day stay, so that an old id is still found",
        by="kept_id",
        or_by="gone_id",
        wiped={"reason": _ERASED_WORD, **_emptied("journal")},
        tells_nobody=frozenset({"fields"}),
        internal=frozenset({"journal"}),
    ),
    Holding(
        AccessRead,
        "Nhật ký ai đã xem dữ liệu nhạy cảm (chỉ tên trường)",
        "Who read her sensitive data (names of fields alone)",
        tells_nobody=frozenset({"fields"}),
    ),
    Holding(
        Account,
        "Tài khoản; bị khoá, giữ để biết ai đã làm gì trong nhật ký",
        "Her account; locked, and kept so that the log knows its acts from others'",
        wiped={
            "username": lambda row: f"erased-{row['id'].hex}",
            "display_name": ERASED_NAME,
            "status": AccountStatus.disabled,
            **_emptied("password_hash", "secret_digest", "code_digest", "code_expires_at"),
            **_emptied("armed_by", "member_id"),
        },
        internal=frozenset({"password_hash", "secret_digest", "code_digest"}),
    ),
    Holding(
        AuthSession,
        "Phiên đăng nhập và thiết bị",
        "Her sign-ins and devices",
        by="account_id",
        of_account=True,
        wiped=_emptied("device", "user_agent"),
        deleted=True,
    ),
    Holding(
        Grant,
        "Quyền từng được giao",
        "Rights she was granted",
        by="account_id",
        of_account=True,
        tells_nobody=frozenset({"rights"}),
    ),
    Holding(
        Job,
        "Việc chạy nền chị đã yêu cầu; chỉ giữ mã và số liệu",
        "Long work she asked for; ids and figures stay",
        by="account_id",
        of_account=True,
        wiped=_emptied("device"),
        tells_nobody=frozenset({"request_id", "args", "result", "problem"}),
        internal=frozenset({"args", "result", "problem"}),
    ),
)
BY_TABLE: dict[str, Holding] = {holding.name: holding for holding in HOLDINGS}


@dataclass(frozen=True, slots=True)
class Scanned:
    """A table whose rows may speak of her: which columns are looked through, which tell nobody."""

    vi: str
    en: str
    looked_through: frozenset[str]
    tells_nobody: frozenset[str] = frozenset()
    fate: Fate = Fate.wiped


SCANNED: dict[str, Scanned] = {
    "change": Scanned(
        "Giá trị cũ và mới trong nhật ký thay đổi",
        "What the change log holds of her, before and after",
        frozenset({"before", "after", "device"}),
        frozenset({"request_id", "source_ref", "entity", "entity_id"}),
    ),
    "name_entry": Scanned(
        "Tên trong từ điển tìm kiếm",
        "Her names in the dictionary of searches, where nobody else has them",
        frozenset({"sort_key", "search_key"}),
        fate=Fate.deleted,
    ),
    "name_word": Scanned(
        "Từng từ của tên trong từ điển tìm kiếm",
        "The words of those names",
        frozenset({"word", "sort_key", "search_key"}),
        fate=Fate.deleted,
    ),
    "import": Scanned(
        "Tệp danh sách đã gửi lên",
        "What was found in lists that came in as files",
        frozenset({"file_name", "reading"}),
        frozenset({"sheet", "mapping", "options", "summary", "problem"}),
    ),
    "import_part": Scanned(
        "Nội dung tệp danh sách có người này",
        "Files of lists that name her: they go whole",
        frozenset({"content"}),
        fate=Fate.deleted,
    ),
    "import_row": Scanned(
        "Nội dung các dòng của tệp đó",
        "What the rows of those files said",
        frozenset({"content"}),
        frozenset({"accepted"}),
    ),
    "export_record": Scanned(
        "Từ khoá tìm kiếm trong nhật ký xuất tệp",
        "What was searched for in lists that left as files",
        frozenset({"filters"}),
        frozenset({"request_id", "path", "fields"}),
    ),
    "idempotent_answer": Scanned(
        "Câu trả lời giữ một ngày cho Idempotency-Key",
        "Answers kept for a day for their Idempotency-Key",
        frozenset({"body"}),
        frozenset({"key", "request_digest", "grants_digest", "headers"}),
    ),
}
# What comes and goes with every request: no part of what a dry run is confirmed by.
PASSING = frozenset(
    {
        *("change", "export_record", "idempotent_answer", "job", "auth_session"),
        *("import", "import_part", "import_row"),
    }
)

# Rows that speak of units, rules and acts. The phone and address of a unit are those of an office.
NOBODY: dict[str, frozenset[str]] = {
    "unit": frozenset({"name", "name_key", "sort_key", "code", "phone", "email", "address"}),
    "unit_edge": frozenset(),
    "unit_closure": frozenset(),
    "unit_identifier": frozenset({"value", "value_key"}),
    "unit_succession": frozenset({"decree"}),
    "feed": frozenset({"entity", "entity_id"}),
    "feed_head": frozenset(),
    # What is said of a meeting, or decided at it. A name in such a text is nobody's record.
    "event": frozenset(
        {
            *("title", "title_key", "kind", "tag", "place", "organiser", "agenda", "summary"),
            *("image_url", "cancelled_reason", "host_unit_ids", "invited_unit_ids"),
            *("documents", "recurrence"),
        }
    ),
    "event_unit": frozenset(),
    "event_session": frozenset({"title", "place", "join_url", "cancelled_reason"}),
    "event_session_unit": frozenset(),
    "room": frozenset({"name", "place", "device_note"}),
    "session_minutes": frozenset({"body", "decisions", "attachments", "photos"}),
    "event_reminder": frozenset({"text"}),
    "attendance_count": frozenset(),
    "poverty_stay": frozenset({"ethnicity", "causes"}),
    "poverty_flow": frozenset({"by", "part"}),
    "loan_figure": frozenset({"group_name", "source"}),
    # What a column of a list is called.
    "import_mapping": frozenset({"fields"}),
    "outbox": frozenset({"entity", "entity_id"}),
    # Goes with its session.
    "refresh_token": frozenset({"digest"}),
    "erasure": frozenset({"effects", "digest"}),
    "anonymisation": frozenset(),
    "anonymisation_policy": frozenset({"decision_number"}),
}
