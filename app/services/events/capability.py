"""Events: their sessions and rooms, answers to invitations, minutes, reminders, calendars."""

from datetime import timedelta

from app.models.events.calendar_links import CalendarLink
from app.models.events.events import (
    Event,
    EventSession,
    EventSessionUnit,
    EventUnit,
    EventWithdrawal,
    Room,
)
from app.models.events.minutes import SessionMinutes
from app.models.events.pictures import SessionPicture
from app.models.events.reminders import EventJob, Reminder
from app.models.events.rsvps import Rsvp
from app.models.kernel.access import Right
from app.services.events import (
    figure_rows,
    inheriting,
    merging,
    news,
    notices,
    on_phones,
    operations,
    reminders,
    scope,
)
from app.services.events.standing import of_host, of_session
from app.services.kernel.holdings import Holding, emptied
from app.services.kernel.manifest import Capability, JobWork, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer, one_each
from app.services.kernel.tracking import DERIVED, PATH, Tracked, of_account
from app.services.kernel.unit_ends import AtEnd, OfDay, Stays
from app.services.members.standing import of_member
from app.services.units.followers import OfUnits

CAPABILITY = Capability(
    module=__name__,
    owned=(
        *(Event, EventUnit, EventSession, EventSessionUnit, Room, Rsvp, SessionMinutes),
        *(EventWithdrawal, Reminder, CalendarLink, SessionPicture),
    ),
    unit_ends={
        Event: AtEnd.refuses,
        EventSession: AtEnd.refuses,
        EventUnit: Stays("names who was invited"),
        EventSessionUnit: Stays("names who was invited"),
        EventWithdrawal: Stays("names who was invited once"),
        Room: Stays("names who met there"),
        Rsvp: OfDay(("answered_at",)),
        CalendarLink: Stays("shows what the unit has held"),
    },
    tracked={
        Event: Tracked(
            entity="event",
            units=of_host,
            read_right=Right.events_read,
            left_out=DERIVED | set(PATH) | {"id", "title_key"},
            moved_by="host_id",
        ),
        EventSession: Tracked(
            entity="event_session",
            units=of_host,
            read_right=Right.events_read,
            left_out=DERIVED | set(PATH) | {"id", "number"},
            masks={"join_url": Right.events_write},
            moved_by="host_id",
        ),
        Room: Tracked(
            entity="room",
            units=of_session,
            read_right=Right.events_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
        Rsvp: Tracked(
            entity="rsvp",
            units=of_member(),
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id", "commune_id"},
        ),
        SessionMinutes: Tracked(
            entity="minutes",
            units=of_session,
            read_right=Right.events_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
        SessionPicture: Tracked(
            entity="session_picture",
            units=of_session,
            read_right=Right.events_read,
            left_out=DERIVED | {"id"},
        ),
        Reminder: Tracked(
            entity="reminder",
            units=of_session,
            read_right=Right.events_read,
            left_out=DERIVED | {"id", "province_id", "sign_in_id"},
        ),
        CalendarLink: Tracked(
            entity="calendar_link",
            units=of_account,
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id"},
            secret=frozenset({"token_digest"}),
        ),
    },
    follows=(
        OfUnits(
            apply=scope.carry,
            columns=PATH,
            counts=scope.counts_in,
            preview=inheriting.ensure_taken,
            inherited=inheriting.inherit,
            returned=inheriting.give_back,
        ),
    ),
    problems=("events.yaml",),
    holdings=(
        Holding(
            Rsvp,
            "Trả lời lời mời; giữ câu trả lời",
            "Her answers to invitations; the answer stays",
            wiped=emptied("reason"),
        ),
        Holding(
            CalendarLink,
            "Đường dẫn lịch",
            "Links to her calendars",
            by="account_id",
            of_account=True,
            tells_nobody=frozenset({"token_digest"}),
            internal=frozenset({"token_digest"}),
            deleted=True,
        ),
    ),
    nobody={
        Event: frozenset(
            {
                *("title", "title_key", "kind", "tag", "place", "organiser", "agenda", "summary"),
                *("image_url", "reason", "host_unit_ids", "invited_unit_ids"),
                *("documents", "recurrence"),
            }
        ),
        EventUnit: frozenset(),
        EventWithdrawal: frozenset(),
        EventSession: frozenset({"title", "place", "join_url", "reason"}),
        EventSessionUnit: frozenset(),
        Room: frozenset({"name", "place", "device_note"}),
        SessionMinutes: frozenset({"body", "decisions", "attachments", "photos"}),
        SessionPicture: frozenset({"caption", "taken_by"}),
        Reminder: frozenset({"text"}),
    },
    jobs={
        EventJob.reminder: JobWork(reminders.send, None),
        EventJob.notice: JobWork(notices.send, None),
    },
    notices=notices.KINDS,
    due=(reminders.DUE,),
    # They go out to the minute.
    upkeep=(Upkeep(run=reminders.send_due, every=timedelta(minutes=1)),),
    tags={
        "events": "Events (sự kiện), sessions (buổi), rooms (điểm cầu), answers to invitations, minutes.",
        "calendars": "Calendars for phones (.ics), what may be shared, my inbox.",
    },
    audience={
        "events": frozenset({"mobile", "integration"}),
        "calendars": frozenset({"mobile"}),
    },
    pointers=(Pointer(Rsvp, one_each(merging.same_session, merging.last_answer)),),
    labels={
        "answered_at": ("Trả lời lúc", "Answered at"),
    },
    work=Without("invitations are read in the inbox"),
    figures=figure_rows.FIGURES,
    sync=on_phones.SYNC,
    events=news.NEWS,
    operations=operations.KINDS,
)
