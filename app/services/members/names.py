"""The dictionary of distinct names, which searches above the communes go through."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col

from app.db import AnySelect, insert_new, on_sqlite
from app.models.members.members import Member, NameEntry, NameWord
from app.services.kernel.access import Db
from app.services.kernel.holdings import Forgotten, Person
from app.text import sort_keys

# Up to so many names with a word are read and put in order; of more, all names are read in order
# until the page is full, which then is soon.
FEW = 4_000
_LAST = "\U0010ffff"  # sorts behind every letter, in both databases


def remember(session: Session, members: Iterable[Mapping[str, Any]]) -> None:
    """Enter the names (`sort_key`, `search_key`) that are not in it.

    A name that another transaction is just entering is waited for: in bulk, call it once, last.
    """
    names = {member["sort_key"]: member["search_key"] for member in members}
    entries = [{"sort_key": key, "search_key": names[key]} for key in sorted(names)]
    # In one order everywhere: two transactions that enter the same names cannot lock each other.
    _enter(session, NameEntry, entries)
    _enter(session, NameWord, words_of(entries))


def words_of(entries: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """A row for each distinct word of each name, in the order of their key."""
    rows = [
        {"word": word, **entry}
        for entry in entries
        for word in {part.partition("=")[0] for part in entry["search_key"].split()}
    ]
    return sorted(rows, key=lambda row: (row["word"], row["sort_key"]))


def _enter(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, str]]) -> None:
    insert_new(session, model, rows)


def forget(session: Session, person: Person) -> Forgotten:
    """Take out those of the person's names that no member has.

    On PostgreSQL nobody enters a name meanwhile: one who found it there would not enter it again.
    """
    connection = session.connection()
    if not on_sqlite(connection):
        connection.execute(_KEEP_OTHERS_OUT)
    names = words = 0
    for key in {key for name in person.names for key in sort_keys(name)}:
        if connection.execute(_HAD_BY, {"key": key}).first() is not None:
            continue
        entries = connection.execute(_ENTRY, {"key": key}).mappings().all()
        for row in words_of([{**entry} for entry in entries]):
            words += connection.execute(
                sa.delete(NameWord).where(
                    col(NameWord.word) == row["word"], col(NameWord.sort_key) == key
                )
            ).rowcount
        names += connection.execute(
            sa.delete(NameEntry).where(col(NameEntry.sort_key) == key)
        ).rowcount
    return {NameEntry: names, NameWord: words}


_KEEP_OTHERS_OUT = sa.text("LOCK TABLE name_entry, name_word IN SHARE ROW EXCLUSIVE MODE")
_HAD_BY = sa.select(col(Member.id)).where(col(Member.sort_key) == sa.bindparam("key")).limit(1)
_ENTRY = sa.select(col(NameEntry.sort_key), col(NameEntry.search_key)).where(
    col(NameEntry.sort_key) == sa.bindparam("key")
)


@dataclass(frozen=True, slots=True)
class WordCount:
    """How many names have a word (folded; whole or only begun), counted up to FEW, and from where
    to before where they are among the words."""

    count: int
    low: str
    high: str
    whole: bool

    def cost(self) -> tuple[int, bool]:
        """Of many names those with a whole word are in order already."""
        return self.count, not self.whole


def found_by(db: Db, words: Sequence[tuple[str, bool]]) -> list[WordCount]:
    ranges = [(word, f"{word} " if whole else f"{word}{_LAST}") for word, whole in words]
    size = _SOME if len(ranges) <= _SOME else _MOST
    bound: dict[str, str | int] = {"few": FEW}
    for n, (low, high) in enumerate([*ranges, *[("", "")] * (size - len(ranges))]):
        bound |= {f"low_{n}": low, f"high_{n}": high}
    counts = db.execute(_counts(size), bound).one()
    return [
        WordCount(count, low, high, whole)
        for count, (low, high), (_, whole) in zip(counts, ranges, words, strict=False)
    ]


# Ranges of a statement: one for each word of a search, and the last word twice more as a whole one.
_SOME, _MOST = 4, 10


@cache
def _counts(size: int) -> AnySelect:
    return sa.select(*map(_up_to_few, range(size)))


def _up_to_few(n: int) -> Any:
    low, high = (sa.bindparam(f"{end}_{n}", type_=sa.String) for end in ("low", "high"))
    few = (
        sa.select(sa.literal(1))
        .where(col(NameWord.word) >= low, col(NameWord.word) < high)
        .limit(sa.bindparam("few", type_=sa.Integer))
        .subquery()
    )
    return sa.select(sa.func.count()).select_from(few).scalar_subquery()
