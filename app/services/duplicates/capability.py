"""Suspected duplicates among members, and merges of their records."""

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.duplicates.duplicates import DuplicatePair
from app.models.duplicates.merges import Merge, MergeState
from app.models.kernel.access import Right
from app.services.duplicates import inbox, merges, operations
from app.services.kernel.holdings import ERASED_WORD, Holding, emptied
from app.services.kernel.manifest import Capability, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer
from app.services.kernel.retention import Kept
from app.services.kernel.tracking import DERIVED, Row, Tracked, Units, in_branch
from app.services.members.standing import of_member, path_of


def _where_the_kept_record_stands(session: Session, row: Row) -> Units:
    """However often it was merged on."""
    kept = row["kept_id"]
    while (member := path_of(session, kept)) is None:
        further = sa.select(col(Merge.kept_id)).where(
            col(Merge.gone_id) == kept, col(Merge.state) == MergeState.merged
        )
        kept = session.connection().execute(further).scalar_one()
    return in_branch(session, member)


CAPABILITY = Capability(
    module=__name__,
    owned=(DuplicatePair, Merge),
    tracked={
        DuplicatePair: Tracked(
            entity="duplicate_pair",
            units=of_member("member_a"),
            also_units=of_member("member_b"),
            read_right=Right.members_read,
            # A reader who sees one of the two records gets no more from the log than from the
            # inbox.
            left_out=DERIVED | {"id", "reasons", "tells", "score", "decided_by"},
            secret=frozenset({"note"}),
        ),
        Merge: Tracked(
            entity="merge",
            units=_where_the_kept_record_stands,
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "journal"},
        ),
    },
    problems=("duplicates.yaml",),
    holdings=(
        Holding(
            DuplicatePair,
            "Nghi trùng với hồ sơ khác",
            "Whom her record was suspected to be the same as",
            by="member_a",
            or_by="member_b",
            wiped=emptied("note"),
            tells_nobody=frozenset({"reasons"}),
            internal=frozenset({"member_a", "member_b", "note", "tells"}),
            deleted=True,
            derived=True,
        ),
        Holding(
            Merge,
            "Các lần gộp hồ sơ; giữ hai mã và ngày để mã cũ vẫn tìm được",
            "Merges of her records; both ids and the day stay, so that an old id is still found",
            by="kept_id",
            or_by="gone_id",
            wiped={"reason": ERASED_WORD, **emptied("journal")},
            tells_nobody=frozenset({"fields"}),
            internal=frozenset({"journal"}),
        ),
    ),
    retention=(
        Kept(
            model=Merge,
            vi="Bản ghi để tách lại hai hồ sơ đã gộp",
            en="What undoes the merge of two records",
            days=30,
            reason_vi="Hết hạn thì không tách lại được nữa.",
            reason_en="After that a merge can no longer be undone.",
            setting="HOISO_MERGE_UNDO_DAYS",
        ),
    ),
    upkeep=(Upkeep(run=merges.forget_old),),
    tags={
        "duplicates": "Suspected duplicates (trùng), merges (gộp) and their undo.",
    },
    audience={
        "duplicates": frozenset({"mobile", "integration"}),
    },
    # A merge settles the pairs of both records itself.
    pointers=(
        Pointer(DuplicatePair, None, "member_a"),
        Pointer(DuplicatePair, None, "member_b"),
    ),
    labels={
        "score": ("Độ giống", "Score"),
        "reasons": ("Các điểm giống", "Reasons"),
        "found_at": ("Phát hiện lúc", "Found at"),
        "kept_id": ("Hồ sơ giữ lại", "Record kept"),
        "gone_id": ("Hồ sơ gộp vào", "Record merged"),
        "merged_by": ("Người gộp", "Merged by"),
        "merged_at": ("Gộp lúc", "Merged at"),
        "undo_until": ("Hoàn tác được đến", "May be undone until"),
        "undone_by": ("Người hoàn tác", "Undone by"),
        "undone_at": ("Hoàn tác lúc", "Undone at"),
    },
    work=(inbox.WORK,),
    figures=Without("pairs are no figures of the union"),
    sync=Without("merges are made while online"),
    events=Without("a merge is told by the records it joins"),
    operations=operations.KINDS,
)
