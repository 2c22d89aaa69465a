"""Cadres: their posts, their training, their careers."""

from app.models.cadres.appointments import Appointment
from app.models.cadres.trainings import Training
from app.models.kernel.access import Right
from app.services.cadres import endings, figure_rows, lists, news
from app.services.kernel.holdings import ERASED_WORD, Holding, emptied
from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.tracking import DERIVED, Tracked, of_unit
from app.services.kernel.unit_ends import AtEnd
from app.services.members.following import OfEndings
from app.services.members.standing import of_member
from app.services.units.followers import OfUnits

CAPABILITY = Capability(
    module=__name__,
    owned=(Appointment, Training),
    unit_ends={
        Appointment: AtEnd.ends,
    },
    tracked={
        Appointment: Tracked(
            entity="appointment",
            units=of_unit(),
            read_right=Right.appointments_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
        Training: Tracked(
            entity="training",
            units=of_member(),
            read_right=Right.appointments_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    follows=(
        OfUnits(counts=endings.counts_in, ended=endings.end_all_in, handed_over=endings.end_handed),
        OfEndings(ended=endings.follow_ending),
    ),
    problems=("cadres.yaml",),
    holdings=(
        Holding(
            Appointment,
            "Chức vụ; giữ chức danh, đơn vị và nhiệm kỳ",
            "Her posts; post, unit and term stay",
            wiped=emptied("title", "decision_number", "ended_note"),
        ),
        Holding(
            Training,
            "Đào tạo, bồi dưỡng; giữ loại và ngày",
            "Her training; kind and days stay",
            wiped={"name": ERASED_WORD, **emptied("level", "institution", "certificate_number")},
            deletable=True,
        ),
    ),
    labels={
        "post": ("Chức vụ", "Post"),
        "level": ("Cấp", "Level"),
        "institution": ("Nơi đào tạo", "Institution"),
        "certificate_number": ("Số chứng chỉ", "Certificate"),
        "basis": ("Hình thức", "Basis"),
        "acting": ("Quyền", "Acting"),
        "payment": ("Chế độ chi trả", "Payment"),
        "congress_number": ("Đại hội lần thứ", "Congress"),
        "term_from": ("Nhiệm kỳ từ", "Term from"),
        "term_to": ("Nhiệm kỳ đến", "Term to"),
        "ended_note": ("Ghi chú khi thôi", "Note at the end"),
        "started_on": ("Ngày bắt đầu", "Started on"),
        "completed_on": ("Ngày hoàn thành", "Completed on"),
    },
    tags={
        "cadres": "Cadres (cán bộ): their posts, training, careers.",
    },
    audience={
        "cadres": frozenset({"mobile", "integration"}),
    },
    pointers=(Pointer(Appointment, follow), Pointer(Training, follow)),
    work=(lists.WORK,),
    figures=figure_rows.FIGURES,
    sync=(lists.POST_NAMES, lists.SYNC),
    events=news.NEWS,
    operations=Without("appointments are decided while online"),
)
