"""The order of people: that of ICU's `vi` on given name, surname, middle names.

The expected order was made once, with ICU itself, and is kept with the tests:

    python -m tests.members.test_name_order | node tests/data/make_name_order.mjs \
        | gzip -9n > tests/data/name_order.txt.gz
"""

import gzip
import random
import sys
import unicodedata
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml
from sqlmodel import col

from app.db import Database
from app.models.base import new_id
from app.models.members.members import Member, MemberStatus
from app.text import search_key, sort_key
from tests.helpers.client import Api, utc_now, writing

ROOT = Path(__file__).parents[2]
EXPECTED = ROOT / "tests" / "data" / "name_order.txt.gz"
COUNT = 20_000
ONSETS = ["", *"bcdđghklmnpqrstvx", "ch", "gh", "kh", "ng", "ngh", "nh", "ph", "th", "tr"]
# The tone of a syllable stands on the letter before the star.
RIMES = """
a* a*n a*ng a*nh a*i a*o ă*n ă*ng ă*m â*n â*ng â*u e* e*n e*o ê* ê*n ê*nh i* i*n i*nh i*a iê*n iê*u
o* o*n o*ng o*i o*a oa*n oa*ng oă*n o*e ô* ô*n ô*ng ô*i ơ* ơ*n ơ*i u* u*n u*ng u*a u*y uyê*n uâ*n
uô*n uô*i ư* ư*ng ư*a ươ*n ươ*ng ươ*i ư*u y* yê*n yê*u
"""
TONES = ["", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323"]


def syllable(rng: random.Random) -> str:
    word = rng.choice(ONSETS) + rng.choice(RIMES.split()).replace("*", rng.choice(TONES))
    return unicodedata.normalize("NFC", word).capitalize()


def names() -> list[str]:
    """Distinct names of the demo's words and of syllables with every letter, shape and tone."""
    demo = yaml.safe_load((ROOT / "app/data/demo/names.yaml").read_text(encoding="utf-8"))
    cohorts = demo["women"] + demo["men"]
    surnames = sorted({name for group in demo["surnames"].values() for name in group})
    middles = sorted({name for cohort in cohorts for name in cohort["middle"]})
    given = sorted({name for cohort in cohorts for name in cohort["given"]})
    rng = random.Random(20_000)
    found: dict[str, None] = {}
    while len(found) < COUNT:
        first = rng.choice(surnames) if rng.random() < 0.7 else syllable(rng)
        middle = rng.choice(middles) if rng.random() < 0.7 else syllable(rng)
        last = rng.choice(given) if rng.random() < 0.6 else syllable(rng)
        between = [middle] * (rng.random() < 0.9) + [syllable(rng)] * (rng.random() < 0.1)
        found[" ".join([first, *between, last])] = None
    return list(found)


def expected() -> list[str]:
    """Names in ICU's order; no two of them are equal to it."""
    lines = gzip.decompress(EXPECTED.read_bytes()).decode().splitlines()
    assert not any("\t" in line for line in lines)
    return lines


class TestSortKey:
    def test_is_the_order_of_icu(self) -> None:
        ordered = expected()
        shuffled = random.Random(1).sample(ordered, len(ordered))
        assert len(set(ordered)) == COUNT
        assert sorted(shuffled, key=sort_key) == ordered

    def test_the_names_have_every_letter_shape_and_tone(self) -> None:
        letters = set("".join(expected()).lower())
        marked = {
            unicodedata.normalize("NFC", letter + tone)
            for letter in "aăâeêioôơuưy"
            for tone in TONES
        }
        assert marked | {"đ", "d"} <= letters

    def test_names_of_one_key_are_one_name_to_a_reader(self) -> None:
        """Distinct as written, equal as ordered: case, and where the tone stands."""
        groups = [list(group) for _, group in groupby(expected(), key=sort_key)]
        assert [group for group in groups if len(group) > 1] == []
        assert sort_key("Trần Thị Hoà") == sort_key("TRẦN THỊ HÒA")
        assert sort_key("Trần Thị Thuý") == sort_key("Trần thị Thúy")

    def test_the_key_alone_finds_the_place_of_a_name_between_two_others(self) -> None:
        ordered = expected()
        keys = [sort_key(name) for name in ordered]
        assert all(one < other for one, other in pairwise(keys))
        assert all(len(key) < 100 and key.isascii() for key in keys)


class TestList:
    def test_pages_of_three_thousand_are_in_that_order(
        self, api: Api, database: Database, unit_id: dict[str, int]
    ) -> None:
        ordered = random.Random(2).sample(expected(), 2_990)
        # Ten are there twice: the same name is in the order of the ids.
        place = {name: number for number, name in enumerate(expected())}
        ordered = sorted(ordered + ordered[:10], key=place.__getitem__)
        rows = [row_of(name, unit_id) for name in ordered]
        assert len(rows) == 3_000
        with writing(database) as session:
            session.connection().execute(
                sa.update(Member)
                .where(col(Member.branch_id) == unit_id["phuongvi-4"])
                .values(status=MemberStatus.left)
            )
            shuffled = random.Random(3).sample(rows, len(rows))
            session.connection().execute(sa.insert(Member), shuffled)
        head = api.as_("phuongvi-4")
        answer = head.get("/v1/members?limit=200")
        shown = answer.json()["items"]
        while "link" in answer.headers:
            answer = head.get(answer.headers["link"].split(">")[0].lstrip("<"))
            shown += answer.json()["items"]
        assert [item["full_name"] for item in shown] == ordered
        assert [item["id"] for item in shown] == [str(row["id"]) for row in rows]


def row_of(full_name: str, unit_id: dict[str, int]) -> dict[str, Any]:
    now = utc_now()
    return {
        "id": new_id(),
        "province_id": unit_id["phutho"],
        "commune_id": unit_id["phuongvi"],
        "branch_id": unit_id["phuongvi-4"],
        "full_name": full_name,
        "sort_key": sort_key(full_name),
        "search_key": search_key(full_name),
        "birth_date": "1980",
        "birth_year": 1980,
        "created_at": now,
        "updated_at": now,
    }


if __name__ == "__main__":
    sys.stdout.write("\n".join(names()))
