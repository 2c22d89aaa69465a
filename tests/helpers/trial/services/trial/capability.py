"""The trial's manifest: every field that a capability may fill is filled."""

from pathlib import Path

from sqlmodel import Session

from app.models.base import sealed_fields
from app.models.kernel.access import Right
from app.services.kernel.holdings import ERASED_NAME, Holding, Scanned, emptied
from app.services.kernel.manifest import Capability, JobWork, forgetting
from app.services.kernel.named import Named
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.retention import Kept
from app.services.kernel.tracking import DERIVED, Tracked, in_branch
from app.services.kernel.unit_ends import AtEnd
from app.services.units.followers import OfUnits
from tests.helpers.trial.models.trial.pledges import (
    Pledge,
    PledgeGoods,
    PledgeJob,
    PledgeLetter,
    PledgeThanks,
)
from tests.helpers.trial.services.trial import offered, pledges
from tests.helpers.trial.services.trial.goods import GOODS

_DATA = Path(__file__).parents[2] / "data"


def _count_commits(session: Session) -> None:
    session.info["trial_commits"] = session.info.get("trial_commits", 0) + 1


CAPABILITY = Capability(
    module=__name__,
    named={"pledge": Named(Right.members_read, pledges.seen, "pledge_unknown")},
    owned=(Pledge, PledgeGoods, PledgeLetter, PledgeThanks),
    unit_ends={Pledge: AtEnd.ends},
    tracked={
        Pledge: Tracked(
            entity="pledge",
            units=in_branch,
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id", "note_digest"},
            masks={"note": Right.members_religion},
            sealed=sealed_fields(Pledge),
        ),
    },
    holdings=(
        Holding(
            Pledge,
            "Lời hứa đóng góp; giữ hiện vật và ngày",
            "What she pledged; goods and days stay",
            wiped={"giver": ERASED_NAME, **emptied("note", "note_digest")},
            tells_nobody=frozenset({"goods"}),
            internal=frozenset({"note_digest"}),
        ),
    ),
    scanned=(
        Scanned(
            PledgeLetter,
            "Thư cảm ơn",
            "Letters of thanks that name her",
            frozenset({"text"}),
            deleted=True,
        ),
        Scanned(
            PledgeThanks,
            "Lời cảm ơn",
            "Thanks that name her",
            frozenset({"text"}),
            deleted=True,
        ),
    ),
    nobody={PledgeGoods: frozenset({"name"})},
    forget_each=(pledges.forget_letters,),
    forget_all=(pledges.forget_thanks,),
    retention=(
        Kept(
            model=Pledge,
            vi="Lời hứa đóng góp",
            en="Pledges",
            days=3650,
            reason_vi="Để đối chiếu sổ lễ hội.",
            reason_en="To compare with the books of the festival.",
        ),
    ),
    labels={"goods": ("Hiện vật", "Goods"), "giver": ("Người hứa", "Giver")},
    pointers=(Pointer(Pledge, follow),),
    resealed={Pledge: pledges.resealed},
    due=(pledges.DUE,),
    upkeep=(forgetting(pledges.forget_old),),
    import_kinds=(GOODS,),
    jobs={PledgeJob.total: JobWork(pledges.total, Right.members_religion)},
    follows=(OfUnits(apply=pledges.carry, ended=pledges.end_all_in),),
    tags={"pledges": "What members pledge to the festivals of their branches."},
    audience={"pledges": frozenset({"mobile"})},
    listeners=(("after_commit", _count_commits),),
    problems=(_DATA / "trial.yaml",),
    notices=(pledges.WAITING,),
    checks=(pledges.wrong,),
    work=(offered.WORK,),
    figures=(offered.FIGURES,),
    figure_definitions=_DATA / "figures.yaml",
    sync=(offered.SYNC,),
    events=offered.NEWS,
    operations=(offered.OPERATION,),
)
