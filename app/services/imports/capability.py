"""Lists that come in as files: preview, correction, undo."""

from app.models.imports.bulk import BulkSet
from app.models.imports.imports import Import, ImportJob, ImportPart
from app.models.imports.memory import ImportMemory
from app.models.imports.rows import ImportRow
from app.models.kernel.access import Right
from app.services.imports import apply, lists, memory, preview, store, undo
from app.services.imports.of_appointments import APPOINTMENTS
from app.services.imports.of_households import HOUSEHOLDS
from app.services.imports.of_members import MEMBERS
from app.services.imports.of_reviews import POVERTY_DECISIONS
from app.services.kernel.holdings import Scanned
from app.services.kernel.manifest import Capability, JobWork, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.retention import Kept
from app.services.kernel.tracking import DERIVED, Tracked, of_unit
from app.services.kernel.unit_ends import Stays
from app.services.units.followers import OfUnits

CAPABILITY = Capability(
    module=__name__,
    owned=(Import, ImportPart, ImportRow, ImportMemory, BulkSet),
    unit_ends={
        Import: Stays("it is not applied any more"),
        ImportRow: Stays("it is not applied any more"),
        ImportMemory: Stays("names the unit whose files are written like that"),
    },
    tracked={
        ImportMemory: Tracked(
            entity="import_memory",
            units=of_unit(),
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "shape", "updated_by"},
            secret=frozenset({"meanings"}),
        ),
    },
    follows=(OfUnits(counts=store.counts_in),),
    problems=("imports.yaml",),
    scanned=(
        Scanned(
            Import,
            "Tệp danh sách đã gửi lên",
            "What was found in lists that came in as files",
            frozenset({"file_name", "reading", "meanings"}),
            frozenset({"kind", "sheet", "mapping", "options", "summary", "problem", "batch"}),
            passing=True,
        ),
        Scanned(
            ImportPart,
            "Nội dung tệp danh sách có người này",
            "Files of lists that name her: they go whole",
            frozenset({"content"}),
            deleted=True,
            passing=True,
        ),
        Scanned(
            ImportRow,
            "Nội dung các dòng của tệp đó",
            "What the rows of those files said",
            frozenset({"content"}),
            frozenset({"accepted"}),
            passing=True,
        ),
        Scanned(
            BulkSet,
            "Kết quả đã trả cho các dòng gửi hàng loạt",
            "What was answered to lines that came in bulk",
            frozenset({"verdicts"}),
            frozenset({"digest"}),
            passing=True,
        ),
        Scanned(
            ImportMemory,
            "Cách hiểu ô chữ trong tệp có nhắc tên người này",
            "What the texts of lists mean, where a text names her",
            frozenset({"meanings"}),
            frozenset({"kind", "shape", "headers", "fields", "options"}),
        ),
    ),
    forget_all=(store.forget_about, memory.forget_about),
    retention=(
        Kept(
            model=Import,
            vi="Tệp danh sách đã gửi lên và nội dung các dòng",
            en="Lists that came in as files, and what their rows said",
            days=90,
            reason_vi="Để sửa và gửi lại; kết quả của từng dòng vẫn được giữ.",
            reason_en="So that they can be corrected and sent again; what each row did stays known.",
            setting="HOISO_IMPORT_DAYS",
        ),
    ),
    jobs={
        ImportJob.preview: JobWork(preview.run, Right.members_read),
        ImportJob.apply: JobWork(apply.run, Right.members_read),
        ImportJob.undo: JobWork(undo.run, Right.members_read),
    },
    import_kinds=(MEMBERS, HOUSEHOLDS, APPOINTMENTS, POVERTY_DECISIONS),
    upkeep=(Upkeep(run=store.forget_old, forgets=True),),
    resealed={ImportRow: store.resealed},
    tags={
        "imports": "Lists that come in as files (nhập danh sách): preview, correction, undo.",
        "bulk": "Records that other systems push, by the rules of imports.",
    },
    audience={
        "imports": frozenset({"mobile", "integration"}),
        "bulk": frozenset({"integration"}),
    },
    work=(lists.WORK,),
    figures=Without("lists are counted where their rows go"),
    sync=Without("files are sent while online"),
    events=Without("what a list writes is in the change log"),
    operations=Without("files are read by the server"),
)
