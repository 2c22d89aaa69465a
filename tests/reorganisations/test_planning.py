"""The plan of a reorganisation, made from units in memory."""

from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.models.kernel.units import AreaType, GroupKind, IdentifierScheme, SuccessionKind, UnitLevel
from app.models.reorganisations.operations import UnitChange
from app.services.reorganisations.planning import Plan, plan
from app.services.reorganisations.world import CodeHolder, Known, World
from app.services.units.changing import Succeeding
from app.services.units.handing import Handing, Ref

FIRST, SINCE = date(1997, 1, 1), date(2025, 7, 1)
LAST = SINCE - timedelta(days=1)
COMMUNE, BRANCH = UnitLevel.commune, UnitLevel.branch
_OPERATIONS: TypeAdapter[list[UnitChange]] = TypeAdapter(list[UnitChange])


def known(ref: Ref, level: UnitLevel, parent: Ref | None, **values: Any) -> Known:
    facts: dict[str, Any] = {
        "name": f"Đơn vị {ref}",
        "code": None,
        "area_type": None,
        "group_kind": None,
        "in_province": level is not UnitLevel.central,
        "opened_on": FIRST,
        "moved_on": FIRST,
        "named_on": {IdentifierScheme.name: FIRST},
        "latest": FIRST,
    }
    return Known(ref=ref, level=level, parent=parent, **facts | values)


def world() -> World:
    """A province 1, its district 2, its communes 3 and 4 with the branches 31, 32 and 41."""
    units = [
        known(0, UnitLevel.central, None),
        known(1, UnitLevel.province, 0),
        known(2, UnitLevel.district, 1),
        known(3, COMMUNE, 2, code="08356"),
        known(4, COMMUNE, 2, code="08344"),
        *(known(ref, BRANCH, parent, members=9) for ref, parent in ((31, 3), (32, 3), (41, 4))),
    ]
    holders = {
        "08356": [CodeHolder(3, FIRST, None)],
        "08344": [CodeHolder(4, FIRST, None)],
    }
    return World({unit.ref: unit for unit in units}, holders)


def planned(*operations: dict[str, Any], of: World | None = None, since: date = SINCE) -> Plan:
    return plan(of or world(), _OPERATIONS.validate_python(operations), since)


def troubles(made: Plan) -> list[tuple[int, str]]:
    return [
        (each.operation, each.problem.errors[0].code if each.problem.errors else each.problem.code)
        for each in made.troubles
    ]


def opening(key: str, parent: Ref, level: UnitLevel = COMMUNE, **body: Any) -> dict[str, Any]:
    return {"op": "open", "key": key, "level": level, "name": "Xã mới", "parent_id": parent} | body


class TestSeveralUnits:
    def test_a_merger_into_one_that_opens(self) -> None:
        merger = {"op": "merge", "unit_ids": [3, 4], "into_id": "new", "inferred": True}
        made = planned(opening("new", 1, code="08344"), merger)
        assert troubles(made) == []
        assert made.change.parents == {31: "new", 32: "new", 41: "new"}
        assert made.change.closed == [3, 4]
        kind = SuccessionKind.merge
        assert made.change.successions == [
            Succeeding(n, "new", kind, inferred=True) for n in (3, 4)
        ]

    def test_a_merger_into_one_of_them(self) -> None:
        made = planned({"op": "merge", "unit_ids": [3, 4], "into_id": 4})
        assert (troubles(made), made.change.closed) == ([], [3])
        assert made.change.parents == {31: 4, 32: 4}

    def test_a_unit_of_another_level_opens_and_takes_the_place(self) -> None:
        """No operation changes a level: a unit of the other level has the code and all below."""
        merger = {"op": "merge", "unit_ids": [3], "into_id": "new"}
        as_district = opening("new", 1, UnitLevel.district, code="08356")
        made = planned(as_district, merger, since=date(2025, 1, 1))
        assert (troubles(made), made.change.closed) == ([], [3])
        assert made.change.parents == {31: "new", 32: "new"}
        assert made.change.heirs == {3: ["new"]}
        assert [(each.unit, each.by) for each in made.change.successions] == [(3, "new")]
        too_low = planned(opening("new", 41, UnitLevel.group, group_kind="club"), merger)
        assert troubles(too_low) == [(1, "unit_level_order")]

    def test_branches_hand_over_their_people(self) -> None:
        merger = {"op": "merge", "unit_ids": [31, 32], "into_id": 32}
        made = planned(merger)
        assert (troubles(made), made.change.closed, made.change.handed) == (
            [],
            [31],
            [Handing(31, 32)],
        )
        assert (made.world.units[31].members, made.world.units[32].members) == (0, 18)
        further = planned(merger, {"op": "merge", "unit_ids": [32], "into_id": 41})
        assert (troubles(further), further.change.handed) == (
            [],
            [Handing(31, 41), Handing(32, 41)],
        )
        assert 41 in further.change.touched
        # A branch is no part of a commune.
        assert troubles(planned(merger | {"into_id": 4})) == [(0, "unit_in_use")]

    def test_a_branch_hands_over_to_one_alone(self) -> None:
        close: dict[str, Any] = {"op": "close", "unit_id": 31, "kind": "merge"}
        assert planned(close | {"successor_ids": [32]}).change.handed == [Handing(31, 32)]
        assert troubles(planned(close | {"successor_ids": [32, 41]})) == [(0, "unit_in_use")]
        assert troubles(planned(close | {"kind": "abolish"})) == [(0, "unit_in_use")]

    def test_a_split_by_what_is_assigned_and_the_default(self) -> None:
        halves = [opening("a", 1), opening("b", 1)]
        split: dict[str, Any] = {"op": "split", "unit_id": 3, "into_ids": ["a", "b"]}
        split |= {"assigned": [{"unit_id": 32, "to_id": "b"}]}
        assert troubles(planned(*halves, split)) == [(2, "units_unassigned")]
        made = planned(*halves, split | {"default_id": "a"})
        assert made.change.parents == {31: "a", 32: "b"}
        assert [(each.by, each.kind) for each in made.change.successions] == [
            ("a", "split"),
            ("b", "split"),
        ]
        strange = split | {"assigned": [{"unit_id": 41, "to_id": "b"}]}
        assert troubles(planned(*halves, strange)) == [(2, "invalid")]
        assert troubles(planned(*halves, split | {"default_id": 4})) == [(2, "invalid")]

    def test_what_is_split_may_stay(self) -> None:
        split = {"op": "split", "unit_id": 3, "into_ids": [3, "a"], "default_id": 3}
        split |= {"assigned": [{"unit_id": 31, "to_id": "a"}]}
        made = planned(opening("a", 1), split)
        assert (troubles(made), made.change.closed, made.change.parents) == ([], [], {31: "a"})

    def test_a_part_goes_between_units_that_stay(self) -> None:
        part = {"op": "transfer", "unit_ids": [31], "from_id": 3, "to_id": 4}
        made = planned(part)
        assert (made.change.parents, made.change.closed) == ({31: 4}, [])
        assert made.change.successions == [
            Succeeding(3, 4, SuccessionKind.transfer, False)
        ]  # a row
        assert troubles(planned(part | {"unit_ids": [41]})) == [(0, "invalid")]

    def test_a_level_is_retired(self) -> None:
        made = planned({"op": "retire_level", "level": "district", "under_id": 1})
        assert (made.change.parents, made.change.closed) == ({3: 1, 4: 1}, [2])
        assert made.change.successions == [
            Succeeding(2, None, SuccessionKind.abolish, False)
        ]  # a row

    def test_two_codes_are_exchanged(self) -> None:
        codes = [
            {"op": "change_code", "unit_id": unit, "code": code}
            for unit, code in ((3, "08344"), (4, "08356"))
        ]
        assert troubles(planned(*codes)) == []
        assert troubles(planned(codes[0])) == [(0, "code_taken")]
        assert troubles(planned(opening("x", 1, code="08356"))) == [(0, "code_taken")]
        two = [opening(key, 1, code="09999") for key in ("x", "y")]
        assert troubles(planned(*two)) == [(1, "code_taken")]


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "move", "unit_id": 3, "parent_id": 31}], [(0, "unit_level_order")]),
        ([{"op": "move", "unit_id": 3, "parent_id": 3}], [(0, "unit_level_order")]),
        (
            [{"op": "move", "unit_id": 31, "parent_id": parent} for parent in (4, 3)],
            [(1, "unit_date_conflict")],
        ),
        (
            [
                {"op": "merge", "unit_ids": [3], "into_id": 4},
                {"op": "rename", "unit_id": 3, "name": "Xã"},
                {"op": "move", "unit_id": 41, "parent_id": 3},
                {"op": "merge", "unit_ids": [4], "into_id": 3},
            ],
            [(1, "unit_closed"), (2, "unit_closed"), (3, "unit_closed")],
        ),
        ([{"op": "close", "unit_id": 3}], [(0, "unit_in_use")]),
        ([{"op": "close", "unit_id": 31}], [(0, "unit_in_use")]),
        (
            [{"op": "rename", "unit_id": 2, "name": "Huyện"}, {"op": "retire_level", "level": "district", "under_id": 1}],
            [(1, "unit_date_conflict")],
        ),
        ([opening("x", 99)], [(0, "unit_unknown")]),
        ([{"op": "move", "unit_id": 31, "parent_id": "x"}], [(0, "unit_unknown")]),
        ([opening("x", 1), opening("x", 1)], [(1, "key_taken")]),
        ([opening("x", 3)], [(0, "unit_level_order")]),
        ([opening("x", 3, BRANCH, group_kind="team")], [(0, "group_kind_without_group")]),
        ([opening("x", 3, UnitLevel.group, group_kind="team")], [(0, "unit_level_wrong")]),
        ([opening("x", 3, UnitLevel.group)], [(0, "required")]),
        ([opening("x", 1), {"op": "close", "unit_id": "x"}], [(1, "unit_not_open_yet")]),
        ([{"op": "split", "unit_id": 3, "into_ids": [3, 3], "default_id": 3}], [(0, "invalid")]),
        ([{"op": "split", "unit_id": 3, "into_ids": [3, 4], "default_id": 3, "assigned": [
            {"unit_id": 31, "to_id": to} for to in (3, 4)]}], [(0, "invalid")]),
        ([{"op": "retire_level", "level": "group", "under_id": 3}], [(0, "invalid")]),
        ([{"op": "merge", "unit_ids": [3], "into_id": 3}], [(0, "invalid")]),
        ([{"op": "transfer", "unit_ids": [31], "from_id": 3, "to_id": 3}], [(0, "invalid")]),
    ],
)  # fmt: skip
def test_a_trouble_has_the_number_of_its_operation(
    operations: list[dict[str, Any]], expected: list[tuple[int, str]]
) -> None:
    assert troubles(planned(*operations)) == expected


def test_not_before_a_unit_opened_nor_before_its_last_change() -> None:
    move = {"op": "move", "unit_id": 31, "parent_id": 4}
    early = FIRST - timedelta(days=1)
    assert troubles(planned(move, since=early)) == [(0, "unit_not_open_yet")]
    assert troubles(planned(move, since=FIRST)) == [(0, "unit_date_conflict")]
    assert troubles(planned(move, since=FIRST + timedelta(days=1))) == []


def test_all_troubles_are_found_and_the_world_stays() -> None:
    before = world()
    rename = {"op": "rename", "unit_id": 3, "name": "Xã Tiên Lương"}
    made = planned({"op": "close", "unit_id": 99}, rename, {"op": "close", "unit_id": 3}, of=before)
    assert troubles(made) == [(0, "unit_unknown"), (2, "unit_in_use")]
    assert made.change.named == {3: {IdentifierScheme.name: "Xã Tiên Lương"}}
    assert before == world()


def test_what_opens_may_be_named_by_later_operations() -> None:
    group = opening("g", "b", UnitLevel.group, group_kind=GroupKind.team)
    area = {"op": "change_area", "unit_id": "c", "area_type": AreaType.urban}
    made = planned(opening("c", 1), opening("b", "c", BRANCH), group, area)
    assert troubles(made) == []
    assert [(each.key, each.parent, each.area_type) for each in made.change.opened] == [
        ("c", 1, "urban"),
        ("b", "c", None),
        ("g", "b", None),
    ]
    assert made.change.named == {}
