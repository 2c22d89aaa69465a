"""What operations hold of people who are erased."""

import json
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import chunks
from app.errors import Problem
from app.models.sync.operations import OperationState, PushedOperation
from app.services.kernel.holdings import Forgotten, Person
from app.services.sync import verdicts


def forget_about(session: Session, people: Sequence[Person]) -> Forgotten:
    """Operations about these people, or sent by them, say nothing any more; nor do those that still
    wait and name one of them."""
    ids = {each for person in people for each in (*person.all_ids, *person.household_ids)}
    accounts = {each for person in people for each in person.account_ids}
    forgotten = 0
    for row in _about(session, ids, accounts):
        forgotten += 1
        if row.waits_for is not None or row.state is OperationState.refused:
            _refuse(row)
        else:
            row.told = None
    session.flush()
    names = {name for person in people for name in person.names}
    # As they stand in JSON.
    words = [json.dumps(word)[1:-1] for word in (*names, *map(str, ids))]
    # Each has to be opened, since nothing else names the people in it: those that wait are few.
    for row in session.exec(
        select(PushedOperation).where(col(PushedOperation.waits_for).is_not(None))
    ):
        if any(word in text for word in words for text in (row.patch or "", row.told or "")):
            _refuse(row)
            forgotten += 1
    session.flush()
    return {PushedOperation: forgotten}


def _about(session: Session, ids: set[UUID], accounts: set[UUID]) -> list[PushedOperation]:
    found: list[PushedOperation] = []
    for column, values in (
        (PushedOperation.subject_id, ids),
        (PushedOperation.account_id, accounts),
    ):
        for part in chunks(sorted(values)):
            said = sa.or_(
                col(PushedOperation.told).is_not(None), col(PushedOperation.patch).is_not(None)
            )
            found += session.exec(select(PushedOperation).where(col(column).in_(part), said))
    return list({row.id: row for row in found}.values())


def _refuse(row: PushedOperation) -> None:
    verdicts.keep(row, verdicts.refused(Problem("operation_forgotten")))
