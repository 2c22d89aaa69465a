"""Tacit approval of transfers: who does not answer in time has agreed.

Silence takes the place of the side whose turn it is, never of those who asked: what they may no longer
decide waits for a person.
"""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app import logs
from app.clock import local_day, local_today, utc_now
from app.db import Database
from app.errors import Problem
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit
from app.models.memberships.transfers import UNDER_WAY, Transfer, TransferSide, TransferState
from app.services.kernel import changes, due
from app.services.kernel.access import Db
from app.services.kernel.actors import load_actor_of_job
from app.services.kernel.due import Due
from app.services.members import spells
from app.services.members.spells import Life
from app.services.memberships import transfers
from app.services.units.rows import hold_by_asking, unit_of


def approve_due(database: Database) -> int:
    """Approve what nobody has answered in time; returns how many transfers went on.

    Each in a transaction of its own, and none that another worker has in hand: run again, or by
    many at once, it does nothing twice. One that fails (a deadlock) waits for the next run.
    """
    days = database.settings.transfer_tacit_days
    if not days:
        return 0
    columns = (
        col(Transfer.id),
        col(Transfer.member_id),
        col(Transfer.from_branch_id),
        col(Transfer.to_branch_id),
    )
    with database.reading() as db:
        after_restore = due.after_restore(db, col(Transfer.due_on), by=local_day)
        found = sa.select(*columns).where(_due_by(local_today()), after_restore)
        waiting = db.execute(found.order_by(col(Transfer.due_on), col(Transfer.id))).all()
    done = 0
    for row in waiting:
        try:
            with database.writing() as session:
                origin = changes.Origin(ChangeSource.job, source_ref="tacit_approval")
                changes.attribute(session, origin)
                units = (row.from_branch_id, row.to_branch_id)
                life = spells.lock(session, row.member_id, *units, skip_locked=True)
                done += life is not None and _approve(session, life, row.id, days)
        except Exception as error:  # noqa: BLE001  # whatever it is, the others shall not wait for it
            if not (isinstance(error, Problem) and error.passes):  # it waits for the next run
                logs.exception("tacit_approval_failed", error, transfer_id=str(row.id))
    return done


def _due_by(day: date) -> sa.ColumnElement[bool]:
    return sa.and_(col(Transfer.state).in_(UNDER_WAY), col(Transfer.due_on) <= day)


def _count_due(db: Db, until: datetime) -> int:
    found = sa.select(sa.func.count()).where(_due_by(local_day(until)))
    return int(db.execute(found).scalar_one())


DUE = Due("transfer", "transfers that go on by tacit approval", _count_due)


def _approve(session: Session, life: Life, transfer_id: UUID, tacit_days: int) -> bool:
    """One step on, if it is still due; refused when it can no longer be done. It waits for a person while
    those who asked may not, or her record is restricted."""
    if life.transfer_id != transfer_id:
        return False
    transfer = session.get_one(Transfer, transfer_id)
    if transfer.due_on is None or transfer.due_on > local_today():
        return False
    hold_by_asking(session, col(Unit.id) == transfer.to_branch_id)
    target = unit_of(session, transfer.to_branch_id)
    try:
        transfers.ensure_arrives(life, target, transfer.effective_on or local_today())
    except Problem as problem:
        transfers.close_refused(session, life, None, None, _why(problem))
        return True
    if life.member.restricted:
        return False
    if not _still_wanted(session, transfer):
        transfers.ask_again(session, transfer, transfer.due_on)
        return False
    if transfer.state is TransferState.requested:
        transfers.note_consent(transfer, None, utc_now(), tacit_days)
        session.flush()
        transfers.ask_side(session, None, transfer)
    else:
        transfers.arrive(session, life, target, transfer, None)
    return True


def _still_wanted(session: Session, transfer: Transfer) -> bool:
    """Who asked for it, and who consented, may do so today for the sides as they stand."""
    asked_at = (
        transfer.from_branch_id
        if transfer.requested_side is TransferSide.source
        else transfer.to_branch_id
    )
    decided = {(transfer.requested_by, asked_at)}
    if transfer.consented_by is not None:
        decided.add((transfer.consented_by, transfer.from_branch_id))
    for account_id, branch_id in decided:
        actor = account_id and load_actor_of_job(session, account_id, transfer.id, None)
        if not actor or not actor.covers(transfers.WRITE, unit_of(session, branch_id)):
            return False
    return True


def _why(problem: Problem) -> str:
    told = problem.render(language="vi", instance="", request_id="")
    fields = [str(error["detail"]) for error in told.get("errors", ())]
    return " ".join(fields if problem.code == "validation_failed" else [str(told["detail"])])[:500]
