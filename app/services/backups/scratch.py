"""A folder for what is being made: gone afterwards, and after a process that was killed at the latest
when the next one begins."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

_PREFIX: Final = ".hoiso-making-"
_LOCK: Final = "lock"


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """An empty folder on the same disk, for its owner alone."""
    _sweep(beside)
    with TemporaryDirectory(dir=beside, prefix=_PREFIX) as name:
        folder = Path(name)
        draft = folder / f"{_LOCK}.new"
        with draft.open("wb") as lock:
            _take(lock)
            # It has its name once it is held: nobody finds one that seems to be left.
            draft.rename(folder / _LOCK)
            yield folder


def _sweep(beside: Path) -> None:
    """What is held by nobody was left by a process that was killed."""
    for folder in beside.glob(f"{_PREFIX}*"):
        lock = folder / _LOCK
        if not lock.is_file():
            continue
        with lock.open("r+b") as file:
            if _take(file):
                shutil.rmtree(folder)


def _take(lock: IO[bytes]) -> bool:
    """False: another process holds it, or the disk knows no locks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
