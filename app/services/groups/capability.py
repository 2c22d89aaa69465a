"""Groups beside branches, and who takes part in them."""

from app.models.groups.groups import Participation
from app.models.kernel.access import Right
from app.services.groups import groups, merging, news
from app.services.kernel.holdings import Holding
from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer, one_each
from app.services.kernel.tracking import DERIVED, Tracked
from app.services.kernel.unit_ends import AtEnd
from app.services.members.following import OfEndings
from app.services.members.standing import of_member
from app.services.units.followers import OfUnits

CAPABILITY = Capability(
    module=__name__,
    owned=(Participation,),
    unit_ends={
        Participation: AtEnd.ends,
    },
    tracked={
        Participation: Tracked(
            entity="participation",
            units=of_member(),
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    follows=(
        OfUnits(
            preview=groups.ensure_may_move,
            last_days=groups.last_days_in,
            counts=groups.counts_in,
            ended=groups.end_all_in,
            handed_over=groups.end_handed,
        ),
        OfEndings(ended=groups.follow_ending),
    ),
    problems=("groups.yaml",),
    holdings=(
        Holding(Participation, "Tham gia tổ, nhóm, câu lạc bộ", "The groups she took part in"),
    ),
    labels={
        "group_id": ("Tổ nhóm", "Group"),
    },
    tags={
        "groups": "Groups beside branches (tổ phụ nữ, clubs, ...) and who takes part in them.",
    },
    audience={
        "groups": frozenset({"mobile", "integration"}),
    },
    pointers=(Pointer(Participation, one_each(merging.same_participation, merging.widen)),),
    work=Without("taking part needs no approval"),
    figures=Without("counts of groups have endpoints of their own"),
    sync=(groups.SYNC,),
    events=news.NEWS,
    operations=Without("groups are changed while online"),
)
