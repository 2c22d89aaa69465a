"""Every table, so that Alembic and foreign keys find them. Nothing else lives here."""

from app.models.access import Grant
from app.models.access_log import AccessRead
from app.models.accounts import Account
from app.models.appointments import Appointment
from app.models.attendance import Attendance, Capture, FrozenCount
from app.models.calendar_links import CalendarLink
from app.models.changes import Change, Feed, FeedHead, Outbox
from app.models.consents import Consent
from app.models.corrections import CorrectionRequest
from app.models.duplicates import DuplicatePair
from app.models.erasures import Anonymisation, AnonymisationPolicy, Erasure
from app.models.escape_paths import EscapeCheck, EscapePath, EscapeStep
from app.models.events import Event, EventSession, EventSessionUnit, EventUnit, Room
from app.models.exports import ExportRecord
from app.models.groups import Participation
from app.models.households import Household, HouseholdEvent, HouseholdPerson, HouseholdPlace
from app.models.idempotency import IdempotentAnswer
from app.models.imports import Import, ImportMapping, ImportPart, ImportRow
from app.models.jobs import Job
from app.models.member_cards import MemberCard
from app.models.members import Member, MemberIdentifier, NameEntry, NameWord
from app.models.memberships import Membership
from app.models.merges import Merge
from app.models.minutes import SessionMinutes
from app.models.notifications import Notification, Reminder
from app.models.poverty import Assessment, PovertyStatus
from app.models.poverty_flows import PovertyFlow, PovertyStay
from app.models.privacy_requests import PrivacyRequest
from app.models.processing_limits import ProcessingLimit
from app.models.rsvps import Rsvp
from app.models.sessions import AuthSession, RefreshToken
from app.models.support import HouseholdVisit, LoanFigure, Support
from app.models.trainings import Training
from app.models.transfers import Transfer
from app.models.units import Unit, UnitClosure, UnitEdge, UnitIdentifier, UnitSuccession

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
