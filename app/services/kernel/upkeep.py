"""Periodic work: runs what the capabilities declare when it is due."""

import math
from functools import partial

from app import memory
from app.db import Database
from app.services.kernel import key_rotation
from app.services.kernel.background import Background, Every
from app.services.kernel.manifest import manifest

# A server that has just been started has people waiting for it.
FIRST_AFTER_SECONDS = 10
_TRIM = Every(seconds=memory.TRIM_SECONDS, work=memory.trim, name="trim")


def do_due(database: Database) -> int:
    """Everything that is due; returns how many expired rows were deleted."""
    forgotten = 0
    for capability in manifest().capabilities:
        for upkeep in capability.upkeep:
            done = upkeep.run(database)
            forgotten += done if upkeep.forgets else 0
    return forgotten


def works(database: Database, *, first_after: float) -> list[Every]:
    """All of it, each at its own intervals, and the memory of the process is trimmed."""
    of_capabilities = [
        Every(
            seconds=upkeep.every.total_seconds(),
            work=partial(upkeep.run, database),
            name=f"upkeep_of_{capability.name}",
            first_after=first_after,
        )
        for capability in manifest().capabilities
        for upkeep in capability.upkeep
    ]
    return [_TRIM, *of_capabilities]


def in_server(database: Database) -> Background:
    """A thread of the server that does what is due; keys that are being replaced come first.

    On SQLite only, where the server is all there is: on PostgreSQL `hoiso worker` does it, and
    each process trims its own memory.
    """
    if not database.on_sqlite:
        return Background("upkeep", _TRIM)
    rotation = Every(
        seconds=math.inf,
        work=partial(key_rotation.rotate, database),
        name="key_rotation",
        first_after=FIRST_AFTER_SECONDS,
    )
    first = [rotation] if database.vault.is_rotating else []
    return Background("upkeep", *first, *works(database, first_after=FIRST_AFTER_SECONDS))
