"""The revisions of the schema. Only commands import this: alembic is slow to load."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app import jobs as delivery
from app.config import Settings

_ROOT = Path(__file__).parent.parent.parent


def migrate(settings: Settings, revision: str = "head") -> None:
    """Bring the tables, and those that deliver jobs, to a revision; CommandError: there is none."""
    upgrade(settings, revision)
    delivery.migrate(settings.database_url)


def upgrade(settings: Settings, revision: str) -> None:
    """Our own tables alone."""
    config = _config()
    config.attributes["url"] = settings.database_url
    config.attributes["vault"] = settings.vault()
    command.upgrade(config, revision)


def knows(revision: str) -> bool:
    """Whether this version of the program has the revision."""
    known = ScriptDirectory.from_config(_config()).walk_revisions()
    return any(each.revision == revision for each in known)


def _config() -> Config:
    config = Config(_ROOT / "alembic.ini")
    config.set_main_option("script_location", str(_ROOT / "alembic"))
    return config
