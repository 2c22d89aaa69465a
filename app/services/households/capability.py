"""Households: who lives in them, where they live, and what happened to them."""

from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdPerson,
    HouseholdPlace,
)
from app.models.kernel.access import Right
from app.services.households import (
    deaths,
    figure_rows,
    forgetting,
    handing,
    households,
    line,
    lists,
    merging,
    news,
    on_phones,
    operations,
)
from app.services.households.standing import of_household
from app.services.kernel.holdings import ERASED_NAME, Holding, emptied
from app.services.kernel.manifest import Capability
from app.services.kernel.named import Named
from app.services.kernel.pointers import Pointer
from app.services.kernel.tracking import DERIVED, Tracked, in_branch
from app.services.kernel.unit_ends import AtEnd
from app.services.members.following import OfEndings, OfMembers
from app.services.units.followers import OfUnits

_OF_POVERTY = (
    *("no_labour_capacity", "merit", "poverty_class", "poverty_since"),
    *("union_label", "union_label_on"),
)

CAPABILITY = Capability(
    module=__name__,
    named={
        "household": Named(Right.members_read, households.seen, "household_unknown"),
        "person": Named(Right.members_read, households.people_seen, "person_unknown"),
    },
    owned=(Household, HouseholdPerson, HouseholdPlace, HouseholdEvent),
    unit_ends={
        Household: AtEnd.refuses,
        HouseholdPlace: AtEnd.refuses,
    },
    tracked={
        Household: Tracked(
            entity="household",
            units=in_branch,
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "sort_key", "search_key", "assessed_on", "assessed_class"},
            masks={
                "ethnic_minority": Right.members_ethnicity,
                **dict.fromkeys(_OF_POVERTY, Right.poverty_read),
            },
            moved_by="branch_id",
        ),
        HouseholdPerson: Tracked(
            entity="household_person",
            units=of_household,
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    follows=(
        OfUnits(
            preview=households.ensure_none_left,
            apply=households.carry,
            last_days=households.last_days_in,
            counts=households.counts_in,
            handed_over=handing.hand_over,
            handed_back=handing.hand_back,
        ),
        OfMembers(changed=line.follow_members),
        OfEndings(ended=deaths.follow),
    ),
    problems=("households.yaml",),
    holdings=(
        Holding(
            Household,
            "Hộ chị làm chủ hộ; giữ đặc điểm và diện để đếm",
            "Households she heads; what they are counted by stays",
            by="head_id",
            wiped={
                "head_name": ERASED_NAME,
                "sort_key": "",
                "search_key": "",
                **emptied("address"),
            },
            tells_nobody=frozenset({"code", "assessed_class"}),
            internal=frozenset({"sort_key", "search_key"}),
        ),
        Holding(
            HouseholdPerson,
            "Các hộ chị từng ở; giữ quan hệ và ngày",
            "Households she lived in; relation and days stay",
            wiped=emptied("full_name", "birth_date"),
        ),
        Holding(
            HouseholdPlace,
            "Nơi ở của hộ; giữ đơn vị và ngày",
            "Where her household lived; units and days stay",
            by="household_id",
            of_household=True,
            wiped=emptied("address"),
        ),
        Holding(
            HouseholdEvent,
            "Biến động của hộ; giữ loại và ngày",
            "What happened to her household; kind and day stay",
            by="household_id",
            of_household=True,
            wiped=emptied("before", "after", "note"),
        ),
    ),
    labels={
        "after": ("Sau", "After"),
        "at": ("Lúc", "At"),
        "code": ("Mã hộ", "Code of the household"),
        "head_id": ("Chủ hộ", "Head"),
        "head_missing_since": ("Chưa có chủ hộ từ", "Without a head since"),
        "head_name": ("Tên chủ hộ", "Name of the head"),
        "female_headed": ("Chủ hộ là nữ", "Headed by a woman"),
        "ethnic_minority": ("Hộ dân tộc thiểu số", "Of an ethnic minority"),
        "merit": ("Có người có công", "With people of merit"),
        "no_labour_capacity": ("Không có khả năng lao động", "Nobody able to work"),
        "person_count": ("Số người", "People"),
        "poverty_since": ("Thuộc diện từ", "In this class since"),
        "assessed_class": ("Kết quả rà soát", "Class found"),
        "union_label": ("Đánh giá của Hội", "Label of the union"),
        "union_label_on": ("Ngày Hội đánh giá", "Labelled on"),
        "person_id": ("Người", "Person"),
        "relation": ("Quan hệ với chủ hộ", "Relation to the head"),
        "ended_by": ("Lý do rời hộ", "Left by"),
        "other_household_id": ("Hộ liên quan", "Other household"),
    },
    forget_each=(forgetting.forget_each,),
    tags={
        "households": "Households (hộ gia đình), their people, and what happened to them.",
    },
    audience={
        "households": frozenset({"mobile", "integration"}),
    },
    pointers=(
        Pointer(HouseholdPerson, merging.the_same_human),
        # The head is who is in it as its head.
        Pointer(Household, None, "head_id"),
    ),
    work=(lists.WORK,),
    figures=figure_rows.FIGURES,
    sync=(on_phones.SYNC,),
    events=news.NEWS,
    operations=operations.KINDS,
)
