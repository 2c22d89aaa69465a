"""How long rows of a kind are kept: a part of the manifest.

No law sets a period (domain facts, 5.1: unconfirmed), so each is a decision of the union: `days`
here, or the setting that overrides them.
"""

from dataclasses import dataclass

from sqlmodel import SQLModel

# The setting that names kinds: {"export_record": 365}.
BY_KIND = "HOISO_RETENTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A kind of rows, for how many days it is kept, and why. `days` None: for good.

    With a `column` the housekeeping deletes what is older; the others have their own way.
    """

    model: type[SQLModel]
    vi: str
    en: str
    days: int | None
    reason_vi: str
    reason_en: str
    setting: str | None = None
    column: str | None = None

    @property
    def code(self) -> str:
        return str(self.model.__tablename__)
