"""What everything else stands on: the change log, jobs, answers kept for a retry."""

from app.models.kernel.access_log import AccessRead
from app.models.kernel.changes import Change, Feed, FeedHead, Outbox
from app.models.kernel.export_log import ExportRecord
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.kernel.jobs import Job
from app.services.kernel import flushes
from app.services.kernel.manifest import Capability

CAPABILITY = Capability(
    module=__name__,
    owned=(Change, Feed, FeedHead, Outbox, Job, IdempotentAnswer, AccessRead, ExportRecord),
    listeners=flushes.LISTENERS,
    problems=("kernel.yaml", "http.yaml"),
)
