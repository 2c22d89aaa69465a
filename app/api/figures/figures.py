"""Figures of units: what is counted and how, the numbers, and why they are what they are."""

from typing import Annotated

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, is_file, listing
from app.api.http.routing import Router
from app.models.figures.checks import FigureCheckPage, FigureCheckQuery, FigureCheckRead
from app.models.figures.definitions import DefinitionPage, DefinitionQuery, DefinitionRead
from app.models.figures.figures import (
    ExplainFigureQuery,
    FigureExplanation,
    FigurePage,
    FigureQuery,
    FigureRead,
    FigureRow,
)
from app.services.figures import checks, definitions, explaining, reading

router = Router(prefix="/v1", tags=["figures"])
FigurePath = Annotated[str, Path(max_length=80, description="Code of the figure.")]


@router.get("/figure-definitions", response_model=DefinitionPage, responses=STREAMED)
def list_figure_definitions(
    db: Connection,
    actor: ActorDep,  # noqa: ARG001  # everyone who has an account may ask
    request: Request,
    query: Annotated[DefinitionQuery, Query()],
) -> Response:
    """What is counted, in which unit of measure, and by which rule: those in force on a day."""
    return listing(request, db, query, DefinitionRead, definitions.list_definitions(query))


@router.get("/figures", response_model=FigurePage, responses=STREAMED)
def list_figures(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[FigureQuery, Query()]
) -> Response:
    """Figures of a unit over a period: a stock on its last day, a flow over all its days.

    `by=child` adds each unit directly below, what is the unit's own, and the overlap: people and
    households that several of them count are one in the unit, so that the total is the sum of the
    parts and the own, less the overlap.
    """
    found, beside = reading.list_figures(db, actor, query)
    return listing(request, db, query, FigureRead, found, beside=beside)


@router.get("/figures/{indicator}/explain", response_model=FigureExplanation, responses=STREAMED)
def explain_figure(
    db: Connection,
    actor: ActorDep,
    request: Request,
    indicator: FigurePath,
    query: Annotated[ExplainFigureQuery, Query()],
) -> Response:
    """The rule of a figure in words, its parts, the rows behind it, and what counts nowhere and why.

    A file has the rows, without those of restricted records.
    """
    as_file = is_file(request, query)
    found, beside = explaining.explain(db, actor, indicator, query, as_file=as_file)
    return listing(request, db, query, FigureRow, found, beside=beside)


@router.get("/figure-checks", response_model=FigureCheckPage, responses=STREAMED)
def list_figure_checks(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[FigureCheckQuery, Query()]
) -> Response:
    """Whether the figures of a unit and a period agree with each other, with the numbers of each check.

    What is not known is never taken as zero: a check that needs it is `unknown` and names it. Both
    ends of the period are counted in the units of its last day.
    """
    found, beside = checks.list_checks(db, actor, query)
    return listing(request, db, query, FigureCheckRead, found, beside=beside)
