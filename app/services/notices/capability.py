"""The inbox of every account: what somebody else posts there."""

from app.models.notices.notifications import Notification
from app.services.kernel.manifest import Capability

CAPABILITY = Capability(module=__name__, owned=(Notification,))
