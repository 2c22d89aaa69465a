"""Exports of whole records for other systems: one consistent snapshot in files."""

from app.models.exports.exports import BulkExport, ExportFile, ExportJob
from app.services.exports import keeping, making
from app.services.kernel.holdings import Scanned
from app.services.kernel.manifest import Capability, JobWork, forgetting
from app.services.kernel.offers import Without
from app.services.kernel.retention import BY_KIND, Kept
from app.services.kernel.unit_ends import Stays

CAPABILITY = Capability(
    module=__name__,
    owned=(BulkExport, ExportFile),
    unit_ends={BulkExport: Stays("names the unit whose records were exported")},
    scanned=(
        Scanned(
            ExportFile,
            "Tệp xuất dữ liệu có thể có người này: được xoá hết",
            "Files of exports that may have her: all of them go",
            frozenset(),
            tells_nobody=frozenset({"kind", "name", "columns", "sha256"}),
            deleted=True,
            passing=True,
        ),
    ),
    nobody={BulkExport: frozenset({"kinds", "fields", "position", "since"})},
    forget_all=(keeping.forget_about,),
    retention=(
        Kept(
            model=BulkExport,
            vi="Các lần xuất dữ liệu",
            en="Exports of records",
            days=90,
            reason_vi="Để biết đã xuất gì; tệp bị xoá sau 24 giờ.",
            reason_en="To know what was exported; the files are deleted after 24 hours.",
            setting=BY_KIND,
            column="created_at",
        ),
    ),
    upkeep=(forgetting(keeping.forget_expired),),
    jobs={ExportJob.export: JobWork(making.run, None)},
    problems=("exports.yaml",),
    tags={"exports": "Exports (xuất dữ liệu): whole records of one moment, in files."},
    audience={"exports": frozenset({"integration"})},
    work=Without("an export waits for nobody"),
    figures=Without("it counts nothing of the union"),
    sync=Without("it hands on what others offer"),
    events=Without("it changes no record"),
    operations=Without("files are fetched while online"),
)
