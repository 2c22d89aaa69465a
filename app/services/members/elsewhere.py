"""What an account may learn of people out of its scope: whether they are on record somewhere.

Forms, corrections, lists and look-ups say so, so that nobody is entered twice. All of them draw on
one budget, counted by the person asked about. Once it is used up, nothing more is compared for a
while, and each answer says that, whatever there was to find. The unit's officers get a notice.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import vault_of
from app.errors import Problem
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.services.kernel.access import Actor, Db, nearest_holders
from app.services.kernel.limits import Limit, limits_of
from app.services.notices import inbox

# As fast as forms are filled in.
_PEOPLE = Limit.of("look", "100 per hour")
_SAME_PERSON = Limit.of("look_same", "1 per hour")
# What identifies a person who is asked about: as typed.
Asked = Sequence[str | None]


def may_ask(db: Db, actor: Actor) -> bool:
    """The account has not used up its budget."""
    return limits_of(db).has_left(_PEOPLE, str(actor.account_id))


def count(db: Db, actor: Actor, asked: Asked) -> bool:
    """Count a person; false when it is one too many. Once an hour, however often she is asked
    about."""
    limits, who = limits_of(db), str(actor.account_id)
    person = vault_of(db).digest("\n".join(each or "" for each in asked), "look")
    if not limits.has_left(_SAME_PERSON, f"{who} {person}"):
        return True
    if not limits.count(_PEOPLE, who):
        return False
    return limits.count(_SAME_PERSON, f"{who} {person}")


def exceeded(db: Db, actor: Actor) -> Problem:
    return limits_of(db).exceeded(_PEOPLE, str(actor.account_id))


def tell_if_used_up(session: Session, actor: Actor) -> None:
    """Put a notice into the inboxes of those who run the accounts of its unit, once an hour."""
    if may_ask(session, actor):
        return
    unit = sa.select(col(Account.unit_id)).where(col(Account.id) == actor.account_id)
    holders = nearest_holders(
        session,
        Right.accounts_write,
        session.execute(unit).scalar_one(),
        lambda account_id: account_id != actor.account_id,
    )
    hour = f"{utc_now():%Y-%m-%dT%H}"
    inbox.deliver(session, USED_UP.name, actor.account_id, holders, hour)


USED_UP = inbox.waiting(
    "look_ups_used_up",
    "Một tài khoản đã tra cứu rất nhiều người ngoài phạm vi của mình",
    "An account has looked up very many people out of its scope",
    "/v1/accounts/{entity_id}",
    sa.select(col(Account.id), col(Account.unit_id).label("waits_for")),
    Right.accounts_read,
)
