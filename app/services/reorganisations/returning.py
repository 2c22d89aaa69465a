"""What was decided for a day and was not done on it: a draft again; all who had a part in it are notified."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import AnySelect
from app.models.kernel.units import Unit
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationState,
    ReturnedBecause,
)
from app.problem_texts import Language
from app.services.kernel.access import Actor, Db
from app.services.kernel.notice_kinds import NoticeKind
from app.services.notices import inbox
from app.services.reorganisations import applying, deciding, reading, sides
from app.services.reorganisations.world import named_units


def give_back(session: Session, row: Reorganisation, because: ReturnedBecause) -> None:
    """It waits for somebody to decide anew."""
    agreed, day = sides.agreement_of(row), row.effective_on.isoformat()
    told = {row.drafted_by, *(each.account_id for each in (agreed.confirmations if agreed else ()))}
    if row.decided_by is not None:
        told.add(row.decided_by)
    row.agreement = sides.unconfirmed(row.agreement)
    row.returned_because, row.decided_by, row.decided_at = because, None, None
    applying.concern(session, row, named_units(reading.operations_of(row)))
    told |= deciding.who_may_decide(session, None, row)
    inbox.deliver(session, RETURNED.name, row.id, sorted(told), day)
    deciding.ask(session, None, row)


_SAYS: Final[Mapping[ReturnedBecause, Mapping[Language, str]]] = {
    ReturnedBecause.right_lost: {
        "vi": "Người đã duyệt không còn quyền đối với tất cả các đơn vị trong phương án, nên đến ngày phương án "
        "không được thực hiện. Phương án trở lại là dự thảo và cần được duyệt lại.",
        "en": "Who decided on it no longer holds the right over all its units, so it was not done on its day. It is "
        "a draft again, and waits for a decision.",
    },
    ReturnedBecause.prevented: {
        "vi": "Đến ngày, phương án chưa thực hiện được vì còn vướng mắc (xem phần xem trước). Phương án trở lại là "
        "dự thảo và cần được duyệt lại.",
        "en": "On its day something prevented it (see its preview). It is a draft again, and waits for a decision.",
    },
}
_ROWS: AnySelect = (
    sa.select(
        col(Reorganisation.id),
        col(Reorganisation.returned_because),
        col(Unit.id).label("unit_id"),
        col(Unit.level),
        col(Unit.name),
    )
    .join(Unit, col(Unit.id) == col(Reorganisation.unit_id))
    .where(
        col(Reorganisation.state) == ReorganisationState.draft,
        col(Reorganisation.returned_because).is_not(None),
    )
)


def _source(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """Of those that the reader sees, as long as nobody has decided anew."""
    found = db.execute(_ROWS.where(col(Reorganisation.id).in_(ids), reading.seen_by(actor)))
    return {
        row.id: {
            "unit": {"id": row.unit_id, "level": row.level, "name": row.name},
            "says": _SAYS[row.returned_because],
        }
        for row in found
    }


RETURNED = NoticeKind(
    "reorganisation_returned",
    "Phương án sắp xếp đơn vị chưa được thực hiện",
    "A reorganisation was not done on its day",
    "/v1/reorganisations/{entity_id}",
    _source,
)
