"""What followers of the feed read of events and sessions."""

from app.models.events.events import Event, EventRead, EventSession
from app.models.events.rsvps import Rsvp, RsvpRead
from app.models.events.sessions import SessionRead
from app.services.kernel.offers import News, NewsKind
from app.services.members.news import of_member

_OF_A_SESSION = "it is read with its session"
NEWS = News(
    kinds=(
        NewsKind(entity="event", schema=EventRead, place=Event),
        NewsKind(entity="event_session", schema=SessionRead, place=EventSession),
        NewsKind(entity="rsvp", schema=RsvpRead, **of_member(Rsvp)),
    ),
    untold={
        **dict.fromkeys(("room", "minutes", "session_picture", "reminder"), _OF_A_SESSION),
        "calendar_link": "it is a secret of one account",
    },
)
