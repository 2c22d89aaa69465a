"""Memory that Python gave back goes back to the system too.

glibc opens up to eight arenas a core, one for each thread that finds the others in use, and gives
back the end of an arena alone: after a few lists and files a server of many threads weighs twice
what it holds. Other C libraries are left as they are.
"""

import ctypes
import gc
from functools import cache

from app import logs

# From malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LIMITS = {
    _ARENA_MAX: 2,
    # Fixed, else it grows to 32 MB, and the memory of big files stays in an arena. Smaller limits
    # give back the pages of each list only to ask for them again: 6 % of a list on PostgreSQL.
    _MMAP_THRESHOLD: 4 * 1024 * 1024,
    _TRIM_THRESHOLD: 16 * 1024 * 1024,
}
TRIM_SECONDS = 10.0


def keep_little() -> None:
    """Call it before the first thread starts: an arena that is open stays."""
    library = _glibc()
    if library is None:
        return
    for parameter, value in _LIMITS.items():
        if not library.mallopt(parameter, value):
            logs.warning("mallopt_refused", parameter=parameter)


def settle() -> None:
    """What was made until now lives for ever: out of the collector's way (app/__init__.py)."""
    gc.collect()
    gc.freeze()


def trim() -> None:
    """Give back the free pages in the middle of the arenas."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
