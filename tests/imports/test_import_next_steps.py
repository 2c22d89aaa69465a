"""What to do next with a list: what settles most rows first, each with a request ready to be sent."""

from collections.abc import Mapping, Sequence

import pytest

from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.imports import test_import_households as households
from tests.imports.test_imports import HEADER, Work, previewed, rows_of, summary, women, xlsx


def taken(api: Api, work: Work, item: Json, step: Json) -> Json:
    """The import once the request of a step was sent as it is."""
    request = step["request"]
    answer = api.request(request["method"], request["path"], json=request["body"])
    assert answer.status_code in (200, 202), answer.text
    work()
    return done(api.get(f"/v1/imports/{item['id']}"))


def steps(item: Json) -> list[tuple[str, int, Mapping[str, object] | None]]:
    """Without what all have: the path of the import."""
    own = f"/v1/imports/{item['id']}"
    return [
        (
            f"{step['request']['method']} {step['request']['path'].removeprefix(own)}".strip(),
            step["rows"],
            step["request"]["body"],
        )
        for step in item["next_steps"]
    ]


@pytest.fixture
def rows() -> Sequence[Sequence[str]]:
    """Eight women: four branches with a letter too many, two phones that are none, a citizen id
    without its zero (in a row whose phone is wrong), a row without a name."""
    made = women(8)
    for row in made[:4]:
        row[2] = "Chi hội khuu 1"
    made[4][3] = made[5][3] = "12"
    made[5][4] = "25171001234"
    made[7][0] = ""
    return made


def test_what_settles_most_rows_comes_first(
    officer: Api, work: Work, unit_id: Ids, rows: Sequence[Sequence[str]]
) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
    left_out = {"leave_out": {"codes": [], "fields": ["citizen_id", "phone"]}}
    assert steps(item) == [
        ("PATCH", 6, {"accept": ["citizen_id_zero_lost", "unit_unknown"], **left_out}),
        ("PATCH", 4, {"accept": ["unit_unknown"]}),
        ("PATCH", 2, {"leave_out": {"codes": [], "fields": ["phone"]}}),
        ("PATCH", 1, {"accept": ["citizen_id_zero_lost"]}),
        ("PATCH", 1, {"leave_out": {"codes": [], "fields": ["citizen_id"]}}),
        ("GET /errors-file", 1, None),
        ("POST /apply", 1, {}),
    ]
    assert item["next_steps"][3]["text_vi"] == (
        "1 dòng, cột Số CCCD: Số định danh có … chữ số, có thể mất số 0 ở đầu. "
        "Lấy giá trị được đề nghị."
    )
    assert item["next_steps"][-1]["text_en"] == "Write the 1 rows that are in order."


def test_two_steps_and_all_but_what_must_be_corrected_is_written(
    officer: Api, work: Work, unit_id: Ids, rows: Sequence[Sequence[str]]
) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
    item = taken(officer, work, item, item["next_steps"][0])
    assert item["summary"] == summary(created=7, error=1)
    # What was proposed is taken before a cell is left out.
    assert rows_of(officer, item["id"])[5]["values"]["citizen_id"] == "025171001234"
    assert item["cells_left_out"] == [
        {"field": "phone", "header": "Điện thoại", "code": "phone_invalid", "count": 2}
    ]
    assert steps(item) == [("GET /errors-file", 1, None), ("POST /apply", 7, {})]
    item = taken(officer, work, item, item["next_steps"][-1])
    assert (item["state"], item["summary"]) == ("applied", summary(created=7, error=1))
    assert steps(item) == [("GET /errors-file", 1, None)]
    assert item["cells_left_out"][0]["count"] == 2


def test_each_step_settles_what_it_says(
    officer: Api, work: Work, unit_id: Ids, rows: Sequence[Sequence[str]]
) -> None:
    """Taken one after another, each is gone afterwards and adds to what was chosen before."""
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
    for _ in range(4):
        choices = [step for step in item["next_steps"] if step["request"]["method"] == "PATCH"]
        if not choices:
            break
        before = item["summary"]["error"]
        item = taken(officer, work, item, choices[-1])
        assert choices[-1]["request"] not in [step["request"] for step in item["next_steps"]]
        assert item["summary"]["error"] <= before
    assert item["summary"] == summary(created=7, error=1)


def test_a_column_that_rows_need_may_be_one_that_is_not_read(
    officer: Api, work: Work, unit_id: Ids
) -> None:
    header = ["Họ và tên", "Ngày sinh", "Người phụ trách", "Ghi chú"]
    content = xlsx(header, [[*row[:3], ""] for row in women(3)])
    item = previewed(officer, work, unit_id["phuongvi"], content)
    assert item["summary"] == summary(error=3)
    assert steps(item)[0] == ("PATCH", 3, {"mapping": {"branch": "C"}})
    item = taken(officer, work, item, item["next_steps"][0])
    assert item["summary"] == summary(created=3)
    assert steps(item) == [("POST /apply", 3, {})]


def test_a_decision_about_one_row_is_counted(officer: Api, work: Work, unit_id: Ids) -> None:
    made = women(2)
    made[0][4] = "25171001234"
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, made))
    assert ("PATCH", 1, {"accept": ["citizen_id_zero_lost"]}) in steps(item)
    done(officer.patch(f"/v1/imports/{item['id']}/rows/2", json={"accept": ["citizen_id"]}))
    item = done(officer.get(f"/v1/imports/{item['id']}"))
    assert steps(item) == [("POST /apply", 2, {})]


def test_who_waits_is_looked_at(officer: Api, work: Work, unit_id: Ids) -> None:
    """Who is on record is decided row by row: no step takes one person for another."""
    content = xlsx(HEADER, [*women(1), *women(1)])
    item = previewed(officer, work, unit_id["phuongvi"], content)
    assert steps(item) == [("GET /rows?outcome=duplicate", 1, None), ("POST /apply", 1, {})]
    assert len(done(officer.get(item["next_steps"][0]["request"]["path"]))["items"]) == 1


def test_of_every_kind_of_list(officer: Api, work: Work, unit_id: Ids) -> None:
    made = [households.row(n, f"Khổng {name}", **{"Từ ngày": "x"}) for n, name in enumerate("AB")]
    content = xlsx(households.HEADER, made)
    item = households.previewed(officer, work, unit_id["phuongvi"], content)
    [step] = [each for each in item["next_steps"] if each["request"]["method"] == "PATCH"]
    assert step["request"]["body"] == {"leave_out": {"codes": [], "fields": ["opened_on"]}}
    assert taken(officer, work, item, step)["summary"] == summary(created=2)


def test_who_may_not_see_the_rows_gets_no_steps(
    api: Api, officer: Api, work: Work, unit_id: Ids
) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(1)))
    refused_one = api.as_("tienluong").get(f"/v1/imports/{item['id']}")
    assert refused_one.status_code == 404
    colleague = done(api.as_("camkhe").get(f"/v1/imports/{item['id']}"))
    assert colleague["next_steps"] == item["next_steps"]
