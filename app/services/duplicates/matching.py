"""Is this person on record already? One matcher for every way of entry: form, import, transfer,
scan.

A candidate's score is the sum of the points of its reasons (`models/duplicates.REASONS`), within
0 to 100; who has SUGGESTED or more is a candidate. Another name altogether is one only with the
same citizen id or card: mothers and daughters share phones, and a branch has many of one age.

Nobody is compared with everybody, but with
- those who have one of her numbers (digests of `member_identifier`); a phone of many is nobody's;
- those who have her given name and her whole date of birth, anywhere;
- in the commune of her branch: the same words in the name and a year of birth at most one off; for
  slips of the pen the same branch and year, or the same whole date. Reads: three for about each
  thousand people, and one a commune they are to be in.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel import col

from app.db import AnySelect, chunks, on_sqlite, vault_of
from app.models.base import json_type, table_of
from app.models.duplicates.duplicates import Reason
from app.models.kernel.units import Unit
from app.models.members.members import Identifier, Member, MemberIdentifier, MemberStatus
from app.services.duplicates.compared import (
    WHOLE_DATE,
    Candidate,
    ComparedMember,
    ComparedPerson,
    MatchedPerson,
    words_of,
)
from app.services.kernel.access import Db
from app.services.members.identifiers import digests_of
from app.statements import InThisOrder

# A number of so many people is a placeholder for "none", or the phone of the village shop.
MOST_SHARED = 50
# People who are looked for at once, at least.
_PORTION = 1_000
# Of one name and year, or of one branch and year: more are a year nobody knew, not people alike.
_MOST_ALIKE = 500


def match(db: Db, person: ComparedPerson) -> list[Candidate]:
    """Candidates for one person, the likeliest first."""
    return match_many(db, [person])[0]


def match_many(db: Db, people: Sequence[ComparedPerson]) -> list[list[Candidate]]:
    """Candidates for each person, in the order of `people`: the likeliest first, at most ten.

    The people are compared with members, not with each other. Some communes at a time: a list of a
    whole district does not hold all whom its people were compared with.
    """
    found: list[list[Candidate]] = [[] for _ in people]
    for asked in _portions(db, people):
        for chunk in chunks(asked):
            _find_by_number(db, chunk)
            _find_by_date(db, chunk)
        _find_in_communes(db, asked)
        for each in asked:
            each.keep_likely()
        for chunk in chunks(asked):
            _rule_out(db, chunk)
        for each in asked:
            found[each.place] = each.candidates()
    return found


_SAME_NUMBER = {
    Identifier.citizen_id: Reason.citizen_id_same,
    Identifier.id_card: Reason.id_card_same,
    Identifier.phone: Reason.phone_same,
}


# -- who is looked up


_KNOWN: tuple[Any, ...] = (
    col(Member.id),
    col(Member.province_id),
    col(Member.commune_id),
    col(Member.branch_id),
    col(Member.full_name),
    col(Member.search_key),
    col(Member.birth_date),
    col(Member.birth_year),
    col(Member.status),
)


def _find_by_number(db: Db, asked: Sequence[MatchedPerson]) -> None:
    """Those with the same phone, citizen id or card, anywhere."""
    vault = vault_of(db)
    of: dict[tuple[Identifier, int], list[MatchedPerson]] = defaultdict(list)
    for each in asked:
        for kind in Identifier:
            if number := getattr(each.person, kind):
                for digest in digests_of(vault, kind, "exact", number):
                    of[kind, digest].append(each)
    if not of:
        return
    digests = sorted({digest for _, digest in of})
    rare = (
        sa.select(col(MemberIdentifier.exact))
        .where(col(MemberIdentifier.exact).in_(digests))
        .group_by(col(MemberIdentifier.exact))
        .having(sa.func.count() <= MOST_SHARED)
    )
    statement: AnySelect = (
        sa.select(*_KNOWN, col(MemberIdentifier.kind), col(MemberIdentifier.exact))
        .join(Member, col(Member.id) == col(MemberIdentifier.member_id))
        .where(col(MemberIdentifier.exact).in_(rare))
    )
    for row in db.execute(statement):
        known = ComparedMember.of(row)
        for each in of.get((row.kind, row.exact), ()):
            each.add([known])
            each.numbers[row.id].add(_SAME_NUMBER[row.kind])


def _find_by_date(db: Db, asked: Sequence[MatchedPerson]) -> None:
    """Those with the same name and whole date of birth, anywhere.

    The given name is compared in the database: of a date alone a province has dozens.
    """
    of: dict[tuple[str, tuple[str, ...]], list[MatchedPerson]] = defaultdict(list)
    for each in asked:
        date = each.person.birth_date
        if date is not None and len(date) == WHOLE_DATE and each.words.written:
            of[date, each.words.written].append(each)
    if not of:
        return
    wanted = sorted({(date, f"% {words[-1]}=%") for date, words in of})
    for row in db.execute(_born_as(sqlite=on_sqlite(db)), {"wanted": wanted}):
        known = ComparedMember.of(row)
        for each in of.get((row.birth_date, known.words.written), ()):
            each.add([known])


@cache
def _born_as(*, sqlite: bool) -> AnySelect:
    """Those of each pair of `wanted`, a whole date of birth and a pattern of the search key: one
    text for any number of pairs."""
    wanted = sa.bindparam("wanted", type_=json_type)
    if sqlite:
        pair = sa.func.json_each(wanted).table_valued("value", name="pair")
        date, name = (sa.func.json_extract(pair.c.value, f"$[{n}]") for n in (0, 1))
    else:
        of_json = sa.column("value", postgresql.JSONB)
        pair = sa.func.jsonb_array_elements(wanted).table_valued(of_json, name="pair")
        date, name = (pair.c.value[n].astext for n in (0, 1))
    born_so = sa.and_(
        col(Member.birth_date) == date,
        # As `ix_member_born` has it: years alone are not in it.
        sa.text("length(member.birth_date) = 10"),
        col(Member.search_key).like(name),
    )
    member = table_of(Member)
    return sa.select(*_KNOWN).select_from(InThisOrder(pair, member, born_so))


def _portions(db: Db, people: Sequence[ComparedPerson]) -> Iterator[list[MatchedPerson]]:
    """The people to look for at once: all of some communes, so that each commune is read once."""
    communes = _communes_of(db, {person.branch_id for person in people} - {None})
    places: dict[int | None, list[int]] = defaultdict(list)
    for place, person in enumerate(people):
        places[communes.get(person.branch_id or 0)].append(place)
    portion: list[MatchedPerson] = []
    for commune_id, here in places.items():
        portion += [MatchedPerson(place, people[place], commune_id) for place in here]
        if len(portion) >= _PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _find_in_communes(db: Db, asked: Sequence[MatchedPerson]) -> None:
    here: dict[int, list[MatchedPerson]] = defaultdict(list)
    for each in asked:
        if each.commune_id is not None:
            here[each.commune_id].append(each)
    for commune_id, people in here.items():
        _Commune(db, commune_id, people).find(people)


def _communes_of(db: Db, branch_ids: Iterable[Any]) -> dict[int, int | None]:
    wanted = sorted(branch_ids)
    found: dict[int, int | None] = {}
    for chunk in chunks(wanted):
        statement = sa.select(col(Unit.id), col(Unit.commune_id)).where(col(Unit.id).in_(chunk))
        found |= {row.id: row.commune_id for row in db.execute(statement)}
    return found


# A commune is read to its end, and few of it are like anybody: the others' ids and states are not made.
_SCANNED = tuple(
    sa.type_coerce(column, sa.types.NullType()).label(column.key)
    if column.key in ("id", "status")
    else column
    for column in _KNOWN
)


class _Known(NamedTuple):
    """A row of `_KNOWN`."""

    id: UUID
    province_id: int
    commune_id: int | None
    branch_id: int
    full_name: str
    search_key: str
    birth_date: str
    birth_year: int
    status: MemberStatus


def _whole(row: Any) -> _Known:
    found = _Known(*row)
    given: Any = found.id  # 16 bytes on SQLite
    id_ = given if isinstance(given, UUID) else UUID(bytes=given)
    return found._replace(id=id_, status=MemberStatus(found.status))


class _Commune:
    """The members of one commune, as far as these people can be among them."""

    def __init__(self, db: Db, commune_id: int, people: Sequence[MatchedPerson]) -> None:
        self.by_name: dict[tuple[tuple[str, ...], int], list[ComparedMember]] = defaultdict(list)
        self.by_branch: dict[tuple[int, int], list[ComparedMember]] = defaultdict(list)
        self.by_date: dict[str, list[ComparedMember]] = defaultdict(list)
        self.years: dict[tuple[str, ...], set[int]] = defaultdict(set)
        names = {each.words.ordered for each in people}
        branches = {(each.person.branch_id, each.year) for each in people}
        dates = {each.person.birth_date for each in people}
        for row in db.execute(_those_born(commune_id, people)).all():
            words = words_of(row.search_key).ordered
            here, date = (row.branch_id, row.birth_year), row.birth_date
            in_branch, on_day = here in branches, date in dates and len(date) == WHOLE_DATE
            named = words in names
            if not (named or in_branch or on_day):
                continue
            known = ComparedMember.of(_whole(row))
            if named:
                self.by_name[words, row.birth_year].append(known)
                self.years[words].add(row.birth_year)
            if in_branch:
                self.by_branch[here].append(known)
            if on_day:
                self.by_date[date].append(known)

    def find(self, people: Iterable[MatchedPerson]) -> None:
        for each in people:
            words = each.words.ordered
            year, person = each.year, each.person
            years = self.years[words] if year is None else {year - 1, year, year + 1}
            for near in sorted(years):
                each.add(self.by_name.get((words, near), ())[:_MOST_ALIKE])
            if year is not None and person.branch_id is not None:
                each.add(self.by_branch.get((person.branch_id, year), ())[:_MOST_ALIKE])
            if person.birth_date is not None:
                each.add(self.by_date.get(person.birth_date, ())[:_MOST_ALIKE])


def _those_born(commune_id: int, people: Sequence[MatchedPerson]) -> AnySelect:
    statement: AnySelect = sa.select(*_SCANNED).where(col(Member.commune_id) == commune_id)
    years = [each.year for each in people if each.year is not None]
    if len(years) < len(people):
        return statement  # of somebody no year is known
    born = col(Member.birth_year)
    if len(people) == 1:
        # Written out: the index of communes and years then gives few rows.
        return statement.where(born.in_([years[0] - 1, years[0], years[0] + 1]))
    return statement.where(born.between(min(years) - 1, max(years) + 1))


def _rule_out(db: Db, asked: Sequence[MatchedPerson]) -> None:
    """Who has another citizen id than the one given is probably another woman of that name."""
    vault = vault_of(db)
    checked = [each for each in asked if each.person.citizen_id]
    wanted = sorted({member_id for each in checked for member_id in each.found})
    held: dict[UUID, int] = {}
    for chunk in chunks(wanted):
        statement = sa.select(col(MemberIdentifier.member_id), col(MemberIdentifier.exact)).where(
            col(MemberIdentifier.member_id).in_(chunk),
            col(MemberIdentifier.kind) == Identifier.citizen_id,
        )
        held |= {row.member_id: row.exact for row in db.execute(statement)}
    for each in checked:
        hers = _own_digests(vault, each.person)
        each.ruled_out = {
            member_id for member_id in each.found if held.get(member_id, hers[0]) not in hers
        }


def _own_digests(vault: Any, person: ComparedPerson) -> list[int]:
    assert person.citizen_id is not None  # noqa: S101  # as asked
    return digests_of(vault, Identifier.citizen_id, "exact", person.citizen_id)
