"""Privacy: consents, requests about personal data, limits of processing, erasure."""

from app.models.kernel.access import Right
from app.models.privacy.consents import Consent
from app.models.privacy.erasures import Anonymisation, AnonymisationPolicy, Erasure, PrivacyJob
from app.models.privacy.limits import ProcessingLimit
from app.models.privacy.requests import PrivacyRequest
from app.services.kernel.holdings import Holding, emptied
from app.services.kernel.manifest import Capability, JobWork, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.retention import Kept
from app.services.kernel.tracking import DERIVED, Tracked
from app.services.kernel.unit_ends import Stays
from app.services.members.standing import of_member
from app.services.privacy import (
    anonymisations,
    erasures,
    journal,
    merging,
    request_lists,
    requests,
    retention,
)

# Notes and answers may reveal more than the act: the log only holds that there are some.
_WORDS_OF_CONSENT = frozenset(
    {
        *("evidence_reference", "note", "representative", "representative_relation"),
        "withdrawal_note",
    }
)

CAPABILITY = Capability(
    module=__name__,
    owned=(
        *(Consent, PrivacyRequest, ProcessingLimit),
        *(Erasure, Anonymisation, AnonymisationPolicy),
    ),
    unit_ends={
        Erasure: Stays("names the place of the day of the erasure"),
        Anonymisation: Stays("what the unit has left behind is still anonymised"),
        AnonymisationPolicy: Stays("what the unit has left behind is still anonymised"),
    },
    tracked={
        Consent: Tracked(
            entity="consent",
            units=of_member(),
            read_right=Right.privacy_record,
            left_out=DERIVED | {"id", "province_id"},
            secret=_WORDS_OF_CONSENT,
        ),
        PrivacyRequest: Tracked(
            entity="privacy_request",
            units=of_member(),
            read_right=Right.privacy_read,
            left_out=DERIVED | {"id", "province_id"},
            secret=frozenset({"note", "extension_reason", "answer"}),
        ),
        ProcessingLimit: Tracked(
            entity="processing_limit",
            units=of_member(),
            read_right=Right.privacy_read,
            left_out=DERIVED | {"id", "province_id"},
            secret=frozenset({"reference", "note", "lifted_note"}),
        ),
    },
    problems=("privacy.yaml",),
    holdings=(
        Holding(
            Consent,
            "Sự đồng ý; giữ mục đích, ngày và loại bằng chứng",
            "Her consents; purpose, days and kind of evidence stay",
            wiped=emptied(
                "evidence_reference",
                "note",
                "representative",
                "representative_relation",
                "withdrawal_note",
            ),
            tells_nobody=frozenset({"purpose", "text"}),
        ),
        Holding(
            PrivacyRequest,
            "Yêu cầu về dữ liệu; giữ loại và hạn để chứng minh đã làm",
            "Her requests; kind and deadlines stay, to show that they were met",
            wiped=emptied("note", "extension_reason", "answer"),
            tells_nobody=frozenset({"purpose", "rules"}),
        ),
        Holding(
            ProcessingLimit,
            "Hạn chế, phản đối, lưu giữ pháp lý",
            "Restrictions, objections and legal holds",
            wiped=emptied("reference", "note", "lifted_note"),
            tells_nobody=frozenset({"purpose"}),
        ),
    ),
    nobody={
        Erasure: frozenset({"effects", "digest"}),
        Anonymisation: frozenset(),
        AnonymisationPolicy: frozenset({"decision_number"}),
    },
    retention=(
        Kept(
            model=Consent,
            vi="Sự đồng ý",
            en="Consents",
            days=None,
            reason_vi="Phải chứng minh được sự đồng ý.",
            reason_en="Consent has to be provable.",
        ),
        Kept(
            model=PrivacyRequest,
            vi="Yêu cầu về dữ liệu cá nhân",
            en="Requests about personal data",
            days=None,
            reason_vi="Phải chứng minh đã trả lời đúng hạn; nội dung bị làm trống khi xoá danh tính.",
            reason_en="That they were answered in time has to be provable; an erasure empties their words.",
        ),
        Kept(
            model=Erasure,
            vi="Biên nhận xoá danh tính",
            en="Receipts of erasures",
            days=None,
            reason_vi="Không chứa danh tính; để xoá lại khi phục hồi bản sao lưu.",
            reason_en="They hold no identity, and say what to erase again when a backup is restored.",
        ),
    ),
    labels={
        "purpose": ("Mục đích", "Purpose"),
        "text": ("Bản nội dung", "Version of the text"),
        "decision": ("Trả lời", "Answer given"),
        "evidence_reference": ("Số phiếu", "Reference"),
        "representative": ("Người đại diện", "Representative"),
        "recorded_on": ("Ngày ghi nhận", "Recorded on"),
        "recorded_by": ("Người ghi nhận", "Recorded by"),
        "withdrawn_on": ("Ngày rút", "Withdrawn on"),
        "received_on": ("Ngày nhận", "Received on"),
        "answer_due_on": ("Hạn trả lời", "Answer due on"),
        "reference": ("Số tham chiếu", "Reference"),
        "representative_relation": ("Quan hệ của người đại diện", "Relation of the representative"),
        "withdrawn_by": ("Người ghi việc rút lại", "Withdrawn by"),
        "withdrawal_evidence": ("Bằng chứng rút lại", "Evidence of the withdrawal"),
        "withdrawal_note": ("Ghi chú khi rút lại", "Note of the withdrawal"),
        "superseded_at": ("Thay thế lúc", "Superseded at"),
        "channel": ("Kênh tiếp nhận", "Channel"),
        "with_processors": ("Có bên xử lý khác", "With processors"),
        "rules": ("Phiên bản thời hạn", "Version of the deadlines"),
        "assigned_to": ("Người được giao", "Assigned to"),
        "acknowledged_by": ("Người xác nhận", "Acknowledged by"),
        "acknowledged_at": ("Xác nhận lúc", "Acknowledged at"),
        "extended_by": ("Người gia hạn", "Extended by"),
        "extension_reason": ("Lý do gia hạn", "Reason of the extension"),
        "set_by": ("Người đặt hạn chế", "Set by"),
        "lifted_by": ("Người gỡ hạn chế", "Lifted by"),
        "lifted_note": ("Ghi chú khi gỡ", "Note of the lifting"),
    },
    jobs={
        PrivacyJob.sweep: JobWork(erasures.sweep, None),
        PrivacyJob.anonymisation: JobWork(anonymisations.carry_out, Right.privacy_erase),
    },
    upkeep=(
        Upkeep(run=anonymisations.lapse),
        Upkeep(run=erasures.sweep_late),
        Upkeep(run=journal.settle),
        Upkeep(run=retention.forget_due, forgets=True),
    ),
    tags={
        "privacy": "What people say about their data: consents, requests with deadlines, limits, erasure.",
    },
    audience={
        "privacy": frozenset({"mobile"}),
    },
    # Who was erased is merged with nobody.
    pointers=(
        Pointer(Consent, merging.latest_answers),
        Pointer(PrivacyRequest, follow),
        Pointer(ProcessingLimit, follow),
        Pointer(Erasure, None),
    ),
    notices=(requests.WAITING, anonymisations.WAITING),
    work=(request_lists.WORK,),
    figures=Without("requests are no figures of the union"),
    sync=Without("what people ask about their data stays on the server"),
    events=Without("what people ask about their data stays on the server"),
    operations=Without("what people decide about their data is written while online"),
)
