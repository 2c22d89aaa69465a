"""Rows that name units: by a code, a name or both, as they were on a day."""

from collections.abc import Callable, Collection
from datetime import date
from typing import Final

from app.models.kernel.units import UnitLevel
from app.problem_texts import FieldCode
from app.services.imports.refusals import Refusals
from app.services.kernel.list_kinds import Given, RowPlan
from app.services.reorganisations.called_units import CalledUnit, CalledUnits

# Digits of a government code, by level.
DIGITS: Final = {UnitLevel.province: 2, UnitLevel.district: 3, UnitLevel.commune: 5}
# Of so many units that may be meant, the first are named.
_MOST_CANDIDATES = 5


class NamingRows(Refusals):
    """Finds what rows name. `units` are those that they may name."""

    units: CalledUnits

    def restore_zeros(
        self, row: Given, made: RowPlan, field: str, lengths: Collection[int]
    ) -> None:
        """A code of the government that Excel took for a number has lost its zeros."""
        code = row.values.get(field)
        longer = sorted(length for length in lengths if code is not None and length > len(code))
        if code is None or not longer or not code.isdecimal() or len(code) in lengths:
            return
        whole = code.zfill(longer[0])
        lost: FieldCode = "unit_code_zero_lost"
        if field in row.accepted or lost in self.frame.accept:
            row.values[field] = whole
        else:
            self.refuse(made, row, field, lost, proposal=whole)

    def find(
        self,
        row: Given,
        made: RowPlan,
        fields: tuple[str, str],
        day: date,
        fits: Callable[[CalledUnit], bool],
    ) -> CalledUnit | None:
        """The one unit of the code and the name in these fields; None, and refused, of none or many."""
        code, name = (row.values.get(each) for each in fields)
        found = [each for each in self.units.of(code, name, day) if fits(each)]
        if len(found) == 1:
            return found[0]
        field = fields[0] if code is not None else fields[1]
        if found:
            self.refuse_many(row, made, field, day, found)
        else:
            self.refuse(made, row, field, "unit_unknown_then", date=day.isoformat())
        return None

    def refuse_many(
        self, row: Given, made: RowPlan, field: str, day: date, found: Collection[CalledUnit]
    ) -> None:
        """Several may be meant: it is not guessed which."""
        candidates = "; ".join(sorted(each.shown for each in found)[:_MOST_CANDIDATES])
        asked = {"date": day.isoformat(), "count": str(len(found))}
        self.refuse(made, row, field, "unit_ambiguous_then", candidates=candidates, **asked)
