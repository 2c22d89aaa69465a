"""Files that survive a loss of power."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on its disk: of files that were made, renamed or deleted."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
