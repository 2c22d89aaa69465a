"""After a backup was restored: who had been erased since is erased again, and the receipts are kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.base import new_id
from app.models.members.spells import Left
from app.models.privacy.erasures import Anonymisation, Erasure
from app.models.privacy.requests import PrivacyRequest
from app.services.kernel.holdings import Person
from app.services.members import persons
from app.services.memberships import acts
from app.services.privacy import wiping
from app.services.privacy.journal import Erased


@dataclass(frozen=True, slots=True)
class Again:
    """People by what became of them: erased again, erased in the backup already, not in it at all."""

    erased: int
    already: int
    unknown: int


def erase_again(session: Session, standing: Iterable[Erased]) -> Again:
    """Erase all of them in the transaction at hand."""
    people: list[Person] = []
    already = unknown = 0
    for each in standing:
        known = [_lock(session, UUID(one)) for one in _ids(each)]
        found = [person for person in known if person is not None]
        people += [_erase(session, each, person) for person in found if person.erased_on is None]
        unknown += not found
        already += bool(found) and all(person.erased_on is not None for person in found)
    wiping.scan(session, people)
    return Again(len(people), already, unknown)


def _ids(each: Erased) -> Sequence[str]:
    """Records that were merged with hers may stand by themselves again."""
    return [each.receipt["member_id"], *each.former_ids]


def _lock(session: Session, member_id: UUID) -> Any:
    persons.hold_alone(session, [member_id])
    return persons.lock(session, member_id)


def _erase(session: Session, each: Erased, person: Any) -> Person:
    if person.status in persons.IN_UNION:
        _let_go(session, each, person.id)
    whole = wiping.find_person(session, person.id, person.full_name, person.birth_date)
    wiping.wipe(session, whole)
    session.add(_receipt(session, each, person.id))
    session.flush()
    return whole


def _let_go(session: Session, each: Erased, member_id: UUID) -> None:
    """Nobody is erased who is in the union: that she had left is lost as well."""
    left = each.left or {"last_day": each.receipt["erased_at"][:10], "by": Left.departure.value}
    by = Left.death if left["by"] == Left.death else Left.departure
    first_day_without = date.fromisoformat(left["last_day"]) + timedelta(days=1)
    acts.leave(session, member_id, first_day_without, by)


def _receipt(session: Session, each: Erased, member_id: UUID) -> Erasure:
    """As it was given, but for what the backup does not know."""
    receipt = Erasure.model_validate(each.receipt)
    if receipt.member_id != member_id:
        receipt.id, receipt.member_id = new_id(), member_id
    receipt.request_id = _known(session, PrivacyRequest, receipt.request_id)
    receipt.anonymisation_id = _known(session, Anonymisation, receipt.anonymisation_id)
    receipt.swept_at = None
    return receipt


def _known(session: Session, model: type[Any], row_id: UUID | None) -> UUID | None:
    found = session.execute(sa.select(col(model.id)).where(col(model.id) == row_id))
    return found.scalar_one_or_none()
