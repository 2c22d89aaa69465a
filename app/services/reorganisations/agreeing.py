"""Deciding together: an officer of each side confirms what the preview shows, and the last one does it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app.clock import utc_now
from app.errors import Problem
from app.models.kernel.access import Granter, Right
from app.models.kernel.accounts import AccountKind
from app.models.reorganisations.reorganisations import (
    Agreement,
    Confirmation,
    ConfirmedAct,
    Reorganisation,
)
from app.services.identity.second_person import independent, second_person_needed
from app.services.kernel.access import Actor, forbidden, who_holds
from app.services.kernel.actors import load_actor_of_job
from app.services.reorganisations import sides


@dataclass(frozen=True, slots=True)
class AskedOfSides:
    """What the officers of these sides agree to; `digest` of the preview that they have read."""

    act: ConfirmedAct
    sides: Sequence[int]
    digest: str | None = None


def ensure_sides_decide(session: Session, agreed: Agreement | None) -> Agreement:
    """409 that names who decides, where somebody holds the right above all sides."""
    if agreed is None or not sides.decide(session, agreed):
        above = [] if agreed is None else sides.holders_above(session, agreed)
        raise Problem("decided_above", right=Right.units_write, extra=_named(above))
    return agreed


def sides_needed(session: Session, agreed: Agreement) -> Problem:
    """409: nobody decides alone; `units` are those whose officers confirm it."""
    return Problem(
        "sides_confirm", extra=_named(who_holds(session, {Right.units_write}, agreed.sides))
    )


def _named(units: Sequence[Granter]) -> dict[str, object]:
    return {
        "required_right": Right.units_write.value,
        "units": [each.model_dump(mode="json") for each in units],
    }


def confirm(
    session: Session, actor: Actor, row: Reorganisation, agreed: Agreement, asked: AskedOfSides
) -> bool:
    """Note that the actor agrees for the sides covered; whether all sides do now, by two persons at least.

    What others have confirmed counts while they hold the right over their side, and only of this
    digest. Once more changes nothing.
    """
    if actor.kind is not AccountKind.person:
        raise Problem("wrong_account_kind", kind=AccountKind.person)
    own = sides.covered(session, actor, asked.sides)
    if not own:
        raise forbidden(session, actor, Right.units_write, row.unit_id)
    others = _others(session, actor, agreed, asked)
    for each in others:
        if not independent(session, each.account_id, actor.account_id):
            raise second_person_needed(session, each.account_id, Right.units_write, asked.sides)
    kept = [each for each in agreed.confirmations if each.act is not asked.act]
    standing = sorted([*others, _own(actor, agreed, asked, own)], key=lambda c: c.confirmed_at)
    sides.keep(session, row, agreed.model_copy(update={"confirmations": [*kept, *standing]}))
    covered = {unit_id for each in standing for unit_id in each.unit_ids}
    return covered >= {*asked.sides} and (bool(others) or _drafted(session, actor, row, asked))


def _drafted(session: Session, actor: Actor, row: Reorganisation, asked: AskedOfSides) -> bool:
    """Who drafted it is another person: one who speaks for all sides is the second one."""
    drafts = asked.act is ConfirmedAct.apply
    return drafts and independent(session, row.drafted_by, actor.account_id)


def _own(actor: Actor, agreed: Agreement, asked: AskedOfSides, unit_ids: list[int]) -> Confirmation:
    """The one of the actor: that of before, where it was the same."""
    given = Confirmation(
        act=asked.act,
        account_id=actor.account_id,
        unit_ids=unit_ids,
        digest=asked.digest,
        confirmed_at=utc_now(),
    )
    same = (
        each
        for each in agreed.confirmations
        if each.model_copy(update={"confirmed_at": given.confirmed_at}) == given
    )
    return next(same, given)


def _others(
    session: Session, actor: Actor, agreed: Agreement, asked: AskedOfSides
) -> list[Confirmation]:
    """What others confirmed of this, for the sides over which they still hold the right."""
    of_this = [
        each
        for each in agreed.confirmations
        if (each.act, each.digest) == (asked.act, asked.digest)
        and each.account_id != actor.account_id
    ]
    return _standing(session, of_this, asked.sides)


def _standing(
    session: Session, given: Iterable[Confirmation], unit_ids: Sequence[int]
) -> list[Confirmation]:
    """Those of accounts that still hold the right over some of these sides, with those."""
    found = []
    for each in given:
        who = load_actor_of_job(session, each.account_id, each.account_id, None)
        still = [] if who is None else sides.covered(session, who, unit_ids)
        if still:
            found.append(each.model_copy(update={"unit_ids": still}))
    return found


def all_agree(
    session: Session, agreed: Agreement, act: ConfirmedAct, unit_ids: Sequence[int]
) -> bool:
    """Officers of all these sides have confirmed it, and are so today."""
    given = [each for each in agreed.confirmations if each.act is act]
    standing = _standing(session, given, unit_ids)
    return {unit_id for each in standing for unit_id in each.unit_ids} >= {*unit_ids}


def take_back(session: Session, actor: Actor, row: Reorganisation, act: ConfirmedAct) -> bool:
    """The actor agrees no longer; whether something was there to be taken back."""
    agreed = sides.agreement_of(row)
    if agreed is None:
        return False
    left = [
        each
        for each in agreed.confirmations
        if each.act is not act or each.account_id != actor.account_id
    ]
    if len(left) == len(agreed.confirmations):
        return False
    sides.keep(session, row, agreed.model_copy(update={"confirmations": left}))
    session.flush()
    return True
