"""Jobs: long work I asked for, how far it is, what came of it."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.pending import shown
from app.api.http.routing import Router
from app.models.kernel.jobs import JobPage, JobQuery, JobRead
from app.services.kernel import jobs

router = Router(prefix="/v1/jobs", tags=["jobs"])
JobPath = Annotated[UUID, Path(description="Id of the job.")]


@router.get("", response_model=JobPage, responses=STREAMED)
def list_jobs(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[JobQuery, Query()]
) -> Response:
    """Long work I asked for, the newest first."""
    language = request_context.get().language
    return listing(request, db, query, JobRead, jobs.list_jobs(actor, query, language))


@router.get("/{job_id}", response_model=JobRead)
def get_job(db: Connection, actor: ActorDep, job_id: JobPath) -> Response:
    """One of them. `Prefer: wait=30` answers when it is over, or after so many seconds."""
    language = request_context.get().language
    return shown(actor, jobs.find(db, actor, job_id, language))
