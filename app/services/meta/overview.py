"""All that there is: entities, code lists, formats and limits."""

from typing import Final

from app.config import Settings
from app.models.base import ListFormat, ListQuery
from app.models.exports.exports import MOST_KINDS, BulkFormat
from app.models.feed.events import MOST_PLACES
from app.models.kernel.code_lists import CODE_LISTS
from app.models.kernel.units import UnitLevel
from app.models.meta.crosswalks import CrosswalkList
from app.models.meta.entities import CodeListItem, MetaFormats, MetaLimits, MetaRead
from app.services.kernel.access import Db
from app.services.kernel.following import newest
from app.services.kernel.manifest import Manifest
from app.services.meta import entities

_LANGUAGES: Final = ["vi", "en"]
_LIST_PAGE: Final = next(
    mark.le for mark in ListQuery.model_fields["limit"].metadata if hasattr(mark, "le")
)


def overview(db: Db, manifest: Manifest, version: str, settings: Settings, wait: int) -> MetaRead:
    return MetaRead(
        version=version,
        epoch=newest(db).epoch,
        languages=_LANGUAGES,
        formats=MetaFormats(lists=[*ListFormat], exports=[*BulkFormat]),
        limits=MetaLimits(
            list_page=_LIST_PAGE,
            feed_page=MOST_PLACES,
            body_bytes=settings.max_body_bytes,
            import_bytes=settings.import_max_bytes,
            export_kinds=MOST_KINDS,
            wait_seconds=wait,
        ),
        entities=[entities.item_of(manifest, name) for name in entities.names_of(manifest)],
        code_lists=[*_published(), *_of_other_places()],
    )


def _published() -> list[CodeListItem]:
    return [
        CodeListItem(
            name=name,
            version=listed.version,
            valid_from=listed.valid_from,
            valid_to=listed.valid_to,
            source=listed.source,
            link="/v1/code-lists",
            crosswalk=_crosswalk(name) if name in list(CrosswalkList) else None,
        )
        for name, listed in CODE_LISTS.items()
    ]


def _of_other_places() -> list[CodeListItem]:
    """Lists that are resources of their own: units by their level, and what poverty standards define."""
    return [
        CodeListItem(
            name=listed,
            version=None,
            valid_from=None,
            valid_to=None,
            source=None,
            link=f"/v1/units?level={listed}"
            if listed.value in list(UnitLevel)
            else "/v1/poverty-standards",
            crosswalk=_crosswalk(listed),
        )
        for listed in CrosswalkList
        if listed not in CODE_LISTS
    ]


def _crosswalk(name: str) -> str:
    return f"/v1/code-lists/{name}/crosswalk"
