"""Names of ethnic groups and religions as people write them."""

import json

import pytest

from app.data_files import DATA
from app.models.kernel.code_lists import CODE_LISTS, ETHNIC_GROUPS
from app.spellings import Entry, Spellings
from app.workbooks import headers

GROUPS = headers.spellings_of("members", "ethnicity")
RELIGIONS = headers.spellings_of("members", "religion")


@pytest.mark.parametrize("name", sorted(CODE_LISTS.keys() - {"departure_reason", "event_kind"}))
def test_every_name_of_a_list_is_its_own(name: str) -> None:
    spelled = headers.spellings_of("members", name)
    for item in CODE_LISTS[name].items:
        for spelling in (item.code, item.vi, item.en):
            assert (spelling, spelled.find(spelling)) == (spelling, item.code)
            assert (spelling, spelled.find(spelling.upper())) == (spelling, item.code)


def test_every_other_name_is_of_one_entry() -> None:
    for listed, spelled in ((ETHNIC_GROUPS, GROUPS), (CODE_LISTS["religion"], RELIGIONS)):
        for item in listed.items:
            for alias in item.aliases:
                assert (alias, spelled.find(alias)) == (alias, item.code)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        # As phones type them.
        ("H’Mông", "08"),
        ("H`Mông", "08"),
        ("H′Mông", "08"),
        ("H＇Mông", "08"),
        ("K’Ho", "15"),
        ("M`nông", "20"),
        ("X’ tiêng", "21"),
        # Hyphens, spaces, points, joined.
        ("Bru - Vân Kiều", "22"),
        ("Bru – Vân Kiều", "22"),
        ("Bru Vân Kiều", "22"),
        ("bru-van kieu", "22"),
        ("Ê - đê", "11"),
        ("Êđê", "11"),
        ("EDE", "11"),
        ("Cơtu", "25"),
        ("Cơ-tu", "25"),
        ("Giarai", "10"),
        ("Gia - rai", "10"),
        ("Xơđăng", "16"),
        ("Raglai", "19"),
        ("Ra-glai", "19"),
        ("Khơmú", "24"),
        ("Khơ-me", "05"),
        ("Tà-ôi", "28"),
        ("Pàthẻn", "41"),
        # Other names and groups of them.
        ("Mán", "09"),
        ("Dao Đỏ", "09"),
        ("Dao quần chẹt", "09"),
        ("Trại", "17"),
        ("Trầu", "30"),
        ("Mọn", "23"),
        ("Cao Lan", "13"),
        ("Sán Chí", "13"),
        ("Mèo", "08"),
        ("Thái Đen", "03"),
        ("Vân Kiều", "22"),
        ("Pa Cô", "28"),
        ("Rục", "42"),
        # With what stands before or behind.
        ("Dân tộc Mường", "04"),
        ("DT Tày", "02"),
        ("người Dao", "09"),
        ("Sán Chay (Cao Lan)", "13"),
        # Without marks, or some of them.
        ("muong", "04"),
        ("MUONG", "04"),
        ("Mừong", "04"),
        ("Nung", "07"),
        ("01", "01"),
    ],
)
def test_an_ethnic_group_is_found(written: str, code: str) -> None:
    assert GROUPS.find(written) == code


@pytest.mark.parametrize(
    ("written", "proposed"),
    [
        ("Mả", "29"),  # another tone: for somebody to confirm
        ("Mướng", "04"),
        ("Mừờng Bi", None),
        ("Xá", None),  # what several are called
        ("La Quả", None),
        ("Tống", None),
        ("Hoà Bình", None),
        ("Không", None),
        ("K", None),
        ("", None),
        ("?", None),
        ("Kinh, Mường", None),
        ("Vân Kiêu Bru", None),
    ],
)
def test_what_is_not_sure_is_not_taken(written: str, proposed: str | None) -> None:
    assert (GROUPS.find(written), GROUPS.nearest(written)) == (None, proposed)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("Đạo Công giáo", "catholic"),
        ("Công Giáo", "catholic"),
        ("CG", "catholic"),
        ("đạo Thiên Chúa", "catholic"),
        ("Thiên chúa giáo", "catholic"),
        ("Ki-tô giáo", "catholic"),
        ("Islam", "muslim"),
        ("Đạo Islam", "muslim"),
        ("Hồi giáo", "muslim"),
        ("Không tôn giáo", "none"),
        ("Không", "none"),
        ("khong", "none"),
        ("Lương", "none"),
        ("Đạo Phật", "buddhist"),
        ("Phật giáo", "buddhist"),
        ("Phật giáo Hoà Hảo", "hoa_hao"),
        ("Phật giáo Hòa Hảo", "hoa_hao"),
        ("Hoà Hảo", "hoa_hao"),
        ("Đạo Tin lành", "protestant"),
        ("Tin-lành", "protestant"),
        ("Cao đài", "cao_dai"),
        ("Tôn giáo khác", "other"),
        ("Không khai", "undeclared"),
        ("catholic", "catholic"),
    ],
)
def test_a_religion_is_found(written: str, code: str) -> None:
    assert RELIGIONS.find(written) == code


@pytest.mark.parametrize("written", ["Đạo", "Có", "Đạo giáo", "Bà Ni", "Đạo Mẫu", "Tin", "x"])
def test_a_religion_that_is_not_sure_is_neither_taken_nor_proposed(written: str) -> None:
    assert (RELIGIONS.find(written), RELIGIONS.nearest(written)) == (None, None)


def test_a_misspelt_name_is_proposed_where_one_alone_is_near() -> None:
    assert RELIGIONS.nearest("Công giáoo") == "catholic"
    assert RELIGIONS.find("Công giáoo") is None
    near = Spellings([Entry("a", ("Chi hội khu 1",)), Entry("b", ("Chi hội khu 2",))])
    assert near.nearest("Chi hội khu 3") is None
    assert near.nearest("Chi hội khuu 1") == "a"


def test_the_form_takes_what_a_list_takes() -> None:
    """One table: no kind of list has names of its own for a group or a religion."""
    for file in headers.FOLDER.glob("*.json"):
        content = json.loads(file.read_text("utf-8"))
        assert not {"ethnicity", "religion"} & content.get("spellings", {}).keys()
    assert (DATA / "code_lists" / "ethnic_groups.json").exists()
