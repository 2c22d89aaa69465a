"""Files that belong to records: sent piece by piece, sealed at rest, read by who reads the record."""

from datetime import timedelta

from app.models.files.files import FilePiece, FileUpload, StoredFile
from app.models.kernel.access import Right
from app.services.files import keeping
from app.services.kernel.holdings import Holding
from app.services.kernel.manifest import Capability, Upkeep, forgetting
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.retention import Kept
from app.services.kernel.tracking import DERIVED, Tracked, of_unit
from app.services.kernel.unit_ends import Stays

CAPABILITY = Capability(
    module=__name__,
    owned=(FileUpload, FilePiece, StoredFile),
    unit_ends={StoredFile: Stays("names the unit whose account has sent the file")},
    tracked={
        StoredFile: Tracked(
            entity="file",
            units=of_unit("unit_id"),
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id", "unit_id", "object_id", "thumbnail_id", "secret"},
        ),
    },
    holdings=(
        Holding(
            StoredFile,
            "Ảnh của chị",
            "Her pictures",
            by="used_by",
            # Without it the bytes cannot be read.
            wiped={"secret": ""},
            tells_nobody=frozenset({"kind", "media_type", "used_as"}),
            internal=frozenset({"secret", "object_id", "thumbnail_id"}),
            deleted=True,
        ),
        Holding(
            FileUpload,
            "Tệp đang tải lên dở",
            "Files she was sending",
            by="account_id",
            wiped={"secret": ""},
            of_account=True,
            tells_nobody=frozenset({"kind", "media_type", "refused"}),
            internal=frozenset({"secret"}),
            deleted=True,
            passing=True,
        ),
    ),
    nobody={FilePiece: frozenset()},
    retention=(
        Kept(
            model=StoredFile,
            vi="Tệp",
            en="Files",
            days=None,
            reason_vi="Giữ cùng với hồ sơ có tệp; tệp chưa gắn vào hồ sơ nào bị xóa sau 7 ngày.",
            reason_en="Kept with what has them; a file that nothing has is deleted after 7 days.",
        ),
    ),
    labels={
        "media_type": ("Loại tệp", "Type of file"),
        "length": ("Số byte đã gửi", "Bytes sent"),
        "size": ("Số byte lưu giữ", "Bytes kept"),
        "width": ("Chiều rộng (điểm ảnh)", "Width in pixels"),
        "height": ("Chiều cao (điểm ảnh)", "Height in pixels"),
        "used_as": ("Dùng cho", "Used for"),
        "used_by": ("Thuộc hồ sơ", "Belongs to"),
        "offset": ("Số byte đã đến", "Bytes that have arrived"),
        "refused": ("Lý do không nhận", "Why it was refused"),
    },
    # What the record that was kept has from then on: its field names one of them.
    pointers=(Pointer(StoredFile, follow, column="used_by"),),
    upkeep=(
        forgetting(keeping.forget_expired),
        Upkeep(run=keeping.remove_unnamed, every=timedelta(hours=6)),
    ),
    problems=("files.yaml",),
    tags={"files": "Files (tệp): resumable uploads (tus 1.0), pictures and documents."},
    audience={"files": frozenset({"mobile"})},
    work=Without("a file is sent by who has it at hand"),
    figures=Without("files are counted by nobody"),
    sync=Without("files are fetched one by one when they are shown"),
    events=Without("files are told by the rows that show them"),
    operations=Without("files are sent by an upload that can be resumed"),
)
