"""Lists that come in as files: preview, correction, undo."""

from app.models.imports.imports import Import, ImportMapping, ImportPart, ImportRow
from app.services.kernel.manifest import Capability

CAPABILITY = Capability(
    module=__name__,
    owned=(Import, ImportPart, ImportRow, ImportMapping),
    problems=("imports.yaml",),
)
