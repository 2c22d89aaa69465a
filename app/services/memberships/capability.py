"""Memberships in branches: departures, readmissions, corrections, transfers."""

from app.models.kernel.access import Right
from app.models.memberships.transfers import Transfer
from app.services.kernel.holdings import ERASED_NAME, Holding, birth_band, emptied
from app.services.kernel.manifest import Capability, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.tracking import DERIVED, Tracked, of_unit
from app.services.kernel.unit_ends import Stays
from app.services.memberships import figure_rows, handing, tacit, transfers, work
from app.services.units.followers import OfUnits

CAPABILITY = Capability(
    module=__name__,
    owned=(Transfer,),
    unit_ends={
        Transfer: Stays(
            "one that waits goes on with its branch, or is refused when its answer is due"
        ),
    },
    tracked={
        Transfer: Tracked(
            entity="transfer",
            units=of_unit("from_branch_id"),
            also_units=of_unit("to_branch_id"),
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id", "full_name", "birth_year"},
        ),
    },
    follows=(
        OfUnits(
            counts=handing.counts_in, handed_over=handing.hand_over, handed_back=handing.hand_back
        ),
    ),
    problems=("memberships.yaml",),
    holdings=(
        Holding(
            Transfer,
            "Chuyển sinh hoạt; giữ đơn vị và ngày",
            "Her transfers; units and days stay",
            wiped={
                "full_name": ERASED_NAME,
                "birth_year": birth_band,
                **emptied("reason", "refusal_reason"),
            },
        ),
    ),
    labels={
        "requested_at": ("Lúc đề nghị", "Requested at"),
        "requested_side": ("Bên đề nghị", "Requested by the side of"),
        "consented_by": ("Người đồng ý cho đi", "Consented by"),
        "consented_at": ("Đồng ý cho đi lúc", "Consented at"),
        "accepted_by": ("Người tiếp nhận", "Accepted by"),
        "accepted_at": ("Tiếp nhận lúc", "Accepted at"),
        "refused_side": ("Bên từ chối", "Refused by the side of"),
    },
    upkeep=(Upkeep(run=tacit.approve_due),),
    due=(tacit.DUE,),
    tags={
        "memberships": "Memberships in branches: departures, deaths, readmissions, corrections, movement.",
        "transfers": "Transfers of members between branches (chuyển sinh hoạt).",
    },
    audience={
        "memberships": frozenset({"mobile", "integration"}),
        "transfers": frozenset({"mobile", "integration"}),
    },
    pointers=(Pointer(Transfer, follow),),
    notices=(transfers.WAITING, transfers.OVERDUE),
    work=(work.TRANSFER,),
    figures=figure_rows.FIGURES,
    sync=Without("transfers are made while online"),
    events=Without("a transfer is told by the spells that it ends and begins"),
    operations=Without("comings and goings are decided while online"),
)
