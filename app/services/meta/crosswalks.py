"""What the codes of one edition of a list became in another, from the data and the tree of units."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from app.clock import local_today
from app.errors import invalid
from app.models.base import Day
from app.models.kernel.code_lists import CODE_LISTS
from app.models.kernel.units import UnitLevel
from app.models.meta.crosswalks import (
    CodeEdition,
    CodeRelation,
    CrosswalkList,
    CrosswalkQuery,
    CrosswalkRow,
)
from app.models.poverty.standards import Standard
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Pages, in_memory
from app.services.meta import unit_codes
from app.services.meta.code_lists import earlier_editions
from app.services.poverty import standards

_DAY: Final[TypeAdapter[date]] = TypeAdapter(Day)
_EMPTY: Final = dict.fromkeys(CrosswalkRow.model_fields)


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """Rows as CrosswalkRow, and the two editions."""

    earlier: CodeEdition
    later: CodeEdition
    rows: Pages


@dataclass(frozen=True, slots=True)
class _Coded:
    """What a code of an edition means: codes of two editions of one `meaning` are the same thing, and
    as long as it is `defined` alike they mean the same."""

    name: str | None
    meaning: str
    defined: Any = None
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class _Edition:
    about: CodeEdition
    codes: Mapping[str, _Coded]


def between(db: Db, actor: Actor, listed: CrosswalkList, query: CrosswalkQuery) -> Crosswalk:
    """What the codes of one edition became in the other; 422 for one that there is not."""
    if listed.value in list(UnitLevel):
        return _of_units(db, actor, UnitLevel(listed.value), query)
    editions = _editions(db, listed)
    versions = [each.about.version for each in editions]
    first = _chosen(query.from_, versions, versions[0], "/from")
    last = _chosen(query.to, versions, versions[-1], "/to")
    earlier, later = editions[versions.index(first)], editions[versions.index(last)]
    return _walked(earlier.about, later.about, _rows(earlier, later))


def _walked(
    earlier: CodeEdition, later: CodeEdition, rows: Iterable[Mapping[str, Any]]
) -> Crosswalk:
    numbered = (((number,), {**_EMPTY, **row}) for number, row in enumerate(rows))
    return Crosswalk(earlier, later, in_memory(numbered))


# -- units


def _of_units(db: Db, actor: Actor, level: UnitLevel, query: CrosswalkQuery) -> Crosswalk:
    if query.from_ is None:
        raise invalid("required", "/from", place="query")
    since = _day(query.from_, "/from")
    until = local_today() if query.to is None else _day(query.to, "/to")
    if until < since:
        raise invalid("range_reversed", "/to", place="query")
    rows = unit_codes.rows(db, actor, level, since, until)
    return _walked(_of_day(since), _of_day(until), rows)


def _day(text: str, pointer: str) -> date:
    try:
        return _DAY.validate_python(text)
    except ValidationError as error:
        raise invalid("date_invalid", pointer, place="query") from error


def _of_day(day: date) -> CodeEdition:
    return CodeEdition(version=day.isoformat(), valid_from=day, valid_to=day, source=None)


# -- lists


def _editions(db: Db, listed: CrosswalkList) -> Sequence[_Edition]:
    """Of one list, the oldest first."""
    if listed is CrosswalkList.ethnicity:
        return _of_ethnic_groups()
    known = standards.of(db).standards
    if listed is CrosswalkList.poverty_class:
        return [_Edition(_about(each, each.id), _classes(each)) for each in known]
    return [_Edition(_about(each, each.id), _indicators(each)) for each in known]


def _about(edition: Any, version: str) -> CodeEdition:
    return CodeEdition(
        version=version,
        valid_from=edition.valid_from,
        valid_to=edition.valid_to,
        source=edition.source,
    )


def _of_ethnic_groups() -> Sequence[_Edition]:
    ours = CODE_LISTS["ethnicity"]
    earlier = [
        _Edition(
            _about(edition, edition.version),
            {
                item.code: _Coded(item.name, item.became, confirmed=item.confirmed)
                for item in edition.items
            },
        )
        for edition in earlier_editions()
        if edition.of == ours.name
    ]
    codes = {item.code: _Coded(item.vi, item.code) for item in ours.items}
    return [*earlier, _Edition(_about(ours, ours.version), codes)]


def _classes(standard: Standard) -> Mapping[str, _Coded]:
    """Each class is defined by its lines, so none means the same in two standards."""
    lines = (standard.income_lines, standard.point_lines)
    return {
        rule.class_.value: _Coded(None, rule.class_.value, (standard.rules, lines))
        for rule in standard.rules
    }


def _indicators(standard: Standard) -> Mapping[str, _Coded]:
    return {
        each.code: _Coded(each.vi, each.code, (each.deprived_if_vi, each.points), each.confirmed)
        for each in standard.indicators
    }


def _chosen(asked: str | None, versions: Sequence[str], default: str, pointer: str) -> str:
    if asked is None:
        return default
    if asked not in versions:
        raise invalid("not_in_list", pointer, place="query", allowed=list(versions))
    return asked


def _rows(earlier: _Edition, later: _Edition) -> Iterator[Mapping[str, Any]]:
    """As CrosswalkRow: the codes of the earlier edition, and then what is new in the later one."""
    by_meaning = {coded.meaning: code for code, coded in later.codes.items()}
    sources = [earlier.about.source, later.about.source]
    step = {
        "effective_on": later.about.valid_from,
        "source": "; ".join(dict.fromkeys(source for source in sources if source is not None)),
    }
    for code, coded in earlier.codes.items():
        to = by_meaning.get(coded.meaning)
        yield {**step, **_row(code, coded, to, None if to is None else later.codes[to])}
    known = {coded.meaning for coded in earlier.codes.values()}
    for code, coded in later.codes.items():
        if coded.meaning not in known:
            yield {**step, **_row(None, None, code, coded)}


def _row(
    code: str | None, coded: _Coded | None, to: str | None, after: _Coded | None
) -> Mapping[str, Any]:
    return {
        "relation": _relation(code, coded, to, after),
        "from_code": code,
        "from_name": coded and coded.name,
        "to_code": to,
        "to_name": after and after.name,
        "confirmed": all(each is None or each.confirmed for each in (coded, after)),
    }


def _relation(
    code: str | None, coded: _Coded | None, to: str | None, after: _Coded | None
) -> CodeRelation:
    if coded is None:
        return CodeRelation.new
    if after is None:
        return CodeRelation.ended
    if code != to:
        return CodeRelation.recoded
    return CodeRelation.same if coded.defined == after.defined else CodeRelation.redefined
