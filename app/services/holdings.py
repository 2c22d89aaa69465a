"""Where the database tells who a person is: every table and column, and what becomes of it.

A table is in one of three places here, and `tests/test_holdings.py` sees that none is in none, and
that every column that holds text is named:
- HOLDINGS: rows that belong to a person, found by a column that names her or her account;
- SCANNED: rows that may speak of her, found by what they say (`services/erasures`);
- NOBODY: rows that speak of no person.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.clock import local_today
from app.models.access import Grant
from app.models.access_log import AccessRead
from app.models.accounts import Account, AccountStatus
from app.models.appointments import Appointment
from app.models.consents import Consent
from app.models.corrections import CorrectionRequest
from app.models.erasures import Fate
from app.models.groups import Participation
from app.models.jobs import Job
from app.models.members import Member, MemberIdentifier
from app.models.memberships import Membership
from app.models.privacy_requests import PrivacyRequest
from app.models.processing_limits import ProcessingLimit
from app.models.sessions import AuthSession
from app.models.trainings import Training
from app.models.transfers import Transfer

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
    of_account: bool = False
    wiped: Mapping[str, Becomes] = field(default_factory=dict)
    tells_nobody: frozenset[str] = frozenset()
    internal: frozenset[str] = frozenset()
    deleted: bool = False
    # Rows may be gone before she is: then the log alone knows whose they were.
    deletable: bool = False

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)

    @property
    def table(self) -> sa.Table:
        return SQLModel.metadata.tables[self.name]

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
PASSING = frozenset({"change", "export_record", "idempotent_answer", "job", "auth_session"})

# Rows that speak of units, rules and acts. The phone and address of a unit are those of an office.
NOBODY: dict[str, frozenset[str]] = {
    "unit": frozenset({"name", "name_key", "sort_key", "code", "phone", "email", "address"}),
    "unit_edge": frozenset(),
    "unit_closure": frozenset(),
    "unit_identifier": frozenset({"value", "value_key"}),
    "unit_succession": frozenset({"decree"}),
    "feed": frozenset({"entity", "entity_id"}),
    "feed_head": frozenset(),
    "outbox": frozenset({"entity", "entity_id"}),
    # Goes with its session.
    "refresh_token": frozenset({"digest"}),
    "erasure": frozenset({"effects", "digest"}),
    "anonymisation": frozenset(),
    "anonymisation_policy": frozenset({"decision_number"}),
}
