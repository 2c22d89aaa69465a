"""a given name may stand anywhere in a name, and searches know which word it is"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


class Uuid(sa.types.TypeDecorator[UUID]):
    """`uuid` on PostgreSQL, 16 bytes on SQLite."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.LargeBinary(16))
        return dialect.type_descriptor(sa.Uuid(as_uuid=True))

    def process_bind_param(self, value: UUID | None, dialect: sa.Dialect) -> Any:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> UUID | None:
        return UUID(bytes=value) if value is not None and dialect.name == "sqlite" else value


_CHUNK = 2_000
_MEMBER = sa.table(
    "member",
    sa.column("id", Uuid()),
    sa.column("full_name", sa.String),
    sa.column("given_name", sa.String),
    sa.column("sort_key", sa.String),
    sa.column("search_key", sa.String),
)
_HOUSEHOLD = sa.table(
    "household",
    sa.column("id", Uuid()),
    sa.column("head_name", sa.String),
    sa.column("sort_key", sa.String),
    sa.column("search_key", sa.String),
)
_NAME = sa.table("name_entry", sa.column("sort_key"), sa.column("search_key"))
_WORD = sa.table("name_word", sa.column("word"), sa.column("sort_key"), sa.column("search_key"))

_Key = Callable[[str], str]


def upgrade() -> None:
    op.add_column("member", sa.Column("given_name", sa.String(120), nullable=True))
    _write_keys(_key_with_given)


def downgrade() -> None:
    # Who was listed by another word than the last is listed by the last again.
    _write_keys(_key, sort=True)
    with op.batch_alter_table("member") as batch_op:
        batch_op.drop_column("given_name")


def _write_keys(key: _Key, *, sort: bool = False) -> None:
    for table, name in ((_MEMBER, "full_name"), (_HOUSEHOLD, "head_name")):
        values = {"search_key": sa.bindparam("search")}
        if sort:
            values["sort_key"] = sa.bindparam("sort")
        update = (
            sa.update(table)
            .where(table.c.id == sa.bindparam("row_id", type_=Uuid()))
            .values(**values)
        )
        for rows in _rows(table):
            names = [(row.id, getattr(row, name)) for row in rows]
            op.get_bind().execute(
                update,
                [
                    {"row_id": row_id, "search": key(text)}
                    | ({"sort": _sort(text)} if sort else {})
                    for row_id, text in names
                ],
            )
    _fill_dictionary(key)


def _rows(table: Any) -> Iterator[list[Any]]:
    """All rows in chunks by id: each is read before it is changed."""
    last = None
    while True:
        statement = sa.select(table).where(table.c.search_key != "").order_by(table.c.id)
        if last is not None:
            statement = statement.where(table.c.id > last)
        rows = op.get_bind().execute(statement.limit(_CHUNK)).all()
        if not rows:
            return
        last = rows[-1].id
        yield list(rows)


def _fill_dictionary(key: _Key) -> None:
    """The names that members bear now."""
    bind = op.get_bind()
    bind.execute(sa.delete(_WORD))
    bind.execute(sa.delete(_NAME))
    last = ""
    while True:
        borne = (
            sa.select(_MEMBER.c.sort_key, sa.func.min(_MEMBER.c.full_name).label("name"))
            .where(_MEMBER.c.search_key != "", _MEMBER.c.sort_key > last)
            .group_by(_MEMBER.c.sort_key)
            .order_by(_MEMBER.c.sort_key)
        )
        rows = bind.execute(borne.limit(_CHUNK)).all()
        if not rows:
            return
        last = rows[-1].sort_key
        entries = [{"sort_key": row.sort_key, "search_key": key(row.name)} for row in rows]
        bind.execute(sa.insert(_NAME), entries)
        words = [
            {"word": word, **entry}
            for entry in entries
            for word in {part.partition("=")[0] for part in entry["search_key"].split()}
        ]
        if words:
            bind.execute(sa.insert(_WORD), words)


# -- names as the app searches for them at this revision: a copy, which never changes

_LOOK_ALIKES = str.maketrans("\u00d0\u00f0\u0189\u0256", "ĐđĐđ")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
_APOSTROPHES = "'\u2018\u2019\u02bc"
_HYPHENS = "-\u2010\u2011"
_BARE = str.maketrans("đƀy", "dbi")
_ONE_I = str.maketrans("yỳỷỹýỵYỲỶỸÝỴ", "iìỉĩíịIÌỈĨÍỊ")
_NO_APOSTROPHE = str.maketrans("", "", _APOSTROPHES)
_NOT_WORD = re.compile(r"(?:[^\w\u0300-\u036f]|_)+")
_NOT_WORD_BEFORE = re.compile(r"[\W_]+")
_SHAPES = {
    "a\u0306": "a{",
    "a\u0302": "a|",
    "e\u0302": "e{",
    "o\u0302": "o{",
    "o\u031b": "o|",
    "u\u031b": "u{",
}
_WEIGHTS = (
    {char: char for char in ".0123456789abcdefghijklmnopqrstuvwxyz"}
    | {"đ": "d{", "ƀ": "b{"}
    | dict.fromkeys(_HYPHENS, "-")
    | dict.fromkeys(_APOSTROPHES, "/")
)
_TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}


def _key_with_given(full_name: str) -> str:
    return _part(full_name, "") + _part(_clean(full_name).split(" ")[-1], "/") + " "


def _part(text: str, sign: str) -> str:
    folded = _casefolded(_clean(text))
    words = _words(folded)
    joined = _words(folded.translate(_NO_APOSTROPHE))
    words += [word for word in joined if word not in words]
    return "".join(f" {sign}{bare}={marked}" for bare, marked in words)


def _words(text: str) -> list[tuple[str, str]]:
    words = map(_word, _NOT_WORD.sub(" ", text).split())
    return [(bare, marked) for bare, marked in words if bare]


def _key(full_name: str) -> str:
    """As it was before this revision."""
    words = _casefolded(_clean(full_name)).translate(_NO_APOSTROPHE)
    split = _NOT_WORD_BEFORE.sub(" ", words).split()
    return "".join(f" {bare}={marked}" for bare, marked in map(_word, split)) + " "


def _sort(full_name: str) -> str:
    words = _clean(full_name).split(" ")
    fields = (words[-1:], words[:-1][:1], words[1:-1])
    return "!".join(level for field in fields for level in _levels(" ".join(field)))[:400]


@lru_cache(maxsize=4096)
def _word(word: str) -> tuple[str, str]:
    letters, tones = _levels(word.translate(_ONE_I))
    bare = _fold(word)
    marked = f"{tones[:1] or '0'}{letters}"
    return bare, "" if marked == f"0{bare}" else marked


def _clean(text: str) -> str:
    visible = _INVISIBLE.sub("", text).translate(_LOOK_ALIKES)
    return " ".join(unicodedata.normalize("NFC", visible).split())


def _fold(text: str) -> str:
    bare = "".join(char for char in _decomposed(_clean(text)) if not unicodedata.combining(char))
    return _clean(bare.translate(_BARE))


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def _casefolded(text: str) -> str:
    return unicodedata.normalize("NFC", _decomposed(text))


@lru_cache(maxsize=4096)
def _levels(field: str) -> tuple[str, str]:
    letters = [""]
    tones = []
    for char in _decomposed(field):
        if shape := _SHAPES.get(letters[-1] + char):
            letters[-1] = shape
        elif unicodedata.combining(char):
            tones.append(_TONES.get(char, "6"))
        elif char == " ":
            letters.append(",")
            tones.append(",")
        else:
            letters.append(_WEIGHTS.get(char) or f"~{ord(char):06x}")
    return "".join(letters), "".join(tones)
