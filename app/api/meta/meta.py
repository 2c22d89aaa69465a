"""What there is to read and write: kinds of records, their fields, and who may see and change each."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated

from fastapi import FastAPI, Path, Request, Response
from pydantic import BaseModel
from sqlalchemy.engine import Connection

from app.api.http.conditional import matches
from app.api.http.deps import ActorDep
from app.api.http.paging import JSON
from app.api.http.pending import MOST_SECONDS
from app.api.http.routing import Route, Router, routes_of
from app.api.http.server import server_of
from app.errors import not_found
from app.models.base import Input
from app.models.kernel.following import EntityName
from app.models.meta.entities import EntityMeta, MetaRead
from app.services.kernel.manifest import manifest
from app.services.meta import entities, overview
from app.services.meta.operations import OperationSchemas

router = Router(prefix="/v1/meta", tags=["meta"])
EntityPath = Annotated[
    EntityName, Path(description="Name of a kind of records, as in `GET /v1/meta`.")
]


@router.get("", response_model=MetaRead)
def list_meta(
    db: Connection,
    actor: ActorDep,  # noqa: ARG001  # the guard itself
    request: Request,
) -> Response:
    """The kinds of records with the names by which the feed, exports and imports know them, the code
    lists, formats and limits. It changes with the release; its ETag says so."""
    settings = server_of(request).settings
    found = overview.overview(db, manifest(), request.app.version, settings, MOST_SECONDS)
    return _tagged(request, found)


@router.get("/{entity}", response_model=EntityMeta)
async def get_meta(
    actor: ActorDep,  # noqa: ARG001  # the guard itself
    request: Request,
    entity: EntityPath,
) -> Response:
    """The fields of a kind of records: types, codes, limits, when they are written, and the rights that
    show and change each; with the operations that read and write it, and a command that reads it."""
    found = entities.entity_of(manifest(), entity, _operations(request.app))
    if found is None:
        raise not_found()
    return _tagged(request, found)


@lru_cache(maxsize=2)
def _operations(app: FastAPI) -> Sequence[OperationSchemas]:
    return [
        OperationSchemas(
            id=route.operation_id,
            method=route.method,
            path=route.path_format,
            body=_body_of(route),
            answer=route.response_model,
        )
        for route in routes_of(app)
        if route.include_in_schema
    ]


def _body_of(route: Route) -> type[Input] | None:
    """The schema of its body; None of a form, a file, and of none."""
    field = route.fastapi.body_field
    schema: object = None if field is None else field.field_info.annotation
    return schema if isinstance(schema, type) and issubclass(schema, Input) else None


def _tagged(request: Request, answer: BaseModel) -> Response:
    """The answer with a tag of what it says; 304 where the client has it."""
    body = answer.model_dump_json().encode()
    tag = f'"{blake2b(body, digest_size=8).hexdigest()}"'
    if matches(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, 200, {"ETag": tag}, JSON)
