"""Lists of members: scope, filters and search in, pages in name order out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy.engine import Connection

from app.clock import local_today
from app.db import on_sqlite
from app.errors import invalid
from app.models.external_ids.external_ids import MemberExternalId
from app.models.kernel.access import Right
from app.models.kernel.units import UnitLevel
from app.models.members.lists import MemberQuery
from app.models.members.members import MemberOnDay
from app.services.kernel.access import Actor, Db, forbidden
from app.services.kernel.external_ids import records_of
from app.services.kernel.keyset import Entry, Key, Pages
from app.services.kernel.offers import RowsOfDay
from app.services.kernel.reach import Reach
from app.services.members import names, pages, past, patterns, record, search
from app.services.members import scope as member_scope
from app.services.members.names import WordCount
from app.services.members.pages import EQUAL, PICKED, NamesFrom, PagePlan, Shape, page
from app.services.members.record import MASKS, shown_today
from app.services.members.search import Typed
from app.services.units.units import find_filter

_NO_WORDS = Typed((), (), (), number="")


def list_members(actor: Actor, query: MemberQuery) -> Pages:
    """Members in name order; those who were searched for, by the rank of their names first.

    Of a past day: 422 for a filter that only the records of today answer.
    """
    of_past = past.asked(query)
    if of_past is not None:
        return partial(_past, actor, query, of_past)
    return partial(_page, actor, query)


SYNC = replace(
    record.SYNC,
    # A restricted record does not leave, of whatever day.
    past=RowsOfDay(
        schema=MemberOnDay,
        pages=lambda _, actor, unit_id, day: list_members(
            actor, MemberQuery(unit=unit_id, restricted=False, as_of=day)
        ),
    ),
)


def _past(
    actor: Actor,
    query: MemberQuery,
    of: past.DayAsked,
    db: Connection,
    after: Key | None,
    limit: int,
) -> Sequence[Entry]:
    scope = _scope(db, actor, query)
    return past.list_on(db, actor, scope, query, of)(db, after, limit)


def _page(actor: Actor, query: MemberQuery, db: Db, after: Key | None, limit: int) -> list[Entry]:
    """A key is the sort key and the id; where tone marks were typed, the rank of the name first."""
    _ensure_ranges(query)
    typed = _NO_WORDS if query.q is None else search.read(query.q)
    area = member_scope.area(_scope(db, actor, query))
    picked = _picked(db, actor, query, typed)
    if area is None or [] in (picked.get("numbered"), picked.get("external")):
        return []
    way = pages.plan(area, picked, searching=bool(typed.folded))
    by_dictionary = way is PagePlan.dictionary
    rare_words = _rare_words(db, typed) if by_dictionary else []
    if by_dictionary and rare_words[-1].count == 0:
        return []  # no name at all has one of the words
    filters = _filters(query)
    parameters = filters | picked | pages.bound(area)
    sqlite = on_sqlite(db)

    def part(rank: int | None, after: Key | None, limit: int) -> list[Entry]:
        """Those of one rank; of no rank: all, however they are marked."""
        rare = rare_words[-1 if rank is None else rank] if by_dictionary else None
        shape = Shape(
            plan=way,
            columns=tuple(area.units),
            is_one=area.is_one,
            around=area.around[0] if by_dictionary else None,
            filters=tuple(filters),
            sizes=patterns.sizes(typed, rank),
            names_from=_names_from(rare),
            picked=tuple(name for name in PICKED if name in picked),
            continued=after is not None,
            sqlite=sqlite,
        )
        bound = parameters | patterns.bound(typed, rank) | {"limit": limit}
        if rare is not None:
            bound |= {"word_from": rare.low, "word_to": rare.high}
        if after is not None:
            bound |= {"after_key": after[-2], "after_id": after[-1]}
        found = db.execute(page(shape), bound).all()
        # The sort key ends a row, the id begins it.
        keys: list[Key] = [
            (row[-1], row[0]) if rank is None else (rank, row[-1], row[0]) for row in found
        ]
        return list(zip(keys, shown_today(actor, found), strict=True))

    if not typed.tiers:
        return part(None, after, limit)
    # In the dictionary it is known which ranks no name has.
    had = [rank for rank in range(len(typed.tiers) + 1) if not rare_words or rare_words[rank].count]
    return _ranked(part, typed, had, after, limit, few=way is PagePlan.picked)


def as_file(db: Db, actor: Actor, query: MemberQuery) -> MemberQuery:
    """What is asked, as far as it may leave as a file: restricted records only with those who
    answer for them everywhere they are asked about."""
    right = Right.privacy_manage
    if actor.reach(right) and set(_scope(db, actor, query, right)) == set(_scope(db, actor, query)):
        return query
    if query.restricted:
        raise forbidden(db, actor, right, query.unit)
    return query.model_copy(update={"restricted": False})


Part = Callable[[int | None, Key | None, int], list[Entry]]


def _ranked(
    part: Part, typed: Typed, ranks: Sequence[int], after: Key | None, limit: int, *, few: bool
) -> list[Entry]:
    """Rank by rank: the given name, the word elsewhere, the marks as typed, the others.

    `ranks`: those that some name may have. `few`: all are likely to fit on a page.
    """
    if after is not None:
        rows = part(after[0], after, limit)
        return _filled(part, rows, [rank for rank in ranks if rank > after[0]], limit)
    rows = [] if few else part(ranks[0], None, limit)
    others = ranks if few else ranks[1:]
    if len(rows) == limit or not others:
        return rows
    # Perhaps these are all: then the names need not be read once for each rank.
    everybody = part(None, None, limit)
    if len(everybody) < limit:
        keyed = [
            ((typed.rank(row["full_name"], row["given_name"]), *key), row) for key, row in everybody
        ]
        return sorted(keyed, key=itemgetter(0))
    return _filled(part, rows, others, limit)


def _filled(part: Part, rows: list[Entry], ranks: Sequence[int], limit: int) -> list[Entry]:
    for rank in ranks:
        if len(rows) < limit:
            rows += part(rank, None, limit - len(rows))
    return rows


# -- what was asked


def _scope(db: Db, actor: Actor, query: MemberQuery, *further: Right) -> tuple[Reach, ...]:
    """A filter by a field reveals it for everybody found, so it needs the right to read it."""
    asked = [*further] + [
        right for name, right in MASKS.items() if getattr(query, name, None) is not None
    ]
    scope = member_scope.held(db, actor, asked)
    for pointer, level, unit_id in (
        ("/unit", None, query.unit),
        ("/branch", UnitLevel.branch, query.branch),
        ("/commune", UnitLevel.commune, query.commune),
    ):
        if unit_id is not None:
            scope = member_scope.narrowed(db, actor, scope, unit_id, pointer, level)
    return scope


def _ensure_ranges(query: MemberQuery) -> None:
    if query.age_from is not None and query.age_to is not None and query.age_to < query.age_from:
        raise invalid("range_reversed", "/age_to", place="query")
    if query.joined_from and query.joined_to and query.joined_to < query.joined_from:
        raise invalid("dates_reversed", "/joined_to", place="query")


def _filters(query: MemberQuery) -> dict[str, Any]:
    """The filters asked for, by the name of their condition, with what to bind to it."""
    year = local_today().year
    filters = {name: getattr(query, name) for name in EQUAL}
    filters["joined_from"] = _bound(query.joined_from)
    filters["joined_to"] = query.joined_to and query.joined_to.isoformat()
    filters["born_by"] = None if query.age_from is None else year - query.age_from
    filters["born_since"] = None if query.age_to is None else year - query.age_to
    return {name: value for name, value in filters.items() if value is not None}


def _bound(day: date | None) -> str | None:
    """The least text of days that begin then or later: 2015 begins on 2015-01-01."""
    return None if day is None else re.sub("(?:-01){1,2}$", "", day.isoformat())


def _rare_words(db: Db, typed: Typed) -> list[WordCount]:
    """In the dictionary: the word that fewest of its names have, for each rank; the last is for the
    names of no rank, and for all."""
    exact = list(dict.fromkeys(tier.word for tier in typed.tiers if tier.word is not None))
    found = names.found_by(db, [*typed.folded, *((word, True) for word in exact)])
    any_rank, more = found[: len(typed.folded)], dict(zip(exact, found[-len(exact) :], strict=True))
    of_tiers = [[*any_rank, *([more[tier.word]] if tier.word else [])] for tier in typed.tiers]
    return [min(each, key=WordCount.cost) for each in (*of_tiers, any_rank)]


def _names_from(rare: WordCount | None) -> NamesFrom:
    if rare is not None and rare.whole:
        return NamesFrom.word
    return NamesFrom.every if rare is None or rare.count >= names.FEW else NamesFrom.begun


def _picked(db: Db, actor: Actor, query: MemberQuery, typed: Typed) -> dict[str, Any]:
    """What narrows the list to a few, whom a page then begins from: a number, a group, a household."""
    few: dict[str, Any] = {}
    if typed.number:
        few["numbered"] = sorted(search.find_by_number(db, actor, typed.number))
    if query.external_id is not None:
        ref = [query.external_id]
        few["external"] = [*records_of(db, MemberExternalId, "member_id", ref).values()]
    if query.group is not None:
        group = find_filter(db, actor, query.group, pointer="/group")
        if group.level is not UnitLevel.group:
            raise invalid("unit_level_wrong", "/group", place="query", expected=UnitLevel.group)
        few |= {"group": group.id, "today": local_today()}
    if query.household is not None:
        few["household"] = query.household
    return few
