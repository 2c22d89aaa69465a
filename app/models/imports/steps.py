"""What may be done next with an import."""

from typing import Any, Literal

from app.models.base import Output


class StepRequest(Output):
    """A request ready to be sent. `body` is null where there is none."""

    method: Literal["GET", "PATCH", "POST"]
    path: str
    body: dict[str, Any] | None


class NextStep(Output):
    """One step, and of how many rows it settles something."""

    text_vi: str
    text_en: str
    rows: int
    request: StepRequest
