"""Taking captures in: each item gets a verdict, and nothing that happened is an error.

What a phone noted without a network is stored and flagged, whatever became of the session or the
member meanwhile; refused is only what proves nothing (a forged code) or says nothing. Few
statements a batch, whatever its size, and the same answer to the same id, however often it comes.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col
from sqlmodel.sql.sqltypes import UTCDateTime

from app.clock import utc_now
from app.db import Database, vault_of
from app.errors import FieldError, Problem, not_found
from app.models.attendance.attendance import (
    MOST_ITEMS,
    Attendance,
    Capture,
    CaptureBatch,
    CaptureItem,
    CaptureKind,
    CaptureState,
    CheckIn,
    Flag,
    Outcome,
    Unreadable,
    Verdict,
)
from app.models.events.events import EventSession, EventState, Room, SessionState
from app.models.kernel.access import Right
from app.models.kernel.changes import ChangeSource
from app.services.attendance import codes, facts
from app.services.attendance import counts as attendance_counts
from app.services.attendance.codes import BadCode, CardCode, SessionCode
from app.services.attendance.facts import Row, Sitting, find_sitting
from app.services.attendance.people import Person, bare, by_name, known, valid_cards
from app.services.events.scope import viewer
from app.services.kernel import changes
from app.services.kernel.access import Actor, forbidden, require_somewhere
from app.services.kernel.actors import load_actor_of_job

# A phone's clock may be so far from ours without a word; within SLACK it is not even put right.
TOLERATED_SKEW = timedelta(minutes=2)
SLACK = timedelta(seconds=5)
LONG_BEFORE = timedelta(hours=12)
Explain = Callable[[Unreadable, int], Problem]


@dataclass(slots=True)
class Draft:
    """A capture on its way into the ledger; `at` is its place in the batch."""

    id: UUID
    at: int
    kind: CaptureKind
    occurred_at: datetime
    happened_at: datetime
    received_at: datetime
    skew: int | None
    account_id: UUID
    device: str | None
    digest: int
    by_herself: bool = False
    room_id: UUID | None = None
    member_id: UUID | None = None
    name: str | None = None
    is_guest: bool = False
    count: int | None = None
    guests: int | None = None
    card_id: UUID | None = None
    minutes: int | None = None
    photo: str | None = None
    note: str | None = None
    flags: set[Flag] = field(default_factory=set)
    state: CaptureState = CaptureState.stored
    outcome: Outcome = Outcome.none
    person: Person | None = None
    seen_at: datetime | None = None
    problem: Problem | None = None

    @property
    def counts(self) -> bool:
        return self.problem is None and self.state is CaptureState.stored


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict on one item."""

    id: UUID | None
    verdict: Verdict
    attendance: Outcome = Outcome.none
    member_id: UUID | None = None
    first_seen_at: datetime | None = None
    flags: tuple[str, ...] = ()
    problem: Problem | None = None


# -- a batch of a head


def store(
    session: Session, actor: Actor, session_id: UUID, batch: CaptureBatch, explain: Explain
) -> list[Answer]:
    """A verdict for each item, in their order. `explain` says what is wrong with an unreadable one."""
    if len(batch.items) > MOST_ITEMS:
        raise Problem("batch_too_large", count=len(batch.items), limit=MOST_ITEMS)
    sitting = sitting_to_capture(session, actor, session_id)
    received = utc_now()
    skew = _skew(batch.sent_at, received)
    drafts: list[Draft] = []
    answers: dict[int, Answer] = {}
    for at, item in enumerate(batch.items):
        if isinstance(item, Unreadable):
            answers[at] = _refused(_uuid(item.id), explain(item, at))
            continue
        draft = Draft(
            id=item.id,
            at=at,
            occurred_at=item.occurred_at,
            happened_at=_happened(item.occurred_at, skew, received),
            received_at=received,
            skew=skew,
            account_id=actor.account_id,
            device=batch.device_id or actor.device,
            digest=_digest(session_id, item),
            **item.model_dump(exclude={"id", "occurred_at", "token", "joined_at", "left_at"}),
        )
        draft.minutes = _minutes(item)
        draft.problem = _misshapen(item, at) or _read_token(session, draft, item)
        drafts.append(draft)
    answers |= _take_in(session, actor, session_id, sitting, drafts)
    return [answers[at] for at in range(len(batch.items))]


def sitting_to_capture(session: Session, actor: Actor, session_id: UUID) -> Sitting | None:
    """The session, for whoever may capture for a host of it or one of the invited; None when it is
    out of sight or not known (yet): neither tells which."""
    require_somewhere(session, actor, Right.attendance_write)
    sitting = find_sitting(session, session_id)
    if sitting is None or may_capture(actor, sitting):
        return sitting
    if viewer(session, actor).sees(sitting.event_state, sitting.units):
        raise forbidden(session, actor, Right.attendance_write, sitting.host_id)
    return None


def may_capture(actor: Actor, sitting: Sitting) -> bool:
    """For a host; once it is announced also for an invited unit, or for one below such a unit."""
    if any(actor.covers(Right.attendance_write, host) for host in sitting.hosts):
        return True
    if sitting.event_state is EventState.draft:
        return False
    invited = set(sitting.invited)
    return any(actor.covers(Right.attendance_write, unit) for unit in sitting.units) or any(
        not invited.isdisjoint(
            (grant.province_id, grant.district_id, grant.commune_id, grant.branch_id)
        )
        for grant in actor.grants
        if Right.attendance_write in grant.rights
    )


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _skew(sent_at: datetime | None, received: datetime) -> int | None:
    return None if sent_at is None else round((sent_at - received).total_seconds())


def _happened(occurred_at: datetime, skew: int | None, received: datetime) -> datetime:
    """By our clock, and never in the future."""
    ahead = timedelta(seconds=skew or 0)
    corrected = occurred_at - ahead if abs(ahead) > SLACK else occurred_at
    return min(corrected, received).astimezone(UTC)


def _digest(session_id: UUID, item: CaptureItem | CheckIn) -> int:
    content = session_id.bytes + item.model_dump_json(exclude={"sent_at"}).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), signed=True)


def _minutes(item: CaptureItem) -> int | None:
    if item.minutes is None and item.joined_at is not None and item.left_at is not None:
        return max(0, round((item.left_at - item.joined_at).total_seconds() / 60))
    return item.minutes


_NAMED = (CaptureKind.roster, CaptureKind.paper, CaptureKind.online, CaptureKind.proxy)


def _misshapen(item: CaptureItem, at: int) -> Problem | None:
    """What an item of this kind must have, and must not."""
    named = [name for name in ("member_id", "name") if getattr(item, name) is not None]
    wrong: list[tuple[str, str]] = []
    if item.kind is CaptureKind.head_count:
        needed, unwanted = ["count"], [*named, *(["token"] if item.token else [])]
    elif item.kind is CaptureKind.qr:
        needed, unwanted = ["token"], named
    else:
        needed, unwanted = (["name"] if item.is_guest else []), (["token"] if item.token else [])
        if len(named) != 1:
            wrong.append(("member_id", "member_or_name"))
    if item.kind is not CaptureKind.head_count and item.count is not None:
        unwanted.append("count")
    wrong += [(name, "required") for name in needed if getattr(item, name) is None]
    wrong += [(name, "not_of_this_kind") for name in unwanted]
    if item.guests is not None and (item.count is None or item.guests > item.count):
        wrong.append(("guests", "guests_beyond_count"))
    if item.left_at and item.joined_at and item.left_at < item.joined_at:
        wrong.append(("left_at", "dates_reversed"))
    if not wrong:
        return None
    errors = [FieldError("body", f"/items/{at}/{name}", code) for name, code in wrong]
    return Problem("validation_failed", errors=errors, count=len(errors))


def _read_token(session: Session, draft: Draft, item: CaptureItem) -> Problem | None:
    if item.token is None:
        return None
    try:
        code = codes.read(vault_of(session), item.token)
    except BadCode as error:
        return Problem(error.reason)
    if not isinstance(code, CardCode):
        return Problem("code_names_nobody")
    draft.card_id, draft.member_id = code.card_id, code.member_id
    return None


def store_items(
    session: Session, actor: Actor, sitting: Sitting, items: Sequence[CaptureItem]
) -> list[Answer]:
    """Captures that were read out of a file, however many: a verdict each."""
    received = utc_now()
    answers: list[Answer] = []
    for start in range(0, len(items), MOST_ITEMS):
        drafts = [
            Draft(
                id=item.id,
                at=at,
                kind=item.kind,
                occurred_at=item.occurred_at,
                happened_at=_happened(item.occurred_at, None, received),
                received_at=received,
                skew=None,
                account_id=actor.account_id,
                device=actor.device,
                digest=_digest(sitting.id, item),
                member_id=item.member_id,
                name=item.name,
                minutes=item.minutes,
                note=item.note,
            )
            for at, item in enumerate(items[start : start + MOST_ITEMS])
        ]
        taken = _take_in(session, actor, sitting.id, sitting, drafts)
        answers += [taken[at] for at in range(len(drafts))]
    return answers


# -- herself


def check_in(session: Session, actor: Actor, member_id: UUID, body: CheckIn) -> Answer:
    """A member notes her own attendance by the code of the session: one device, one member."""
    received = utc_now()
    try:
        code = codes.read(vault_of(session), body.token)
        if not isinstance(code, SessionCode):
            raise BadCode("code_foreign")
    except BadCode as error:
        return _refused(body.id, Problem(error.reason))
    skew = _skew(body.sent_at, received)
    draft = Draft(
        id=body.id,
        at=0,
        kind=CaptureKind.qr,
        occurred_at=body.occurred_at,
        happened_at=_happened(body.occurred_at, skew, received),
        received_at=received,
        skew=skew,
        account_id=actor.account_id,
        device=body.device_id,
        digest=_digest(code.session_id, body),
        by_herself=True,
        member_id=member_id,
    )
    sitting = find_sitting(session, code.session_id)
    if sitting is None:  # the code is true: its session was there, and has been deleted
        return _refused(body.id, Problem("code_unknown"))
    draft.problem = _doubt_about_code(session, draft, code, sitting)
    return _take_in(session, actor, code.session_id, sitting, [draft])[0]


def _doubt_about_code(
    session: Session, draft: Draft, code: SessionCode, sitting: Sitting
) -> Problem | None:
    """Read live, the code is the one on the screen now; later only the phone says when it was."""
    try:
        codes.ensure_in_time(code, draft.received_at)
    except BadCode:
        try:
            codes.ensure_in_time(code, draft.happened_at)
        except BadCode as error:
            return Problem(error.reason)
        draft.flags.add(Flag.unverified_time)
    if code.step is None:
        draft.flags.add(Flag.printed_code)
        if not sitting.starts_at - LONG_BEFORE <= draft.happened_at <= sitting.ends_at:
            return Problem("code_expired")
    other = session.execute(
        sa.select(col(Capture.id))
        .where(
            col(Capture.session_id) == code.session_id,
            col(Capture.device) == draft.device,
            col(Capture.by_herself).is_(True),
            col(Capture.member_id) != draft.member_id,
            col(Capture.state) != CaptureState.annulled,
        )
        .limit(1)
    ).first()
    return Problem("code_replayed") if other is not None else None


# -- taking in


def _take_in(
    session: Session,
    actor: Actor,
    session_id: UUID,
    sitting: Sitting | None,
    drafts: Sequence[Draft],
) -> dict[int, Answer]:
    """The verdict on each draft, by its place."""
    answers = _known_answers(session, session_id, drafts)
    if sitting is not None and any(each.verdict is Verdict.held for each in answers.values()):
        # Held while the session was not for whoever sent them; now it is.
        release(session, session_id)
        answers = _known_answers(session, session_id, drafts)
    first: dict[UUID, Draft] = {}
    again: list[Draft] = []
    for draft in drafts:
        if draft.at in answers:
            continue
        if first.setdefault(draft.id, draft) is not draft:
            again.append(draft)
    fresh = list(first.values())
    if sitting is None:
        for draft in fresh:
            draft.state = CaptureState.held
    else:
        settle(session, actor, sitting, fresh)
    kept = [draft for draft in fresh if draft.problem is None]
    lost = _insert(session, actor, session_id, sitting, kept)
    if lost:  # sent twice at the same time: the other one has just been committed
        answers |= _known_answers(session, session_id, lost)
        _undo_facts(session, sitting, [draft for draft in lost if answers[draft.at].problem])
    for draft in fresh:
        answers.setdefault(draft.at, _answer(draft))
    for draft in again:
        same = draft.digest == first[draft.id].digest
        answers[draft.at] = (
            answers[first[draft.id].at] if same else _refused(draft.id, Problem("id_taken"))
        )
    if sitting is not None and sitting.state is SessionState.closed and kept:
        attendance_counts.correct(session, sitting)
    return answers


def _undo_facts(session: Session, sitting: Sitting | None, drafts: Iterable[Draft]) -> None:
    """Of captures that lost their id to another one: what followed from them alone."""
    for draft in drafts:
        if sitting is not None and draft.counts and draft.member_id and draft.person:
            facts.derive(session, sitting, draft.member_id, draft.person.place)


def _known_answers(
    session: Session, session_id: UUID, drafts: Iterable[Draft]
) -> dict[int, Answer]:
    """The same answer to what has come before; another content under its id is refused."""
    rows = {row.id: row for row in session.execute(_KNOWN, {"ids": [draft.id for draft in drafts]})}
    answers = {}
    for draft in drafts:
        row = rows.get(draft.id)
        if row is None:
            continue
        if (row.session_id, row.digest) != (session_id, draft.digest):
            answers[draft.at] = _refused(draft.id, Problem("id_taken"))
            continue
        held = row.state is CaptureState.held
        answers[draft.at] = Answer(
            id=row.id,
            verdict=Verdict.held if held else Verdict.stored,
            attendance=row.outcome,
            member_id=row.member_id,
            first_seen_at=row.attended_at,
            flags=tuple(row.flags),
        )
    return answers


_KNOWN = (
    sa.select(
        col(Capture.id),
        col(Capture.session_id),
        col(Capture.digest),
        col(Capture.state),
        col(Capture.outcome),
        col(Capture.member_id),
        col(Capture.flags),
        col(Attendance.attended_at),
    )
    .outerjoin(
        Attendance,
        sa.and_(
            col(Attendance.session_id) == col(Capture.session_id),
            col(Attendance.member_id) == col(Capture.member_id),
        ),
    )
    .where(col(Capture.id).in_(sa.bindparam("ids", expanding=True)))
)


def _answer(draft: Draft) -> Answer:
    if draft.problem is not None:
        return _refused(draft.id, draft.problem)
    held = draft.state is CaptureState.held
    return Answer(
        id=draft.id,
        verdict=Verdict.held if held else Verdict.stored,
        attendance=draft.outcome,
        member_id=draft.member_id,
        first_seen_at=draft.seen_at,
        flags=tuple(sorted(draft.flags)),
    )


def _refused(capture_id: UUID | None, problem: Problem) -> Answer:
    return Answer(id=capture_id, verdict=Verdict.refused, problem=problem)


_KEPT = [
    name
    for name in Capture.model_fields
    if name not in ("session_id", "province_id", "flags", "name_key", "annulled_at")
    and not name.startswith("annulled_")
]


def _insert(
    session: Session,
    actor: Actor,
    session_id: UUID,
    sitting: Sitting | None,
    drafts: Sequence[Draft],
) -> list[Draft]:
    """Returns those whose id was taken meanwhile."""
    if not drafts:
        return []
    province_id = sitting.province_id if sitting else _province(actor)
    rows = [
        {name: getattr(draft, name) for name in _KEPT}
        | {
            "session_id": session_id,
            "province_id": province_id,
            "name_key": None if draft.name is None else bare(draft.name),
            "flags": sorted(draft.flags),
        }
        for draft in sorted(drafts, key=lambda draft: draft.id.bytes)
    ]
    connection = session.connection()
    statement = _INSERT_SQLITE if connection.dialect.name == "sqlite" else _INSERT_POSTGRESQL
    stored = set(connection.execute(statement, rows).scalars())
    return [draft for draft in drafts if draft.id not in stored]


_INSERT_SQLITE = sqlite.insert(Capture).on_conflict_do_nothing().returning(col(Capture.id))
_INSERT_POSTGRESQL = postgresql.insert(Capture).on_conflict_do_nothing().returning(col(Capture.id))


def _province(actor: Actor) -> int:
    """Of whoever captures for a session that is not known yet; 0 above the provinces."""
    found = (
        grant.province_id or (grant.unit_id if grant.level == "province" else None)
        for grant in actor.grants
        if Right.attendance_write in grant.rights
    )
    return next((each for each in found if each is not None), 0)


# -- what follows from them


def settle(session: Session, actor: Actor, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    """Who is meant, what is unusual, and the facts that follow: no draft is stored here."""
    for draft in drafts:
        _flag(sitting, draft)
    _check_rooms(session, sitting, drafts)
    _identify(session, actor, sitting, [draft for draft in drafts if draft.problem is None])
    _conclude(session, sitting, [draft for draft in drafts if draft.counts and draft.person])


def _flag(sitting: Sitting, draft: Draft) -> None:
    unusual = {
        Flag.late: draft.received_at > sitting.ends_at,
        Flag.after_close: sitting.state is SessionState.closed,
        Flag.cancelled: SessionState.cancelled is sitting.state
        or sitting.event_state is EventState.cancelled,
        Flag.before_start: draft.happened_at < sitting.starts_at - LONG_BEFORE,
        Flag.came_late: sitting.late_after is not None
        and draft.happened_at > sitting.starts_at + timedelta(minutes=sitting.late_after),
        Flag.skewed: abs(timedelta(seconds=draft.skew or 0)) > TOLERATED_SKEW
        or (draft.skew is None and draft.occurred_at > draft.received_at + TOLERATED_SKEW),
    }
    draft.flags |= {flag for flag, holds in unusual.items() if holds}


def _check_rooms(session: Session, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    """A room that is not one of the session's is flagged, and what was said of it dropped."""
    if all(draft.room_id is None for draft in drafts):
        return
    rooms = set(
        session.execute(sa.select(col(Room.id)).where(col(Room.session_id) == sitting.id)).scalars()
    )
    for draft in drafts:
        if draft.room_id is not None and draft.room_id not in rooms:
            draft.room_id = None
            draft.flags.add(Flag.room_unknown)


def _identify(session: Session, actor: Actor, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    _check_cards(session, drafts)
    _find_names(session, sitting, drafts)
    named = [draft for draft in drafts if draft.problem is None and draft.member_id is not None]
    proven = {draft.member_id for draft in named if draft.card_id or draft.by_herself}
    people = known(
        session,
        actor,
        sitting,
        {draft.member_id for draft in named if draft.member_id},
        {member_id for member_id in proven if member_id},
    )
    for draft in named:
        draft.person = people.get(draft.member_id) if draft.member_id else None
        if draft.person is None:
            _leave_open(draft, Flag.member_unknown)
        else:
            draft.flags |= draft.person.flags


def _check_cards(session: Session, drafts: Sequence[Draft]) -> None:
    cards = valid_cards(session, {draft.card_id for draft in drafts if draft.card_id})
    for draft in drafts:
        if draft.card_id is None:
            continue
        card = cards.get(draft.card_id)
        if card is None or card.member_id != draft.member_id:
            draft.problem = Problem("code_unknown")
        elif card.revoked_at is not None and card.revoked_at <= draft.happened_at:
            draft.problem = Problem("code_revoked")


def _find_names(session: Session, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    open_ = [
        draft for draft in drafts if draft.name and not draft.is_guest and draft.member_id is None
    ]
    found = by_name(session, sitting, [draft.name for draft in open_ if draft.name])
    for draft in open_:
        matches = found[draft.name or ""]
        if len(matches) == 1:
            draft.member_id = matches[0]
        else:
            _leave_open(draft, Flag.ambiguous if matches else Flag.member_unknown)


def _leave_open(draft: Draft, why: Flag) -> None:
    draft.state = CaptureState.pending_identity
    draft.outcome = Outcome.pending_identity
    draft.flags.add(why)


def _conclude(session: Session, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    """Facts of these captures, all of members: the earliest of each, and what each capture made."""
    short = _too_short(session, sitting, drafts)
    earliest: dict[UUID, Draft] = {}
    for draft in drafts:
        if draft.id in short:
            draft.flags.add(Flag.too_short)
            continue
        assert draft.member_id is not None  # noqa: S101  # it has a person
        other = earliest.get(draft.member_id)
        if other is None or _order(draft) < _order(other):
            earliest[draft.member_id] = draft
    new, seen = facts.add(session, [_fact(sitting, draft) for draft in earliest.values()])
    for draft in sorted(drafts, key=lambda draft: draft.at):
        if draft.id in short or draft.member_id is None:
            continue
        draft.outcome = Outcome.new if draft.member_id in new else Outcome.already
        new.discard(draft.member_id)
        draft.seen_at = seen[draft.member_id]


def _order(draft: Draft) -> tuple[datetime, UUID]:
    return draft.happened_at, draft.id


def _fact(sitting: Sitting, draft: Draft) -> Row:
    assert draft.member_id is not None and draft.person is not None  # noqa: S101, PT018  # only captures that name somebody make facts
    told = {
        "mode": facts.MODES[draft.kind],
        "room_id": draft.room_id,
        "attended_at": draft.happened_at,
        "capture_id": draft.id,
    }
    return facts.fact(sitting, draft.member_id, draft.person.place, told)


def _too_short(session: Session, sitting: Sitting, drafts: Sequence[Draft]) -> set[UUID]:
    """Online captures of who has not been online long enough, all her times added up."""
    if sitting.online_minutes is None:
        return set()
    online = [draft for draft in drafts if draft.kind is CaptureKind.online]
    minutes: dict[UUID | None, list[int | None]] = {draft.member_id: [] for draft in online}
    for member_id, before in session.execute(
        sa.select(col(Capture.member_id), col(Capture.minutes)).where(
            col(Capture.session_id) == sitting.id,
            col(Capture.member_id).in_([each for each in minutes if each]),
            col(Capture.kind) == CaptureKind.online,
            col(Capture.state) == CaptureState.stored,
        )
    ):
        minutes[member_id].append(before)
    for draft in online:
        minutes[draft.member_id].append(draft.minutes)
    return {
        draft.id for draft in online if not facts.online_enough(sitting, minutes[draft.member_id])
    }


# -- held until their session came


def release(session: Session, session_id: UUID) -> int:
    """What was captured before its session was known, now that it is; returns how many."""
    rows = session.execute(
        sa.select(*(getattr(Capture, name) for name in Capture.model_fields))
        .where(col(Capture.session_id) == session_id, col(Capture.state) == CaptureState.held)
        .order_by(col(Capture.id))
        .with_for_update()
    ).all()
    if not rows:
        return 0
    sitting = find_sitting(session, session_id)
    if sitting is None:
        raise not_found()
    released = 0
    for account_id in sorted({row.account_id for row in rows}):
        actor = load_actor_of_job(session, account_id, account_id, None)
        if actor is None or not may_capture(actor, sitting):
            continue  # whoever held the id of somebody else's session
        drafts = [_held(row, at) for at, row in enumerate(rows) if row.account_id == account_id]
        settle(session, actor, sitting, drafts)
        _write_back(session, drafts)
        released += len(drafts)
    if sitting.state is SessionState.closed:
        attendance_counts.correct(session, sitting)
    return released


def release_due(database: Database) -> int:
    """What is held although its session is here: it came in the moment the session did."""
    due = (
        sa.select(col(Capture.session_id))
        .distinct()
        .join(EventSession, col(EventSession.id) == col(Capture.session_id))
        # Written out, as it is in the index that holds them alone.
        .where(
            sa.text("capture.state IN ('held', 'pending_identity')"),
            col(Capture.state) == CaptureState.held,
        )
    )
    with database.reading() as db:
        session_ids = list(db.execute(due).scalars())
    released = 0
    for session_id in session_ids:
        with database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.job, source_ref="release"))
            released += release(session, session_id)
    return released


def _held(row: Any, at: int) -> Draft:
    names = {name for name in _KEPT if name not in ("state", "outcome")}
    return Draft(at=at, **{name: row._mapping[name] for name in names})


_SETTLED = ("member_id", "room_id", "state", "outcome", "flags")


def _write_back(session: Session, drafts: Sequence[Draft]) -> None:
    now = utc_now()
    session.connection().execute(
        sa.update(Capture)
        .where(col(Capture.id) == sa.bindparam("of_id"))
        .values(
            {name: sa.bindparam(f"new_{name}") for name in _SETTLED}
            | {
                "annulled_at": sa.bindparam("annulled", type_=UTCDateTime),
                "annulled_reason": sa.bindparam("reason"),
            }
        ),
        [_settled(draft, now) for draft in drafts],
    )


def _settled(draft: Draft, now: datetime) -> Mapping[str, Any]:
    """A code that turns out to be no good is kept, as annulled: it has been promised to be kept."""
    refused = draft.problem is not None
    return {
        "of_id": draft.id,
        "new_member_id": draft.member_id,
        "new_room_id": draft.room_id,
        "new_state": CaptureState.annulled if refused else draft.state,
        "new_outcome": Outcome.none if refused else draft.outcome,
        "new_flags": sorted(draft.flags),
        "annulled": now if refused else None,
        "reason": draft.problem.code if draft.problem else None,
    }
