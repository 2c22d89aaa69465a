"""Where the bytes of files are: in a folder, or in a bucket."""

from typing import Final

from app.config import BadSettings, Settings
from app.errors import Problem
from app.models.base import new_id
from app.services.files.folders import FolderStore
from app.services.files.protocol import Store, reason_of

_TRIED: Final = b"?"


def store_of(settings: Settings) -> Store:
    """The store of an installation."""
    if settings.files_url:
        return _bucket_of(settings)
    return FolderStore(settings.files_dir or settings.data_dir / "files")


def _bucket_of(settings: Settings) -> Store:
    try:
        from app.services.files import buckets
    except ModuleNotFoundError as error:
        raise BadSettings(
            f"HOISO_FILES_URL needs {error.name}: install requirements-s3.lock"
        ) from None
    return buckets.bucket_of(settings)


def ensure_works(settings: Settings) -> None:
    """`BadSettings` where nothing can be kept: said at the start, and not to the first phone that
    sends a picture."""
    name = new_id()
    try:
        store = store_of(settings)
        draft = store.create(name)
        draft.write(_TRIED)
        draft.keep()
        store.remove([name])
    except (OSError, Problem) as error:
        setting = "HOISO_FILES_URL" if settings.files_url else "HOISO_FILES_DIR"
        reason = reason_of(error.__cause__ or error)
        raise BadSettings(f"{setting}: no file can be kept: {reason}") from error
