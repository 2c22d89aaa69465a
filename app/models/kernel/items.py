"""Why an item of a bulk request is refused."""

from app.models.base import Output


class ItemError(Output):
    """One wrong field of an item."""

    pointer: str
    code: str
    detail: str


class ItemProblem(Output):
    """Why an item is refused: `code` is stable, `detail` is for people."""

    code: str
    detail: str
    errors: list[ItemError]
