"""What somebody chooses once for a whole list."""

from typing import Annotated

from pydantic import Field as Constraint
from pydantic import StringConstraints

from app.models.base import Input

FieldName = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z][a-z_]*$")]
Code = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z][a-z_]*$")]


class LeaveOut(Input):
    """Wrong cells that rows are written without: those of these fields, and those with these codes.

    Fields that a row needs, or is known by, are never left out.
    """

    fields: Annotated[list[FieldName], Constraint(max_length=60)] = []
    codes: Annotated[list[Code], Constraint(max_length=50)] = []
