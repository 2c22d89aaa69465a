"""Who would change class under another standard, or under other lines: computed, never stored.

The last assessment of each household is classified anew with the answers it has. Where the other
standard asks what nobody was asked, the class stays open, unless every answer would give the same.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect, Database
from app.errors import invalid, not_found
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.kernel.jobs import JobRead
from app.models.kernel.units import AreaType, Unit
from app.models.poverty.poverty import AssessedClass, Assessment
from app.models.poverty.standards import Standard
from app.models.poverty.work import PovertyJob, SimulationCreate
from app.services.kernel import jobs
from app.services.kernel.access import Actor, ensure
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Key, Order
from app.services.kernel.reach import Reach
from app.services.poverty import standards
from app.services.poverty.assessments import facts_of, last_assessment
from app.services.poverty.classification import Rules, classify
from app.services.poverty.standards import Catalogue
from app.services.units.rows import find
from app.services.units.units import find_target

_CHUNK = 1_000
# So many are named in the result; the rest are counted, and named when a smaller unit is asked.
MOST_NAMED = 1_000


def ask(session: Session, actor: Actor, standard_id: str, body: SimulationCreate) -> JobRead:
    """Ask for a simulation over a unit whose poverty the actor may see."""
    unit = find_target(session, actor, body.unit_id, Right.poverty_read, pointer="/unit_id")
    standard = _standard(standards.of(session), standard_id)
    for area, lines in body.income_lines.items():
        for name in lines:
            if name not in standard.income_lines[area]:
                pointer = f"/income_lines/{area.value}/{name}"
                raise invalid("not_in_list", pointer, allowed=[*standard.income_lines[area]])
    return jobs.enqueue(
        session,
        actor,
        kind=PovertyJob.simulation,
        args={"standard": standard_id, **body.model_dump(mode="json")},
        unit_id=unit.id,
    )


def _standard(catalogue: Catalogue, standard_id: str) -> Standard:
    for standard in catalogue.standards:
        if standard.id == standard_id:
            return standard
    raise not_found()


def run(task: jobs.Task) -> dict[str, Any]:
    """Classify all of them anew; nothing is written but the result."""
    body = SimulationCreate.model_validate(
        {name: task.args[name] for name in ("unit_id", "income_lines")}
    )
    with task.database.writing() as session:
        unit = find(session, body.unit_id)
        if unit is None:
            raise not_found()
        ensure(session, task.actor(), Right.poverty_read, unit, seen_with=Right.units_read)
        reach = reach_of(session, unit)
        names = _branches(session, reach)
        rules = _rules(session, task, unit, body)
    found = _Found()
    for rows in _assessed(task.database, reach):
        for row in rows:
            found.add(row, rules)
        task.progress(found.households, None)
    task.progress(found.households, found.households)
    return found.result(rules, unit.id, names)


def _rules(session: Session, task: jobs.Task, unit: Unit, body: SimulationCreate) -> Rules:
    catalogue = standards.of(session)
    standard = _standard(catalogue, task.args["standard"])
    day = max(standard.valid_from, min(local_today(), standard.valid_to or local_today()))
    province = None
    if unit.province_id is not None:
        province = standards.province_code(session, unit.province_id, day)
    rules = catalogue.of(standard, day, province)
    if not body.income_lines:
        return rules
    lines = {area: dict(of) for area, of in rules.standard.income_lines.items()}
    for area, changed in body.income_lines.items():
        lines[area] |= changed
    tried = rules.standard.model_copy(update={"income_lines": lines})
    return Rules(f"{rules.version}+tried", tried, rules.local)


def _branches(session: Session, reach: Reach) -> dict[int, str]:
    rows = session.execute(
        sa.select(col(Unit.id), col(Unit.name)).where(
            col(Unit.level) == "branch", reach.predicate(Unit)
        )
    )
    return {row.id: row.name for row in rows}


def _assessed(database: Database, reach: Reach) -> Iterator[Sequence[Any]]:
    """Open households of the unit with their last assessment, if any, in order of their ids."""
    walk = _BY_ID.walk(_with_assessments(reach))
    after: Key | None = None
    while True:
        with database.reading() as db:
            rows = db.execute(walk(after, _CHUNK)).all()
        yield rows
        if len(rows) < _CHUNK:
            return
        after = _BY_ID.key(rows[-1])


_BY_ID = Order(col(Household.id))


def _with_assessments(reach: Reach) -> AnySelect:
    last = last_assessment(col(Household.id)).correlate(Household)
    return (
        sa.select(
            col(Household.id),
            col(Household.branch_id),
            col(Assessment.area_type).label("area_type"),
            sa.func.coalesce(col(Household.area_type), col(Unit.area_type)).label("area"),
            col(Assessment.income_per_person),
            col(Assessment.income_points),
            col(Assessment.b2_points),
            col(Assessment.standard),
            col(Assessment.answers),
            col(Assessment.poverty_class),
        )
        .join(Unit, col(Unit.id) == col(Household.commune_id), isouter=True)
        .join(Assessment, col(Assessment.id) == last.scalar_subquery(), isouter=True)
        .where(reach.predicate(Household), col(Household.closed_on).is_(None))
    )


class _Found:
    """What the simulation has found so far."""

    def __init__(self) -> None:
        self.households = 0
        self.without_assessment = 0
        self.moves: Counter[tuple[str, str]] = Counter()
        self.branches: Counter[tuple[int, str]] = Counter()
        self.named: list[dict[str, Any]] = []
        self.flips = 0

    def add(self, row: Any, rules: Rules) -> None:
        self.households += 1
        if row.answers is None:
            self.without_assessment += 1
            self.branches[row.branch_id, "without_assessment"] += 1
            return
        before = AssessedClass(row.poverty_class)
        # The place of today: the line to come is that of where the household lives now.
        area = row.area or row.area_type
        facts = facts_of(rules, None if area is None else AreaType(area), row)
        classified = classify(rules, facts)
        possible = [each.value for each in classified.possible]
        after = classified.class_.value
        self.moves[before.value, after] += 1
        self.branches[row.branch_id, after] += 1
        if after == before.value:
            return
        self.flips += 1
        self.branches[row.branch_id, "flips"] += 1
        if len(self.named) < MOST_NAMED:
            flip = {"household_id": str(row.id), "branch_id": row.branch_id}
            self.named.append(flip | {"from": before.value, "to": after, "possible": possible})

    def result(self, rules: Rules, unit_id: int, names: Mapping[int, str]) -> dict[str, Any]:
        kinds = [*(each.value for each in AssessedClass), "without_assessment", "flips"]
        branches = sorted({branch for branch, _ in self.branches})
        return {
            "standard": rules.standard.id,
            "rule_version": rules.version,
            "unit_id": unit_id,
            "households": self.households,
            "without_assessment": self.without_assessment,
            "flips": self.flips,
            "changes": [
                {"from": before, "to": after, "households": number}
                for (before, after), number in sorted(self.moves.items())
            ],
            "by_branch": [
                {"branch_id": branch, "name": names.get(branch)}
                | {kind: self.branches[branch, kind] for kind in kinds}
                for branch in branches
            ],
            "named": self.named,
            "not_named": self.flips - len(self.named),
        }
