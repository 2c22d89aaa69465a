"""Turn a search text into what is compared with the stored keys and digests.

Words stand in any order and with or without tone marks; all but the last are whole, the last may
be unfinished, and a single letter is an initial. Digits, wherever they stand, are one number: a
phone or an identity number, whole or its last digits.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect, vault_of
from app.errors import Problem, invalid
from app.models.base import sealed_fields
from app.models.members.members import Identifier, Member, MemberIdentifier
from app.person_names import latin_letters
from app.problem_texts import FieldCode
from app.services.kernel.access import Actor, Db, forbidden
from app.services.members.identifiers import RIGHT_OF, digests_of
from app.text import GIVEN, normalise_phone, search_key, search_words

_DIGIT = re.compile("[0-9]")
_MAX_WORDS = 8
_MIN_DIGITS = 4
# Each one is decrypted to be compared; a placeholder for "none" may be everybody's.
_MOST_NUMBERED = 5_000
# More words that begin alike than this are compared each by itself: their orders are too many.
_MAX_ALIKE = 3
# Identity numbers have a fixed length; phones are known by what `normalise_phone` makes of them.
_WHOLE = {Identifier.citizen_id: 12, Identifier.id_card: 9}
_LONGEST = {Identifier.phone: 11, **_WHOLE}
_SEALED_FOR = sealed_fields(Member)


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: its words as folded, and whether each is whole or only begun.

    `words`: LIKE patterns on a search key, one of each group must fit. `tiers`: what fits as well
    of those who come first, the strictest first; a name's rank is the first it fits.
    """

    folded: tuple[tuple[str, bool], ...]
    words: tuple[tuple[str, ...], ...]
    tiers: tuple["Tier", ...]
    number: str

    def rank(self, full_name: str, given_name: str | None) -> int:
        """The rank of a name that has all the words."""
        key = search_key(full_name, given_name)
        fitting = (
            n for n, tier in enumerate(self.tiers) if all(_like(key, p) for p in tier.patterns)
        )
        return next(fitting, len(self.tiers))


@dataclass(frozen=True, slots=True)
class Tier:
    """`patterns` on a search key; `word` is a whole word of the dictionary that fits them all."""

    patterns: tuple[str, ...]
    word: str | None = None


def _like(key: str, pattern: str) -> bool:
    parts = (re.escape(part).replace("_", ".") for part in pattern.strip("%").split("%"))
    return re.search(".*".join(parts), key) is not None


def read(q: str) -> Typed:
    """Understand a search; 422 /q when there is nothing to search for."""
    text = unicodedata.normalize("NFKC", latin_letters(q))
    number = "".join(_DIGIT.findall(text))
    words = search_words(_DIGIT.sub(" ", text))
    if not words and not number:
        raise _refused("search_empty")
    if number and len(number) < _MIN_DIGITS:
        raise _refused("search_digits", min=_MIN_DIGITS)
    if len(words) > _MAX_WORDS:
        raise _refused("search_words", max=_MAX_WORDS)
    whole = [place < len(words) - 1 and len(bare) > 1 for place, (bare, _) in enumerate(words)]
    folded = tuple((bare, w) for (bare, _), w in zip(words, whole, strict=True))
    has_initials = any(len(bare) == 1 for bare, _ in folded[:-1])
    return Typed(
        folded=folded,
        words=_bare(folded),
        # Initials in their order come first: by chance alone most names have an N and a T.
        tiers=_tiers(words, whole, folded if has_initials else ()) if words else (),
        number=number,
    )


def _refused(code: FieldCode, **params: Any) -> Problem:
    return invalid(code, "/q", place="query", **params)


# -- words


def _bare(words: Sequence[tuple[str, bool]]) -> tuple[tuple[str, ...], ...]:
    """Patterns of the words as folded; the rarest, which long words are, are compared first.

    Words that begin alike ("N N Hoa") fit two words of a name, in either order, never one.
    """
    groups: list[list[tuple[str, bool]]] = []
    for word in sorted(words):
        # Sorted, the words that a word begins are right behind it.
        if groups and len(groups[-1]) < _MAX_ALIKE and word[0].startswith(groups[-1][0][0]):
            groups[-1].append(word)
        else:
            groups.append([word])
    groups.sort(key=lambda group: -sum(len(bare) for bare, _ in group))
    return tuple(
        tuple(sorted({_in_this_order(order) for order in permutations(group)})) for group in groups
    )


def _in_this_order(words: Iterable[tuple[str, bool]]) -> str:
    return "".join(f"% {bare}{'=' if whole else ''}" for bare, whole in words) + "%"


def _tiers(
    words: Sequence[tuple[str, str | None]],
    whole: Sequence[bool],
    in_order: Sequence[tuple[str, bool]],
) -> tuple[Tier, ...]:
    """Hoa before Hoa Mai before Hoàng: first whose given name is the last word, then who has it as
    a whole word, then who has all the marks typed."""
    marks = [mark for _, mark in words]
    bare, mark = words[-1]
    before = _all_marked(marks[:-1], whole[:-1])
    end = f"{mark} " if mark and mark[1:] not in _INITIALS else ""
    given, exact = f"{GIVEN}{bare}", bare
    tiers = [
        Tier((*before, f"% {given}={end}%"), given),
        Tier((*before, f"% {exact}={end}%"), exact),
    ]
    typed = _all_marked(marks, whole)
    if in_order:
        ordered = _in_this_order(in_order)
        tiers = [Tier((ordered, *tier.patterns), tier.word) for tier in tiers]
        tiers.append(Tier((ordered, *typed)))
    if typed:
        tiers.append(Tier(typed))
    return tuple(tiers)


def _all_marked(marks: Sequence[str | None], whole: Sequence[bool]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_marked(m, w) for m, w in zip(marks, whole, strict=True) if m))


def _marked(mark: str, whole: bool) -> str:
    if whole:
        return f"%={mark} %"
    # An initial is typed without its marks: Đ matches Đỗ and Đặng alike.
    tone = "_" if mark[0] == "0" and mark[1:] in _INITIALS else mark[0]
    return f"%={tone}{mark[1:]}%"


_INITIALS = frozenset(mark[1:] for letter in "ăâđêôơư" for _, mark in search_words(letter) if mark)


# -- numbers


def find_by_number(db: Db, actor: Actor, number: str) -> set[UUID]:
    """Members who have a phone or identity number with these last digits, where the actor may
    read it; 403 when they may read none that it could be, anywhere."""
    phone = normalise_phone(number)
    kinds = [
        kind
        for kind, longest in _LONGEST.items()
        if len(number) <= longest or (kind is Identifier.phone and phone)
    ]
    held = [kind for kind in kinds if actor.reach(RIGHT_OF[kind])]
    if kinds and not held:
        raise forbidden(db, actor, RIGHT_OF[kinds[0]], None)
    lookups = [_lookup(db, kind, *part) for kind in held for part in _parts(kind, number, phone)]
    if not lookups:
        return set()
    vault = vault_of(db)
    found = set()
    rows = db.execute(sa.union(*lookups).limit(_MOST_NUMBERED + 1)).all()
    if len(rows) > _MOST_NUMBERED:
        raise _refused("search_too_many", max=_MOST_NUMBERED)
    for row in rows:
        kind = Identifier(row.kind)
        if row.member_id not in found and actor.covers(RIGHT_OF[kind], row):
            value = vault.open(row.sealed, _SEALED_FOR[kind])
            if value.endswith(number) or value == phone:
                found.add(row.member_id)
    return found


def _parts(kind: Identifier, number: str, phone: str | None) -> list[tuple[str, str]]:
    """The columns to look in, and for what."""
    if len(number) == _WHOLE.get(kind):
        return [("exact", number)]
    whole = [("exact", phone)] if kind is Identifier.phone and phone else []
    last = ("last4", number[-4:]) if len(number) < 6 else ("last6", number[-6:])
    return [*whole, last] if len(number) < _LONGEST[kind] else whole


def _lookup(db: Db, kind: Identifier, part: str, value: str) -> AnySelect:
    digests = digests_of(vault_of(db), kind, part, value)
    return (
        sa.select(
            col(MemberIdentifier.member_id),
            sa.literal(kind.value, sa.String).label("kind"),
            sa.type_coerce(getattr(Member, kind), sa.Text).label("sealed"),
            col(Member.province_id),
            col(Member.commune_id),
            col(Member.branch_id),
        )
        .join(Member, col(Member.id) == col(MemberIdentifier.member_id))
        .where(
            col(MemberIdentifier.kind) == kind,
            getattr(MemberIdentifier, part).in_(digests),
            getattr(Member, kind).is_not(None),
        )
    )
