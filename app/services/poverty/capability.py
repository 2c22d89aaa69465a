"""Poverty: assessments of households, decisions about them, and the figures that follow."""

from app.models.kernel.access import Right
from app.models.poverty.editions import PovertyEdition, PublishedFigure
from app.models.poverty.flows import PovertyFlow, PovertyStay
from app.models.poverty.poverty import Assessment, PovertyStatus
from app.models.poverty.work import PovertyJob
from app.services.households.followers import OfHouseholds
from app.services.households.standing import of_household
from app.services.kernel.holdings import Holding, emptied
from app.services.kernel.manifest import Capability, JobWork, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.tracking import DERIVED, Tracked, of_unit
from app.services.kernel.unit_ends import OfDay, Stays
from app.services.members.following import OfMembers
from app.services.poverty import (
    account,
    campaigns,
    figure_rows,
    news,
    on_phones,
    simulations,
    standards,
    standing,
    statuses,
)
from app.services.units.followers import OfUnits

CAPABILITY = Capability(
    module=__name__,
    owned=(Assessment, PovertyStatus, PovertyStay, PovertyFlow, PovertyEdition, PublishedFigure),
    unit_ends={
        Assessment: OfDay(("assessed_on",)),
        PovertyStatus: OfDay(("valid_from",)),
        PovertyStay: Stays("is derived from the decisions"),
        PovertyFlow: Stays("is derived from the decisions"),
        PovertyEdition: Stays("is the history of its province"),
    },
    tracked={
        Assessment: Tracked(
            entity="assessment",
            units=of_household,
            read_right=Right.poverty_read,
            left_out=DERIVED | {"id", "province_id", "result"},
        ),
        PovertyStatus: Tracked(
            entity="poverty_status",
            units=of_household,
            read_right=Right.poverty_read,
            left_out=DERIVED | {"id", "province_id", "ethnicity", "stated_change"},
        ),
        PovertyEdition: Tracked(
            entity="poverty_edition",
            units=of_unit("province_id"),
            read_right=Right.units_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    follows=(
        OfUnits(
            moved=standing.restate_under,
            handed_over=standing.restate_handed,
            handed_back=standing.restate_handed,
        ),
        OfHouseholds(closed=statuses.end_with),
        OfMembers(changed=account.follow_members),
    ),
    listeners=account.LISTENERS,
    problems=("poverty.yaml",),
    holdings=(
        Holding(
            Assessment,
            "Các lần rà soát hộ; giữ câu trả lời và kết quả",
            "Assessments of her household; answers and result stay",
            by="household_id",
            of_household=True,
            wiped={**emptied("assessor", "note"), "witnesses": [], "evidence": []},
            tells_nobody=frozenset({"standard", "rule_version", "answers", "deprived", "result"}),
        ),
        Holding(
            PovertyStatus,
            "Quyết định công nhận diện hộ; giữ để số liệu cân đối",
            "Decisions on her household; they stay, so that the figures balance",
            by="household_id",
            of_household=True,
            wiped=emptied("note"),
            tells_nobody=frozenset({"decision_number", "standard", "causes", "ethnicity"}),
        ),
    ),
    nobody={
        PovertyStay: frozenset({"ethnicity", "causes"}),
        PovertyFlow: frozenset({"by", "part"}),
        PublishedFigure: frozenset({"name", "part"}),
        PovertyEdition: frozenset(),
    },
    jobs={PovertyJob.simulation: JobWork(simulations.run, Right.poverty_read)},
    upkeep=(Upkeep(run=statuses.follow),),
    tags={
        "poverty figures": "Flow tables of poverty, review campaigns, simulations of other standards.",
        "poverty": "Poverty standards, assessments under them, decisions of the commune.",
    },
    audience={
        "poverty figures": frozenset({"mobile", "integration"}),
        "poverty": frozenset({"mobile", "integration"}),
    },
    labels={
        "standard": ("Chuẩn nghèo", "Standard"),
        "rule_version": ("Phiên bản quy tắc", "Version of the rules"),
        "income_per_person": ("Thu nhập bình quân người/tháng", "Income per person"),
        "income_points": ("Điểm thu nhập (B1)", "Points of income (B1)"),
        "b2_points": ("Điểm thiếu hụt (B2)", "Points of deprivation (B2)"),
        "answers": ("Các câu trả lời", "Answers"),
        "assessor": ("Người rà soát", "Assessor"),
        "witnesses": ("Người chứng kiến", "Witnesses"),
        "deprived": ("Các thiếu hụt", "Deprivations"),
        "result": ("Kết luận", "Result"),
        "corrects_id": ("Sửa cho lần rà soát", "Corrects"),
        "change": ("Biến động", "Change"),
        "stated_change": ("Biến động theo quyết định", "Change as decided"),
        "restated_for": ("Tính lại vì", "Restated for"),
        "causes": ("Nguyên nhân nghèo", "Causes of poverty"),
        "assessment_id": ("Lần rà soát", "Assessment"),
        "annulled_on": ("Ngày hủy", "Annulled on"),
        "ended_by_id": ("Kết thúc bởi quyết định", "Ended by"),
    },
    work=(campaigns.WORK,),
    figures=figure_rows.FIGURES,
    sync=(standards.SYNC, on_phones.SYNC),
    events=news.NEWS,
    operations=Without("decisions and assessments are written while online"),
)
