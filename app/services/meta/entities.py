"""Kinds of records and their fields, from the manifests and the schemas of requests and answers."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from app.data_files import DATA, load
from app.models.kernel.access import Right
from app.models.meta.entities import (
    EntityItem,
    EntityKinds,
    EntityMeta,
    EntityOperation,
    FieldMeta,
    WhenWritten,
)
from app.services.exports.orders import columns_of
from app.services.feed import states
from app.services.kernel.headings import heading
from app.services.kernel.manifest import Manifest
from app.services.meta import operations
from app.services.meta.operations import EntityOperations, OperationSchemas
from app.services.meta.schemas import SchemaField, fields_of

TITLES: Final = DATA / "meta" / "entities.yaml"


def names_of(manifest: Manifest) -> list[str]:
    """What others follow or export."""
    exported = {kind.entity for kind in manifest.sync.values()}
    return [each for each in manifest.by_entity if each in exported or each in manifest.news]


def item_of(manifest: Manifest, entity: str) -> EntityItem:
    _, tracked = manifest.by_entity[entity]
    title = _titles()["entities"].get(entity, {"vi": entity, "en": entity})
    exported = (kind.name for kind in manifest.sync.values() if kind.entity == entity)
    imported = (kind.name for kind in manifest.import_kinds.values() if kind.entity == entity)
    return EntityItem(
        name=entity,
        title_vi=title["vi"],
        title_en=title["en"],
        link=f"/v1/meta/{entity}",
        right=tracked.read_right,
        kinds=EntityKinds(
            feed=entity if entity in manifest.news else None,
            export=next(exported, None),
            imports=next(imported, None),
        ),
    )


def entity_of(
    manifest: Manifest, entity: str, known: Iterable[OperationSchemas]
) -> EntityMeta | None:
    """One kind of records; None where there is none of this name."""
    if entity not in names_of(manifest):
        return None
    item = item_of(manifest, entity)
    found = operations.of_schemas(_schemas(manifest, entity), known)
    return EntityMeta(
        **item.model_dump(),
        operations=[
            EntityOperation(
                id=each.id,
                method=each.method,
                path=each.path,
                right=operations.right_of(manifest, entity, item.right, each),
            )
            for each in found.all
        ],
        fields=_Fields(manifest, entity, found).all(),
        example=_example(item, found),
    )


def _schemas(manifest: Manifest, entity: str) -> list[type[BaseModel]]:
    """Of what exports and the feed have of it."""
    exported = [kind.schema for kind in manifest.sync.values() if kind.entity == entity]
    followed = [manifest.news[entity].schema] if entity in manifest.news else []
    return list(dict.fromkeys([*exported, *followed]))


@cache
def _titles() -> Mapping[str, Mapping[str, Any]]:
    titles: Mapping[str, Mapping[str, Any]] = load(TITLES)
    return titles


def _example(item: EntityItem, found: EntityOperations) -> str:
    """The list of all that one may read, else the feed, else an export."""
    signed_in = '-H "authorization: Bearer $TOKEN"'
    whole = [each.path for each in found.lists if "{" not in each.path]
    if whole:
        return f'curl -s "$BASE{whole[0]}?limit=2" {signed_in}'
    if item.kinds.feed is not None:
        return f'curl -s "$BASE/v1/feed?kinds={item.kinds.feed}&limit=2" {signed_in}'
    body = f'\'{{"kinds": ["{item.kinds.export}"]}}\''
    json = "-H 'content-type: application/json'"
    return f'curl -s "$BASE/v1/exports" {signed_in} {json} -d {body}'


class _Fields:
    """The fields of an entity: those of its answers, and then those that only requests have."""

    def __init__(self, manifest: Manifest, entity: str, found: EntityOperations) -> None:
        self.manifest = manifest
        self.tracked = manifest.by_entity[entity][1]
        self.entity = entity
        self.schemas = _schemas(manifest, entity)
        self.shown = _merged([fields_of(each, "serialization") for each in self.schemas])
        self.created = _bodies(found.creates)
        self.changed = _bodies(found.changes)
        self.rights = {
            operations.right_of(manifest, entity, self.tracked.read_right, each)
            for each in (*found.creates, *found.changes)
        } - {None}
        exported = [kind for kind in manifest.sync.values() if kind.entity == entity]
        self.exported = {name for kind in exported for name in columns_of(kind)}
        news = manifest.news.get(entity)
        self.followed = set() if news is None else {*states.fields_of(entity), *news.derived}

    def all(self) -> list[FieldMeta]:
        return [self._field(name) for name in {**self.shown, **self.created, **self.changed}]

    def _field(self, name: str) -> FieldMeta:
        shown = self.shown.get(name)
        # Requests say more of what may be written.
        said = [each.said for each in (self.created.get(name), self.changed.get(name)) if each]
        said += [] if shown is None else [shown.said]
        create, change = _when(self.created.get(name)), _when(self.changed.get(name))
        read_only = create is change is WhenWritten.never
        mask = self._mask(name)
        return FieldMeta(
            **{
                "name": name,
                "title_vi": self._title(name),
                "title_en": self._english(name),
                **_first(said),
                "nullable": (shown.said if shown else said[0])["nullable"],
                "shown": shown is not None,
                "read_only": read_only,
                "create": create,
                "change": change,
                "export": name in self.exported,
                "feed": name in self.followed,
                "shown_by": mask,
                "changed_by": [] if read_only else [*self.rights, *([mask] if mask else [])],
            }
        )

    def _mask(self, name: str) -> Right | None:
        column = self._column(name)
        marked = self.shown[name].shown_by if name in self.shown else None
        return self.tracked.masks.get(column, marked)

    def _column(self, name: str) -> str:
        news = self.manifest.news.get(self.entity)
        return name if news is None else news.columns.get(name, name)

    def _title(self, name: str) -> str:
        titles = (heading(schema, name) for schema in self.schemas)
        found = (title for title in titles if title != name)
        return next(found, _titles()["fields"].get(name, name))

    def _english(self, name: str) -> str:
        label = self.manifest.labels.get(name)
        return name.replace("_", " ").capitalize() if label is None else label[1]


def _bodies(known: Sequence[OperationSchemas]) -> dict[str, SchemaField]:
    return _merged([fields_of(each.body, "validation") for each in known if each.body is not None])


def _merged(schemas: Iterable[Mapping[str, SchemaField]]) -> dict[str, SchemaField]:
    """The fields of all; of several of one name the first."""
    merged: dict[str, SchemaField] = {}
    for fields in schemas:
        merged = {**fields, **merged}
    return merged


def _first(said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the first says, completed by the others."""
    names = said[0].keys()
    return {name: next((s[name] for s in said if s[name] is not None), None) for name in names}


def _when(field: SchemaField | None) -> WhenWritten:
    if field is None:
        return WhenWritten.never
    return WhenWritten.required if field.required else WhenWritten.optional
