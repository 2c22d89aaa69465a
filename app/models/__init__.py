"""Every table, so that Alembic and foreign keys find them. Nothing else lives here."""

from app.models.attendance.attendance import Attendance, Capture
from app.models.attendance.cards import MemberCard
from app.models.attendance.counts import FrozenCount
from app.models.cadres.appointments import Appointment
from app.models.cadres.trainings import Training
from app.models.duplicates.duplicates import DuplicatePair
from app.models.duplicates.merges import Merge
from app.models.events.calendar_links import CalendarLink
from app.models.events.events import Event, EventSession, EventSessionUnit, EventUnit, Room
from app.models.events.minutes import SessionMinutes
from app.models.events.reminders import Reminder
from app.models.events.rsvps import Rsvp
from app.models.groups.groups import Participation
from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdPerson,
    HouseholdPlace,
)
from app.models.imports.imports import Import, ImportMapping, ImportPart
from app.models.imports.rows import ImportRow
from app.models.kernel.access import Grant
from app.models.kernel.access_log import AccessRead
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, Feed, FeedHead, Outbox
from app.models.kernel.export_log import ExportRecord
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.kernel.jobs import Job
from app.models.kernel.sessions import AuthSession, RefreshToken
from app.models.kernel.units import Unit, UnitClosure, UnitEdge, UnitIdentifier, UnitSuccession
from app.models.members.corrections import CorrectionRequest
from app.models.members.members import Member, MemberIdentifier, NameEntry, NameWord
from app.models.members.spells import Membership
from app.models.memberships.transfers import Transfer
from app.models.notices.notifications import Notification
from app.models.poverty.flows import PovertyFlow, PovertyStay
from app.models.poverty.poverty import Assessment, PovertyStatus
from app.models.privacy.consents import Consent
from app.models.privacy.erasures import Anonymisation, AnonymisationPolicy, Erasure
from app.models.privacy.limits import ProcessingLimit
from app.models.privacy.requests import PrivacyRequest
from app.models.support.escape_paths import EscapeCheck, EscapePath, EscapeStep
from app.models.support.loans import LoanFigure
from app.models.support.support import Support
from app.models.support.visits import HouseholdVisit

__all__ = [
    "AccessRead",
    "Account",
    "Anonymisation",
    "AnonymisationPolicy",
    "Appointment",
    "Assessment",
    "Attendance",
    "AuthSession",
    "CalendarLink",
    "Capture",
    "Change",
    "Consent",
    "CorrectionRequest",
    "DuplicatePair",
    "Erasure",
    "EscapeCheck",
    "EscapePath",
    "EscapeStep",
    "Event",
    "EventSession",
    "EventSessionUnit",
    "EventUnit",
    "ExportRecord",
    "Feed",
    "FeedHead",
    "FrozenCount",
    "Grant",
    "Household",
    "HouseholdEvent",
    "HouseholdPerson",
    "HouseholdPlace",
    "HouseholdVisit",
    "IdempotentAnswer",
    "Import",
    "ImportMapping",
    "ImportPart",
    "ImportRow",
    "Job",
    "LoanFigure",
    "Member",
    "MemberCard",
    "MemberIdentifier",
    "Membership",
    "Merge",
    "NameEntry",
    "NameWord",
    "Notification",
    "Outbox",
    "Participation",
    "PovertyFlow",
    "PovertyStatus",
    "PovertyStay",
    "PrivacyRequest",
    "ProcessingLimit",
    "RefreshToken",
    "Reminder",
    "Room",
    "Rsvp",
    "SessionMinutes",
    "Support",
    "Training",
    "Transfer",
    "Unit",
    "UnitClosure",
    "UnitEdge",
    "UnitIdentifier",
    "UnitSuccession",
]
