"""Whether the replica can be used is looked at again and again, by a thread of each server."""

from app.db import Database
from app.services.kernel.background import Background, Every

PERIOD_SECONDS = 1.0


def background(database: Database) -> Background:
    """Reads begin to go to the replica when it was found fit; without a replica there is no thread."""
    if database.replica is None:
        return Background("replica")
    looking = Every(
        seconds=PERIOD_SECONDS, work=database.replica.look, name="replica", first_after=0
    )
    return Background("replica", looking)
