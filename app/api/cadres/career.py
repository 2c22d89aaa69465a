"""A member's career."""

from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.routing import Router
from app.models.cadres.career import CareerRead
from app.services.cadres import career

router = Router(prefix="/v1/members", tags=["cadres"])


@router.get("/{member_id}/career", response_model=CareerRead)
def get_career(db: Connection, actor: ActorDep, member_id: MemberPath) -> CareerRead:
    """Her spells, groups, posts and training on one line of time, oldest first."""
    return career.get_career(db, actor, member_id)
