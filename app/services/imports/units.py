"""The branches and other units a list names: by the id in a column of ids, by code, or by name."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect, chunks
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.problem_texts import FieldCode
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.list_kinds import spoken
from app.services.kernel.reach import Reach
from app.spellings import may_be
from app.text import all_near, clean, fold, name_key
from app.workbooks import legacy
from app.workbooks.tables import Encoding

# What lists put in front of a name, or leave out: the word for the union, then that for the level.
_UNIONS = (
    *("hội liên hiệp phụ nữ", "hội lhpn", "hội phụ nữ", "chi hội phụ nữ", "chi hội pn"),
    *("chi hội", "chpn", "ch"),
)
_LEVELS = ("tỉnh", "thành phố", "xã", "phường", "thị trấn", "đặc khu")
_PREFIXES = tuple({fold(each): each for each in words} for words in (_UNIONS, _LEVELS))
_CLOSE = 85
_AS_CLOSE = 3
_NUMBER = re.compile(r"[0-9]+")
_PARTS = re.compile(r"\s*[,;]\s*|\s+[-–—]\s+|\s*(?:->|[>»›→|\\/])\s*")
# Levels above the commune, which say no more of a branch than it does.
_ABOVE = re.compile(
    fold(r"(?:hội lhpn\s+)?(?:tỉnh|huyện|thị xã|thành phố)\b|tp\b|việt nam\b"), re.IGNORECASE
)
_SHORT_COMMUNE = re.compile(r"\s+(?:x|p|tt)\.?$", re.IGNORECASE)
# No name of a branch and its commune has more words.
_MOST_WORDS = 12
_GLUED = re.compile(r"(?<=[a-z])\.?\s*(?=[0-9])")
_WORD_NUMBER = re.compile(r"\bso (?=[0-9])")
_SHORTENED = re.compile(r"(?:k|kdc|khu dan cu|khu hanh chinh) ([0-9]+)")
_ROMANS = (
    *("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"),
    *("xi", "xii", "xiii", "xiv", "xv", "xvi", "xvii", "xviii", "xix", "xx"),
)
_ROMAN = re.compile(rf"([a-z ]+) ({'|'.join(_ROMANS)})")
# What branches are numbered as: "5" may be any of them.
_NUMBERED = (
    "",
    "khu",
    "khu dan cu",
    "khu pho",
    "thon",
    "to",
    "to dan pho",
    "xom",
    "ap",
    "ban",
    "doi",
)
# A number behind one of these words, wherever it stands.
_HELD = re.compile(
    r"\b(?:khu|thon|xom|ap|ban|to|doi|k)(?: dan cu| hanh chinh| pho| dan pho)?(?: so)? ?"
    rf"(?:[0-9]+|{'|'.join(_ROMANS)})\b"
)
_PUNCTUATION = " ,.;:()–-"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch, or another unit that was asked for. `closed` when it takes nobody today."""

    id: int
    name: str
    level: UnitLevel
    commune_id: int | None
    closed: bool


@dataclass(frozen=True, slots=True)
class NotFound:
    """Why; `nearest` is the branch that may be meant."""

    code: FieldCode
    nearest: str | None = None


@lru_cache(maxsize=4_096)
def bare(name: str) -> str:
    """A unit's name without marks, case and the word for what it is: Phượng Vĩ is no phường."""
    text = clean(name)
    for prefixes in _PREFIXES:
        text = _without(text, prefixes)
    return name_key(text)


def _without(text: str, prefixes: Mapping[str, str]) -> str:
    """What stands behind the first of these, if it is the same word by its marks as well."""
    words, low = text.split(), f"{fold(text)} "
    for key, prefix in prefixes.items():
        count = key.count(" ") + 1
        if (
            low.startswith(f"{key} ")
            and len(words) > count
            and may_be(" ".join(words[:count]), prefix)
        ):
            return " ".join(words[count:])
    return text


def _means(written: str, commune: str | None) -> bool:
    """Whether this is the commune, by its name as `bare` has it, or by its initials. Without marks
    Phuong Vi may be a ward or a name."""
    if commune is None:
        return False
    initials = "".join(word[0] for word in commune.split())
    keys = {bare(written), name_key(written) if written.isascii() else ""}
    return commune in keys or (len(initials) > 1 and fold(written) == initials)


class Branches:
    """The branches of a unit (or its units of other `levels`) that the actor may write to; others
    are never named.
    """

    def __init__(
        self,
        db: Db,
        actor: Actor,
        unit: Unit,
        right: Right,
        levels: Collection[UnitLevel] = (UnitLevel.branch,),
    ) -> None:
        self.own = unit.id if unit.level in levels else None
        self.by_id: dict[int, Branch] = {}
        self._by_key: dict[str, list[Branch]] = defaultdict(list)
        self._by_code: dict[str, Branch] = {}
        self._answered: dict[tuple[Any, ...], Branch | NotFound] = {}
        # What somebody chose that a name means, by what is `spoken`: the id of a unit.
        self.meant: Mapping[str, int] = {}
        statement: AnySelect = sa.select(
            col(Unit.id),
            col(Unit.name),
            col(Unit.code),
            col(Unit.level),
            col(Unit.commune_id),
            col(Unit.closed_on),
        ).where(
            col(Unit.level).in_(levels),
            sa.or_(col(Unit.id) == unit.id, reach_of(db, unit).predicate(Unit)),
            visible(Unit, actor, right),
        )
        for row in db.execute(statement):
            closed = row.closed_on is not None
            branch = Branch(row.id, row.name, row.level, row.commune_id, closed)
            self.by_id[row.id] = branch
            for key in {name_key(row.name), bare(row.name)}:
                self._by_key[key].append(branch)
            if row.code:
                self._by_code[row.code.casefold()] = branch
        self._communes = _communes(db, {b.commune_id for b in self.by_id.values()})

    def find(
        self, given: dict[str, Any], levels: frozenset[UnitLevel] | None = None
    ) -> Branch | NotFound | None:
        """The branch a row names; None when it names none. Of units of one name those of `levels`
        are meant."""
        found = self._found(given, levels)
        outer = given.get("within")
        if outer is None or given.get("branch") is not None or not isinstance(found, NotFound):
            return found
        # The heading of a group names no unit: that of its branch does.
        return self._found({**given, "section": outer}, levels)

    def _found(
        self, given: dict[str, Any], levels: frozenset[UnitLevel] | None
    ) -> Branch | NotFound | None:
        branch_id, name = given.get("branch_id"), self._name_in(given)
        if branch_id is None:
            branch_id = self.meaning_of(given)
        if branch_id is not None:
            return self.by_id.get(branch_id) or NotFound("unit_unknown")
        if name is None:
            own = None if self.own is None else self.by_id.get(self.own)
            return own if own is None or levels is None or own.level in levels else None
        asked = (str(name), given.get("commune"), levels)
        found = self._answered.get(asked)
        if found is None:  # a list names the same few branches again and again
            found = self._answered[asked] = self._named(*asked)
        return found

    def meaning_of(self, given: dict[str, Any]) -> int | None:
        """The id of the unit that somebody chose for the name in a row."""
        name = self._name_in(given)
        return None if name is None else self.meant.get(spoken(str(name)))

    def _name_in(self, given: dict[str, Any]) -> Any:
        name = given.get("branch") or given.get("section")
        return given.get("titled") if name is None and self.own is None else name

    def of_address(self, given: dict[str, Any]) -> Branch | None:
        """The open branch that the address of a row names, where nothing else in the row names one:
        "Số 5, khu 1", "Khu 1, xã Phượng Vĩ"."""
        address = given.get("address")
        if not address or self.find(given) is not None:
            return None
        parts = _PARTS.split(address)
        for place, part in enumerate(parts):
            # A number alone is that of a house.
            if any(map(str.isalpha, part)):
                found = self._named(", ".join(parts[place:]), None, None)
                if isinstance(found, Branch) and not found.closed:
                    return found
        return None

    def reach(self, branch: Branch) -> Reach:
        """A branch with its people."""
        return Reach(UnitLevel.branch, branch.id)

    def _named(
        self, name: str, commune: str | None, levels: frozenset[UnitLevel] | None
    ) -> Branch | NotFound:
        if (coded := self._by_code.get(name.casefold())) is not None:
            return coded
        found = self._of_name(name)
        if levels is not None:
            found = [each for each in found if each.level in levels] or found
        if commune is not None:
            found = [b for b in found if _means(commune, self._communes.get(b.commune_id))]
        still_open = [each for each in found if not each.closed]
        if len(still_open or found) == 1:
            return (still_open or found)[0]
        if found:
            return NotFound("unit_ambiguous")
        return NotFound("unit_unknown", self._nearest(name))

    def _of_name(self, name: str) -> list[Branch]:
        return self._of_key(name_key(name), bare(name)) or self._of_parts(name)

    def _of_parts(self, name: str) -> list[Branch]:
        """By a shortened name, of the commune that is written behind it; or by the letters of an
        old font."""
        parts = [part for part in _PARTS.split(name) if not _ABOVE.match(fold(part))]
        # "Khu 1, xã Phượng Vĩ", or a path down to it: "Xã Phượng Vĩ > Khu 1".
        for ordered in (parts, parts[::-1]):
            if ordered and (found := self._within(ordered[0], ordered[1:])):
                return found
        if len(parts) == 1 and (found := self._before_commune(parts[0])):
            return found
        if found := self._held_in(name):
            return found
        if name.isascii():
            return []
        decoded = {legacy.decode(name, each) for each in Encoding} - {name}
        known = {b.id: b for text in decoded for b in self._of_key(name_key(text), bare(text))}
        return list(known.values())

    def _within(self, head: str, around: Collection[str]) -> list[Branch]:
        """The branches of this name, shortened or not, of the commune that is written around it."""
        key = _spelled(head)
        found = self._of_key(name_key(head), bare(head)) or self._of_key(key, key)
        return [
            each
            for each in found
            if all(_means(part, self._communes.get(each.commune_id)) for part in around)
        ]

    def _before_commune(self, name: str) -> list[Branch]:
        """Without a comma between them: "Khu 1 Phượng Vĩ"."""
        words = name.split()[:_MOST_WORDS]
        for place in range(1, len(words)):
            commune = " ".join(words[place:])
            if self._is_commune(commune):
                head = _SHORT_COMMUNE.sub("", " ".join(words[:place]))
                if found := self._within(head, (commune,)):
                    return found
        return []

    def _is_commune(self, written: str) -> bool:
        return any(_means(written, commune) for commune in self._communes.values())

    def _held_in(self, name: str) -> list[Branch]:
        """The branches of the numbers behind other words: "Chi bộ khu 1", "Tổ vay vốn số 2 (khu 3)".
        Apart from those and behind a number nothing stands but the commune."""
        low = fold(name)[:_LONGEST]
        numbers = list(_HELD.finditer(low))
        parts = _PARTS.split(name[:_LONGEST])
        apart = [part for part in parts if not _HELD.search(fold(part))]
        behind = _PARTS.split(low[numbers[-1].end() :].strip(_PUNCTUATION))[0] if numbers else ""
        named = filter(str.strip, (*apart, behind))
        if not numbers or not all(map(self._is_commune, named)):
            return []
        keys = (_spelled(each[0]) for each in numbers)
        found = {each.id: each for key in keys for each in self._of_key(key, key)}
        return list(found.values())

    def _of_key(self, whole: str, key: str) -> list[Branch]:
        if not _NUMBER.fullmatch(key):
            return self._by_key.get(whole) or self._by_key.get(key) or []
        numbered = (f"{word} {key}".strip() for word in _NUMBERED)
        found = {each.id: each for word in numbered for each in self._by_key.get(word, ())}
        return list(found.values())

    def _nearest(self, name: str) -> str | None:
        """The only unit whose name is near, with the same numbers: khu 4 is not nearly khu 1."""
        words, numbers = _apart(bare(name))
        if not words:
            return None
        known = [(*_apart(bare(each.name)), each.name) for each in self.by_id.values()]
        alike = [(text, unit_name) for text, own, unit_name in known if own == numbers]
        near = all_near(words, {text for text, _ in alike}, _CLOSE)
        best = {text for text, score in near if near[0][1] - score < _AS_CLOSE}
        names = [unit_name for text, unit_name in alike if text in best]
        return names[0] if len(names) == 1 else None


def _spelled(name: str) -> str:
    """The key of a name as people shorten it: K1, K.1, CH4, khu3, Khu II, Khu số 2."""
    key = bare(_GLUED.sub(" ", name_key(name)))
    key = _WORD_NUMBER.sub("", key)
    if shortened := _SHORTENED.fullmatch(key):
        return f"khu {shortened[1]}"
    if (roman := _ROMAN.fullmatch(key)) and roman[1] in _NUMBERED:
        return name_key(f"{roman[1]} {_ROMANS.index(roman[2]) + 1}")
    return key


def _apart(key: str) -> tuple[str, list[str]]:
    """The words of a name, and its numbers."""
    return " ".join(_NUMBER.sub(" ", key).split()), _NUMBER.findall(key)


def _communes(db: Db, commune_ids: set[int | None]) -> dict[int | None, str]:
    wanted = sorted(each for each in commune_ids if each is not None)
    names: dict[int | None, str] = {}
    for chunk in chunks(wanted):
        rows = db.execute(sa.select(col(Unit.id), col(Unit.name)).where(col(Unit.id).in_(chunk)))
        names |= {row.id: bare(row.name) for row in rows}
    return names
