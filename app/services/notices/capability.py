"""The inbox of every account: what somebody else posts there."""

from app.models.notices.notifications import Notification
from app.services.kernel.holdings import Holding
from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without
from app.services.kernel.retention import BY_KIND, Kept

CAPABILITY = Capability(
    module=__name__,
    owned=(Notification,),
    holdings=(
        Holding(
            Notification,
            "Thông báo đã nhận",
            "Messages in her inbox",
            by="account_id",
            of_account=True,
            tells_nobody=frozenset({"kind", "occasion"}),
            deleted=True,
        ),
    ),
    retention=(
        Kept(
            model=Notification,
            vi="Thông báo trong hộp thư",
            en="Notices in inboxes",
            days=365,
            reason_vi="Để chị em còn xem lại lời mời và việc đã báo trong năm.",
            reason_en="So that invitations and tasks of the year can be read again.",
            setting=BY_KIND,
            column="created_at",
        ),
    ),
    labels={
        "entity_id": ("Về bản ghi", "About"),
        "occasion": ("Dịp", "Occasion"),
        "read_at": ("Đọc lúc", "Read at"),
    },
    work=Without("a notice is read and not decided on"),
    figures=Without("an inbox counts nothing of the union"),
    sync=Without("an inbox is read while online"),
    events=Without("a notice tells of news and is none"),
    operations=Without("an inbox is read while online"),
)
