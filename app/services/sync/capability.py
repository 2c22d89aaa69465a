"""Sync with phones: what they keep, what has changed, and what they wrote while they were offline."""

from datetime import timedelta

from app.models.sync.operations import PushedOperation
from app.services.kernel.holdings import Scanned
from app.services.kernel.manifest import Capability, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.retention import BY_KIND, Kept
from app.services.kernel.unit_ends import Stays
from app.services.sync import forgetting, inbox, waiting

CAPABILITY = Capability(
    module=__name__,
    owned=(PushedOperation,),
    unit_ends={
        PushedOperation: Stays("waits for those who have the unit's records since"),
    },
    scanned=(
        Scanned(
            PushedOperation,
            "Thao tác gửi từ điện thoại đang chờ xử lý, và kết quả xử lý",
            "What phones sent and still waits, and what was answered",
            frozenset({"patch", "told"}),
            tells_nobody=frozenset({"kind", "code", "depends_on"}),
        ),
    ),
    forget_all=(forgetting.forget_about,),
    retention=(
        Kept(
            model=PushedOperation,
            vi="Thao tác gửi từ điện thoại",
            en="What phones sent",
            days=400,
            reason_vi="Để điện thoại gửi lại không ghi hai lần; nội dung chỉ giữ khi còn chờ xử lý.",
            reason_en="So that nothing sent again is done twice; what it says is kept only while it waits.",
            setting=BY_KIND,
            column="received_at",
        ),
    ),
    upkeep=(
        Upkeep(run=waiting.tend, every=timedelta(minutes=1)),
        Upkeep(run=waiting.follow_up),
    ),
    problems=("sync.yaml",),
    tags={"sync": "What a phone keeps, and what it hands in."},
    audience={"sync": frozenset({"mobile"})},
    work=(inbox.WORK,),
    figures=Without("it counts nothing of the union"),
    sync=Without("it hands on what others offer"),
    events=Without("what operations change is in the change log"),
    operations=Without("it does those of others"),
)
