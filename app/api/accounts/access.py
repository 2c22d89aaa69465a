"""Why may I, or may I not: roles, rights and the explanation of one right over one target."""

from typing import Annotated

from fastapi import Query
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.routing import Router
from app.errors import invalid
from app.models.kernel.access import ROLE_RIGHTS, ExplainQuery, Explanation, RoleList, RoleRead
from app.services.kernel import access
from app.services.members import record
from app.services.units import units

router = Router(prefix="/v1/access", tags=["access"])


@router.get("/roles", response_model=RoleList)
async def list_roles(actor: ActorDep) -> RoleList:  # noqa: ARG001  # the guard itself
    """Every role with the rights it bundles."""
    return RoleList(
        items=[RoleRead(role=r, rights=sorted(rights)) for r, rights in ROLE_RIGHTS.items()]
    )


@router.get("/explain", response_model=Explanation)
def explain_access(
    db: Connection, actor: ActorDep, query: Annotated[ExplainQuery, Query()]
) -> Explanation:
    """Whether I hold a right over a unit or a member, by which grant, or who may grant it.

    The answer for a unit I may not see is the same as for one that does not exist.
    """
    if (query.unit is None) == (query.member is None):
        raise invalid("one_of_needed", "/unit", place="query", expected=("unit", "member"))
    if query.member is None:
        assert query.unit is not None  # noqa: S101  # exactly one of the two
        return access.explain(db, actor, query.right, units.find_visible(db, actor, query.unit))
    branch_id = record.get_member(db, actor, query.member)["branch_id"]
    return access.explain(db, actor, query.right, units.find_visible(db, actor, branch_id))
