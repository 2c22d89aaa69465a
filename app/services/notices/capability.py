"""The inbox of every account: what somebody else posts there."""

from app.models.notices.notifications import Notification
from app.services.kernel.holdings import Holding
from app.services.kernel.manifest import Capability

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
            deleted=True,
        ),
    ),
)
