"""Published code lists, for forms and for readers of our exports."""

from app.api.http.deps import ActorDep
from app.api.http.routing import Router
from app.models.kernel.code_lists import CODE_LISTS, CodeLists

router = Router(prefix="/v1/code-lists", tags=["members"])


@router.get("", response_model=CodeLists)
async def list_code_lists(actor: ActorDep) -> CodeLists:  # noqa: ARG001  # the guard itself
    """Every coded field of a member: its codes in both languages, and where they come from."""
    return CodeLists(items=list(CODE_LISTS.values()))
