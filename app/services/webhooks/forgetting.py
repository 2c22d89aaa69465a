"""What receivers have answered may mention anybody: nothing of it is kept where a person is erased."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.webhooks.attempts import WebhookAttempt
from app.services.kernel.holdings import Forgotten, Person


def forget_about(session: Session, people: Sequence[Person]) -> Forgotten:
    """Empty the answers of all tries: nothing says whom one is about."""
    if not people:
        return {WebhookAttempt: 0}
    said = col(WebhookAttempt.answer).is_not(None)
    emptied = sa.update(WebhookAttempt).where(said).values(answer=None)
    return {WebhookAttempt: session.connection().execute(emptied).rowcount}
