"""Who is compared with whom, and what makes two people alike."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any, NamedTuple
from uuid import UUID

from app.models.duplicates.duplicates import Reason
from app.models.members.members import MemberStatus
from app.services.duplicates.scores import score_of
from app.text import likeness, name_in_key, search_key, words_of_key

SUGGESTED = 50
MOST_CANDIDATES = 10
WHOLE_DATE = len("1968-05-17")
# rapidfuzz's ratio of two folded names: one letter of a common name is about 93.
_NEAR = 88


@dataclass(frozen=True, slots=True)
class ComparedPerson:
    """Who is asked about, her fields as `Member` has them (names clean, phone E.164, ids digits).

    `full_name`: None when she is asked about by a number alone. `member_id`: set when she is on
    record, to exclude her own record.
    """

    full_name: str | None
    birth_date: str | None = None
    branch_id: int | None = None
    phone: str | None = None
    citizen_id: str | None = None
    id_card: str | None = None
    member_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member who may be the person. `score` is 0 to 100; her units are those of today."""

    member_id: UUID
    score: int
    reasons: tuple[Reason, ...]
    full_name: str
    birth_date: str
    status: MemberStatus
    province_id: int
    commune_id: int | None
    branch_id: int


class Words(NamedTuple):
    """The words of a name without their marks: as written, and in one order for all."""

    written: tuple[str, ...]
    ordered: tuple[str, ...]


@lru_cache(maxsize=8_000)
def words_of(key: str) -> Words:
    """From the search key of a name."""
    # Few words make all names: each is kept once.
    words = tuple(map(intern, words_of_key(key)))
    ordered = tuple(sorted(words))
    return Words(words, words if ordered == words else ordered)


class ComparedMember(NamedTuple):
    """A member as she is compared."""

    row: Any
    words: Words

    @classmethod
    def of(cls, row: Any) -> "ComparedMember":
        return cls(row, words_of(row.search_key))


class MatchedPerson:
    """A person, and the candidates found so far."""

    __slots__ = (
        *("commune_id", "found", "key", "numbers", "person", "place", "ruled_out", "words", "year"),
    )

    def __init__(self, place: int, person: ComparedPerson, commune_id: int | None) -> None:
        self.place = place  # in the list
        self.person = person
        self.key = search_key(person.full_name) if person.full_name else ""
        self.words = words_of(self.key)
        self.year = int(person.birth_date[:4]) if person.birth_date else None
        self.commune_id = commune_id
        self.found: dict[UUID, ComparedMember] = {}
        self.numbers: dict[UUID, set[Reason]] = defaultdict(set)
        self.ruled_out: set[UUID] = set()

    def add(self, known: Iterable[ComparedMember]) -> None:
        for each in known:
            if each.row.id != self.person.member_id:
                self.found[each.row.id] = each

    def candidates(self) -> list[Candidate]:
        found = [each for each in map(self._candidate, self.found.values()) if each]
        found.sort(key=lambda each: (-each.score, each.member_id))
        return found[:MOST_CANDIDATES]

    def keep_likely(self) -> None:
        """Leave only those whom a further look could still rule out."""
        self.found = {
            member_id: known
            for member_id, known in self.found.items()
            if score_of(self._reasons(known)) >= SUGGESTED
        }

    def _candidate(self, known: ComparedMember) -> Candidate | None:
        reasons = self._reasons(known)
        score = score_of(reasons)
        if score < SUGGESTED:
            return None
        row = known.row
        return Candidate(
            row.id,
            score,
            reasons,
            row.full_name,
            row.birth_date,
            row.status,
            row.province_id,
            row.commune_id,
            row.branch_id,
        )

    def _reasons(self, known: ComparedMember) -> tuple[Reason, ...]:
        row = known.row
        numbers = self.numbers.get(row.id, set())
        name = self._of_name(known)
        if name is None and not numbers - {Reason.phone_same}:
            return ()
        reasons = [name, self._of_birth(row), self._of_place(row)]
        reasons += sorted(numbers)
        if row.id in self.ruled_out:
            reasons.append(Reason.citizen_id_differs)
        return tuple(reason for reason in reasons if reason is not None)

    def _of_name(self, known: ComparedMember) -> Reason | None:
        if known.words == self.words:
            same = name_in_key(known.row.search_key) == name_in_key(self.key)
            return Reason.name_same if same else Reason.name_without_tones
        return Reason.name_near if _nearly(self.words, known.words) else None

    def _of_birth(self, row: Any) -> Reason | None:
        asked = self.person.birth_date
        if asked is None or self.year is None:
            return None
        if len(asked) == WHOLE_DATE and asked == row.birth_date:
            return Reason.birth_date_same
        off = abs(self.year - row.birth_year)
        if off > 1:
            return Reason.birth_differs
        return Reason.birth_year_close if off else Reason.birth_year_same

    def _of_place(self, row: Any) -> Reason | None:
        if self.person.branch_id is None:
            return None
        if row.branch_id == self.person.branch_id:
            return Reason.branch_same
        same = self.commune_id is not None and row.commune_id == self.commune_id
        return Reason.commune_same if same else None


def _nearly(a_name: Words, another: Words) -> bool:
    """The same words in another order, a middle name left out, or a letter or two amiss."""
    if a_name.ordered == another.ordered:
        return True
    one, other = a_name.written, another.written
    if len(one) > 1 and len(other) > 1 and (one[0], one[-1]) == (other[0], other[-1]):
        return set(one) <= set(other) or set(other) <= set(one)
    return likeness(" ".join(one), " ".join(other), _NEAR) > 0
