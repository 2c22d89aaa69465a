"""Members: their records, how they are found, their spells in branches, corrections they ask for."""

from app.clock import local_today
from app.models.base import sealed_fields
from app.models.kernel.access import Right
from app.models.members.corrections import CorrectionRequest
from app.models.members.members import Member, MemberIdentifier, NameEntry, NameWord
from app.models.members.spells import Membership
from app.services.kernel.holdings import ERASED_NAME, Holding, Scanned, birth_band, emptied
from app.services.kernel.manifest import Capability
from app.services.kernel.named import Named
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.retention import Kept
from app.services.kernel.tracking import DERIVED, Tracked, in_branch, of_unit
from app.services.kernel.unit_ends import AtEnd
from app.services.members import (
    batches,
    code_lists,
    corrections,
    elsewhere,
    facts_of_days,
    figure_rows,
    handing,
    identifiers,
    lists,
    merged,
    names,
    news,
    operations,
    record,
)
from app.services.members.standing import of_member
from app.services.units.followers import OfUnits

CAPABILITY = Capability(
    module=__name__,
    named={"member": Named(Right.members_read, merged.seen, "member_unknown")},
    owned=(Member, MemberIdentifier, NameEntry, NameWord, Membership, CorrectionRequest),
    unit_ends={
        Member: AtEnd.refuses,
        Membership: AtEnd.refuses,
    },
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
    follows=(
        OfUnits(
            apply=batches.carry,
            last_days=batches.last_days_in,
            counts=batches.counts_in,
            handed_over=handing.hand_over,
            handed_back=handing.hand_back,
        ),
        OfUnits(stood=facts_of_days.stand, columns=facts_of_days.ABOVE),
    ),
    problems=("members.yaml",),
    holdings=(
        Holding(
            Member,
            "Hồ sơ hội viên; giữ đơn vị, giới tính, khoảng năm sinh và ngày vào Hội để đếm",
            "Her record; units, gender, a band of birth years and the join date stay to be counted",
            by="id",
            wiped={
                "full_name": ERASED_NAME,
                "sort_key": "",
                "search_key": "",
                "birth_date": lambda row: str(birth_band(row)),
                "birth_year": birth_band,
                **emptied("given_name", "phone", "citizen_id", "id_card", "address", "hometown"),
                **emptied(
                    "ethnicity",
                    "religion",
                    "party",
                    "party_joined_on",
                    "education",
                    "qualification",
                ),
                **emptied("occupation", "household_id", "photo"),
                "erased_on": lambda row: row["erased_on"] or local_today(),
            },
            internal=frozenset({"sort_key", "search_key"}),
            tells_nobody=frozenset({"joined_on"}),
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
            wiped=emptied("note"),
        ),
        Holding(
            CorrectionRequest,
            "Đề nghị sửa hồ sơ",
            "Corrections she asked for",
            wiped=emptied("asked", "before", "note", "answer"),
            deleted=True,
        ),
    ),
    scanned=(
        Scanned(
            NameEntry,
            "Tên trong từ điển tìm kiếm",
            "Her names in the dictionary of searches, where nobody else has them",
            frozenset({"sort_key", "search_key"}),
            deleted=True,
        ),
        Scanned(
            NameWord,
            "Từng từ của tên trong từ điển tìm kiếm",
            "The words of those names",
            frozenset({"word", "sort_key", "search_key"}),
            deleted=True,
        ),
    ),
    forget_each=(names.forget,),
    retention=(
        Kept(
            model=Member,
            vi="Hồ sơ hội viên",
            en="Members' records",
            days=None,
            reason_vi="Người đang trong Hội thì giữ; người đã rời được ẩn danh theo quy định ẩn danh của đơn vị.",
            reason_en="Kept while she is in the union; leavers are anonymised by the policy of their unit (anonymisation-policies).",
        ),
    ),
    labels={
        "given_name": ("Tên gọi", "Given name"),
        "joined_on": ("Ngày vào Hội", "Joined the union on"),
        "core": ("Hội viên nòng cốt", "Core member"),
        "phone": ("Điện thoại", "Phone"),
        "citizen_id": ("Số định danh cá nhân", "Personal identity number"),
        "id_card": ("Số CMND cũ", "Old identity card"),
        "hometown": ("Quê quán", "Home town"),
        "ethnicity": ("Dân tộc", "Ethnicity"),
        "religion": ("Tôn giáo", "Religion"),
        "party": ("Đảng viên", "Party"),
        "party_joined_on": ("Ngày vào Đảng", "Joined the Party on"),
        "education": ("Trình độ văn hoá", "Schooling"),
        "qualification": ("Trình độ chuyên môn", "Qualification"),
        "occupation": ("Nghề nghiệp", "Occupation"),
        "restricted": ("Hạn chế xử lý", "Restricted"),
        "joined_by": ("Đến do", "Joined by"),
        "left_by": ("Đi do", "Left by"),
        "asked": ("Đề nghị", "Asked for"),
        "erased_on": ("Ngày xóa", "Erased on"),
        "transfer_id": ("Lần chuyển sinh hoạt", "Transfer"),
        "counted_from": ("Tính từ ngày", "Counted from"),
    },
    resealed={Member: identifiers.resealed},
    tags={
        "own record": "The member herself: her record, posts, groups, corrections, who read about her.",
        "members": "Members (hội viên).",
    },
    audience={
        "own record": frozenset({"mobile"}),
        "members": frozenset({"mobile", "integration"}),
    },
    # Spells are joined, numbers renewed, as the merge writes the record.
    pointers=(
        Pointer(Membership, None),
        Pointer(MemberIdentifier, None),
        Pointer(CorrectionRequest, follow),
    ),
    notices=(corrections.WAITING, elsewhere.USED_UP),
    work=(corrections.WORK,),
    figures=figure_rows.FIGURES,
    sync=(code_lists.SYNC, lists.SYNC),
    events=news.NEWS,
    operations=operations.KINDS,
)
