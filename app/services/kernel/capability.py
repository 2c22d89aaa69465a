"""The base of all capabilities: the change log, jobs, answers stored for retries."""

from app.models.kernel.access_log import AccessRead
from app.models.kernel.changes import Change, Feed, FeedHead, Outbox
from app.models.kernel.export_log import ExportRecord
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.kernel.jobs import Job
from app.services.kernel import access_log, export_log, flushes, idempotency, jobs
from app.services.kernel.holdings import Holding, Scanned, emptied
from app.services.kernel.manifest import Capability, Upkeep, forgetting
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer
from app.services.kernel.retention import BY_KIND, Kept
from app.services.kernel.unit_ends import Stays

CAPABILITY = Capability(
    module=__name__,
    owned=(Change, Feed, FeedHead, Outbox, Job, IdempotentAnswer, AccessRead, ExportRecord),
    unit_ends={
        Feed: Stays("the log names the place of the day of a change"),
        Outbox: Stays("the log names the place of the day of a change"),
        Job: Stays("a job belongs to the account that asked for it"),
    },
    listeners=flushes.LISTENERS,
    problems=("kernel.yaml", "http.yaml"),
    holdings=(
        Holding(
            AccessRead,
            "Nhật ký ai đã xem dữ liệu nhạy cảm (chỉ tên trường)",
            "Who read her sensitive data (names of fields alone)",
            tells_nobody=frozenset({"fields"}),
        ),
        Holding(
            Job,
            "Việc chạy nền chị đã yêu cầu; chỉ giữ mã và số liệu",
            "Long work she asked for; ids and figures stay",
            by="account_id",
            of_account=True,
            wiped=emptied("device"),
            tells_nobody=frozenset({"kind", "request_id", "args", "result", "problem"}),
            internal=frozenset({"args", "result", "problem"}),
            passing=True,
        ),
    ),
    scanned=(
        Scanned(
            Change,
            "Giá trị cũ và mới trong nhật ký thay đổi",
            "What the change log holds of her, before and after",
            frozenset({"before", "after", "device"}),
            frozenset({"request_id", "source_ref", "entity", "entity_id"}),
            passing=True,
        ),
        Scanned(
            ExportRecord,
            "Từ khoá tìm kiếm trong nhật ký xuất tệp",
            "What was searched for in lists that left as files",
            frozenset({"filters"}),
            frozenset({"request_id", "path", "fields"}),
            passing=True,
        ),
        Scanned(
            IdempotentAnswer,
            "Câu trả lời được giữ một ngày để gửi lại không ghi hai lần",
            "Answers kept for a day for their Idempotency-Key",
            frozenset({"body"}),
            frozenset({"key", "request_digest", "grants_digest", "headers"}),
            passing=True,
        ),
    ),
    forget_all=(export_log.forget_about, idempotency.forget_about),
    nobody={
        Feed: frozenset({"entity", "entity_id"}),
        FeedHead: frozenset(),
        Outbox: frozenset({"entity", "entity_id"}),
    },
    retention=(
        Kept(
            model=Change,
            vi="Nhật ký thay đổi",
            en="The change log",
            days=None,
            reason_vi="Kiểm tra và đồng bộ cần toàn bộ; giá trị của người đã xoá được làm trống.",
            reason_en="Audit and sync need all of it; the values of whoever is erased are emptied.",
        ),
        Kept(
            model=AccessRead,
            vi="Nhật ký xem dữ liệu nhạy cảm",
            en="Who read sensitive data",
            days=730,
            reason_vi="Để hội viên biết ai đã xem.",
            reason_en="So that a member can see who read about her.",
            setting="HOISO_ACCESS_LOG_DAYS",
        ),
        Kept(
            model=ExportRecord,
            vi="Nhật ký xuất tệp",
            en="Which lists left as files",
            days=730,
            reason_vi="Để biết danh sách nào đã ra ngoài.",
            reason_en="To know which lists have left.",
            setting=BY_KIND,
            column="at",
        ),
        Kept(
            model=Job,
            vi="Việc chạy nền đã xong",
            en="Long work that is over",
            days=30,
            reason_vi="Để hỏi lại kết quả.",
            reason_en="So that its outcome can be asked for.",
            setting="HOISO_JOB_DAYS",
        ),
        Kept(
            model=IdempotentAnswer,
            vi="Câu trả lời giữ cho lần gửi lại",
            en="Answers kept for their Idempotency-Key",
            days=1,
            reason_vi="Để gửi lại không làm hai lần.",
            reason_en="So that what is sent again is not done twice.",
        ),
    ),
    labels={
        "full_name": ("Họ và tên", "Full name"),
        "birth_date": ("Ngày sinh", "Date of birth"),
        "birth_year": ("Năm sinh", "Year of birth"),
        "gender": ("Giới tính", "Gender"),
        "kind": ("Loại", "Kind"),
        "status": ("Tình trạng", "Status"),
        "state": ("Trạng thái", "State"),
        "branch_id": ("Chi hội", "Branch"),
        "commune_id": ("Xã", "Commune"),
        "province_id": ("Tỉnh", "Province"),
        "unit_id": ("Đơn vị", "Unit"),
        "from_branch_id": ("Từ chi hội", "From branch"),
        "to_branch_id": ("Đến chi hội", "To branch"),
        "address": ("Nơi ở", "Address"),
        "household_id": ("Hộ", "Household"),
        "photo": ("Ảnh", "Photo"),
        "valid_from": ("Từ ngày", "From"),
        "valid_to": ("Đến ngày", "To"),
        "reason": ("Lý do", "Reason"),
        "note": ("Ghi chú", "Note"),
        "title": ("Chức danh", "Title"),
        "decision_number": ("Số quyết định", "Decision"),
        "decided_on": ("Ngày quyết định", "Decided on"),
        "name": ("Tên", "Name"),
        "evidence": ("Bằng chứng", "Evidence"),
        "due_on": ("Hạn thực hiện", "Due on"),
        "answer": ("Trả lời", "Answer"),
        "before": ("Trước", "Before"),
        "requested_by": ("Người đề nghị", "Requested by"),
        "decided_by": ("Người quyết định", "Decided by"),
        "account_id": ("Tài khoản", "Account"),
        "device": ("Thiết bị", "Device"),
        "day": ("Ngày", "Day"),
        "how": ("Cách xem", "How"),
        "fields": ("Các trường", "Fields"),
        "times": ("Số lần", "Times"),
        "last_at": ("Lần cuối", "Last at"),
        "entity": ("Loại bản ghi", "Kind of record"),
        "operation": ("Thao tác", "Operation"),
        "source": ("Nguồn", "Source"),
        "created_at": ("Ghi lúc", "Recorded at"),
        "updated_at": ("Sửa lúc", "Changed at"),
    },
    upkeep=(
        Upkeep(run=jobs.forget_old, forgets=True),
        Upkeep(run=access_log.forget_due, forgets=True),
        forgetting(idempotency.forget_old),
    ),
    tags={
        "jobs": "Long work I asked for: how far it is, what came of it.",
        "health": "Liveness, readiness and the published signing keys.",
    },
    audience={
        "jobs": frozenset({"mobile", "integration"}),
        "health": frozenset({"integration"}),
    },
    # Reads stay with the record that was read: it is found by its former ids too.
    pointers=(Pointer(AccessRead, None),),
    work=Without("jobs run by themselves"),
    figures=Without("it counts nothing of the union"),
    sync=Without("logs and jobs stay on the server"),
    events=Without("the change log is what feeds are made of"),
)
