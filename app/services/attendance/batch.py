"""Accept captures: each item gets a verdict, and no event that happened is an error.

What a phone noted without a network is stored and flagged, whatever became of the session or the
member meanwhile; only items that prove nothing (a forged code) or name nothing are refused. A batch
takes few statements, whatever its size, and the same id gets the same answer, however often it is
sent.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session

from app.clock import utc_now
from app.db import chunks
from app.errors import FieldError, Problem, unreadable
from app.models.attendance.attendance import (
    MOST_ITEMS,
    CaptureBatch,
    CaptureItem,
    CaptureKind,
)
from app.problem_texts import FieldCode
from app.services.attendance import codes
from app.services.attendance.code_keys import ring_of
from app.services.attendance.codes import BadCode, CardCode, Ring
from app.services.attendance.drafts import Answer, Draft, digest_of, refused
from app.services.attendance.facts import Sitting
from app.services.attendance.ledger import take_in
from app.services.attendance.sittings import sitting_to_capture
from app.services.kernel.access import Actor
from app.services.kernel.device_clocks import happened, skew_of


def store(session: Session, actor: Actor, session_id: UUID, batch: CaptureBatch) -> list[Answer]:
    """A verdict for each item, in their order."""
    if len(batch.items) > MOST_ITEMS:
        raise Problem("batch_too_large", count=len(batch.items), limit=MOST_ITEMS)
    sitting = sitting_to_capture(session, actor, session_id)
    received = utc_now()
    skew = skew_of(batch.sent_at, received)
    ring = ring_of(session)
    drafts: list[Draft] = []
    answers: dict[int, Answer] = {}
    for at, sent in enumerate(batch.sent):
        item: CaptureItem | None = sent.item
        if item is None:
            answers[at] = refused(sent.id_in("id"), unreadable(sent.errors, "items", at))
            continue
        draft = Draft(
            id=item.id,
            at=at,
            occurred_at=item.occurred_at,
            happened_at=happened(item.occurred_at, skew, received),
            received_at=received,
            skew=skew,
            account_id=actor.account_id,
            device=batch.device_id or actor.device,
            digest=digest_of(session_id, item),
            **item.model_dump(exclude={"id", "occurred_at", "token", "joined_at", "left_at"}),
        )
        draft.minutes = _minutes(item)
        draft.problem = _misshapen(item, at) or _read_token(ring, draft, item)
        drafts.append(draft)
    answers |= take_in(session, actor, session_id, sitting, drafts)
    return [answers[at] for at in range(len(batch.items))]


def _minutes(item: CaptureItem) -> int | None:
    if item.minutes is None and item.joined_at is not None and item.left_at is not None:
        return max(0, round((item.left_at - item.joined_at).total_seconds() / 60))
    return item.minutes


def _misshapen(item: CaptureItem, at: int) -> Problem | None:
    """What an item of this kind must have, and must not."""
    named = [name for name in ("member_id", "name") if getattr(item, name) is not None]
    wrong: dict[str, FieldCode] = {}
    if item.kind is CaptureKind.head_count:
        needed, unwanted = ["count"], [*named, *(["token"] if item.token else [])]
    elif item.kind is CaptureKind.qr:
        needed, unwanted = ["token"], named
    else:
        needed, unwanted = (["name"] if item.is_guest else []), (["token"] if item.token else [])
        if len(named) != 1:
            wrong["member_id"] = "member_or_name"
    if item.kind is not CaptureKind.head_count and item.count is not None:
        unwanted.append("count")
    wrong |= {name: "required" for name in needed if getattr(item, name) is None}
    wrong |= dict.fromkeys(unwanted, "not_of_this_kind")
    if item.guests is not None and (item.count is None or item.guests > item.count):
        wrong["guests"] = "guests_beyond_count"
    if item.left_at and item.joined_at and item.left_at < item.joined_at:
        wrong["left_at"] = "dates_reversed"
    if not wrong:
        return None
    errors = [FieldError("body", f"/items/{at}/{name}", code) for name, code in wrong.items()]
    return Problem("validation_failed", errors=errors, count=len(errors))


def _read_token(ring: Ring, draft: Draft, item: CaptureItem) -> Problem | None:
    if item.token is None:
        return None
    try:
        code = codes.read(ring, item.token)
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
    for part in chunks(items, MOST_ITEMS):
        drafts = [
            Draft(
                id=item.id,
                at=at,
                kind=item.kind,
                occurred_at=item.occurred_at,
                happened_at=happened(item.occurred_at, None, received),
                received_at=received,
                skew=None,
                account_id=actor.account_id,
                device=actor.device,
                digest=digest_of(sitting.id, item),
                member_id=item.member_id,
                name=item.name,
                minutes=item.minutes,
                note=item.note,
            )
            for at, item in enumerate(part)
        ]
        taken = take_in(session, actor, sitting.id, sitting, drafts)
        answers += [taken[at] for at in range(len(drafts))]
    return answers
