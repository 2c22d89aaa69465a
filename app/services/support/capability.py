"""What households are given: support, visits, loans, escape paths."""

from app.models.kernel.access import Right
from app.models.support.escape_paths import EscapeCheck, EscapePath, EscapeStep
from app.models.support.loans import LoanFigure
from app.models.support.support import Support
from app.models.support.visits import HouseholdVisit
from app.services.households.standing import of_household
from app.services.kernel.holdings import ERASED_WORD, Holding, emptied
from app.services.kernel.manifest import Capability
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.tracking import DERIVED, Tracked, of_unit
from app.services.kernel.unit_ends import AtEnd, OfDay, Stays
from app.services.support import (
    escape_tasks,
    figure_rows,
    loans,
    news,
    on_phones,
    operations,
    support,
)
from app.services.units.followers import OfUnits

_ABOUT_A_CHILD = ("child_id", "guardian_consent_on", "note")

CAPABILITY = Capability(
    module=__name__,
    owned=(Support, HouseholdVisit, LoanFigure, EscapePath, EscapeStep, EscapeCheck),
    unit_ends={
        Support: OfDay(("given_on", "created_at")),
        EscapePath: Stays("names the unit that helped"),
        LoanFigure: AtEnd.refuses,
    },
    tracked={
        Support: Tracked(
            entity="support",
            units=of_household,
            read_right=Right.support_read,
            left_out=DERIVED | {"id", "province_id", "commune_id"},
            masks=dict.fromkeys(_ABOUT_A_CHILD, Right.support_children),
        ),
        HouseholdVisit: Tracked(
            entity="household_visit",
            units=of_household,
            read_right=Right.poverty_read,
            left_out=DERIVED | {"id", "province_id"},
            secret=frozenset({"note"}),
        ),
        LoanFigure: Tracked(
            entity="loan_figure",
            units=of_unit(),
            read_right=Right.support_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
        EscapePath: Tracked(
            entity="escape_path",
            units=of_household,
            read_right=Right.poverty_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
        EscapeStep: Tracked(
            entity="escape_step",
            units=of_household,
            read_right=Right.poverty_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
        EscapeCheck: Tracked(
            entity="escape_check",
            units=of_household,
            read_right=Right.poverty_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    follows=(OfUnits(apply=support.carry, last_days=loans.last_days_in),),
    problems=("support.yaml",),
    holdings=(
        Holding(
            Support,
            "Hỗ trợ hộ đã nhận; giữ loại, ngày, giá trị",
            "What her household was given; kind, day and value stay",
            by="household_id",
            of_household=True,
            wiped=emptied("note", "reason"),
            tells_nobody=frozenset({"programme", "deprivation", "provider", "source"}),
        ),
        Holding(
            HouseholdVisit,
            "Các lần thăm hộ; giữ ngày và nhu cầu",
            "Visits to her household; day and needs stay",
            by="household_id",
            of_household=True,
            wiped={**emptied("note"), "visitors": []},
            tells_nobody=frozenset({"needs"}),
        ),
        Holding(
            EscapePath,
            "Kế hoạch giúp hộ thoát nghèo; giữ ngày và kết quả",
            "Plans of her household's way out; days and result stay",
            by="household_id",
            of_household=True,
            wiped=emptied("note"),
        ),
        Holding(
            EscapeStep,
            "Các bước của kế hoạch; giữ hạn và ngày xong",
            "The steps of those plans; due and done days stay",
            by="household_id",
            of_household=True,
            wiped={"title": ERASED_WORD, **emptied("responsible", "note")},
            tells_nobody=frozenset({"deprivation"}),
        ),
        Holding(
            EscapeCheck,
            "Các lần kiểm tra sau thoát nghèo; giữ ngày và kết quả",
            "Checks after her household's escape; day and result stay",
            by="household_id",
            of_household=True,
            wiped=emptied("note"),
        ),
    ),
    nobody={
        LoanFigure: frozenset({"group_name", "source"}),
    },
    tags={
        "support": "What households are given, visits, loans, and the way out of poverty.",
    },
    audience={
        "support": frozenset({"mobile", "integration"}),
    },
    pointers=(
        Pointer(EscapeStep, follow, "responsible_member_id"),
        Pointer(Support, follow, "child_id"),
    ),
    notices=(support.WAITING,),
    labels={
        "programme": ("Chương trình", "Programme"),
        "deprivation": ("Thiếu hụt", "Deprivation"),
        "provider": ("Đơn vị hỗ trợ", "Provider"),
        "given_on": ("Ngày hỗ trợ", "Given on"),
        "ends_on": ("Ngày hết hạn", "Ends on"),
        "quantity": ("Số lượng", "Quantity"),
        "quantity_unit": ("Đơn vị tính", "Unit of quantity"),
        "value_vnd": ("Giá trị (đồng)", "Value (VND)"),
        "as_of": ("Số liệu đến ngày", "As of"),
        "child_id": ("Trẻ em", "Child"),
        "guardian_consent_on": ("Ngày người giám hộ đồng ý", "Consent of the guardian on"),
        "proposed_by": ("Người đề xuất", "Proposed by"),
        "visited_on": ("Ngày thăm", "Visited on"),
        "visitors": ("Người đến thăm", "Visitors"),
        "needs": ("Nhu cầu", "Needs"),
        "next_on": ("Lần thăm sau", "Next visit on"),
        "helper_id": ("Đơn vị giúp đỡ", "Helped by"),
        "target_on": ("Ngày dự kiến thoát nghèo", "Target"),
        "path_id": ("Kế hoạch thoát nghèo", "Escape path"),
        "responsible": ("Người phụ trách", "Responsible"),
        "responsible_member_id": ("Hội viên phụ trách", "Responsible member"),
        "done_on": ("Ngày hoàn thành việc", "Done on"),
        "months": ("Sau số tháng", "Months after"),
    },
    work=(support.WORK, escape_tasks.WORK),
    figures=figure_rows.FIGURES,
    sync=on_phones.SYNC,
    events=news.NEWS,
    operations=operations.KINDS,
)
