"""The branch that a heading between rows, a title or the name of a sheet says."""

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import PurePath
from typing import Final

from app.text import clean, fold
from app.workbooks.tables import Cell

# "I. ", "1) ", "* " before the name of a section.
_NUMBERING: Final = re.compile(r"^(?:(?:[IVX]{1,6}|[A-Z]|[0-9]{1,3})\s*[.)/:]|[*+•–-])\s*")
# How many people it has, a colon, a year after it.
_AFTER: Final = re.compile(
    r"[\s,:;–-]*(?:"
    r"\(?\s*[0-9]+\s*(?:hội viên|hoi vien|hv|người|nguoi|chị|chi|thành viên|thanh vien|đ/c|d/c)"
    r"\s*\)?|n[ăa]m\s+[0-9]{4}(?:\s*[-–]\s*[0-9]{4})?|:"
    # The day or the time it is of.
    r"|\(?(?:(?:tính|tinh|có|co|cập nhật|cap nhat)\s+)?(?:đến|den|tới|toi)\s+(?:ngày|ngay|tháng|thang|[0-9]).*"
    r"|\(?(?:quý|quy|đợt|dot|tháng|thang|kỳ|ky|lần|lan)\s+(?:[0-9]|[IVX]+\b).*|[0-9]+\s*(?:tháng|thang)\s+(?:đầu|dau|cuối|cuoi).*"
    # Who leads it.
    r"|\(?\s*(?:(?:chi hội|chi hoi|tổ|to|nhóm|nhom)\s+(?:trưởng|truong|phó|pho)|cht|phụ trách|phu trach)"
    r"\b.*)\s*$",
    re.IGNORECASE,
)
# Who made the list, after the branch: "chi hội khu 4 (bà Gấm ghi)".
_BY_WHOM: Final = re.compile(
    r"\s*\((?:bà|ba|chị|chi|cô|co|ông|ong|đ/c|d/c|do|người|nguoi)\s(?!hội\b|hoi\b)[^()]*\)\s*$",
    re.IGNORECASE,
)
_TEAM: Final = re.compile(r"(?:tổ|nhóm|đội|nhom)\b", re.IGNORECASE)
# Gaps between two things in one cell.
_APART: Final = re.compile(r"\n|\t|[ \u00a0]{3,}")
# What stands beside or below the names of offices.
_STATE: Final = re.compile(
    r"cong hoa xa hoi|doc lap\W+tu do|tu do\W+hanh phuc|dang cong san|\bngai .{0,12}\bthang\b.{0,12}\bnam\b"
)
# A heading is short: of a longer text the rest is not looked at.
_LONGEST: Final = 200
# A part of a branch, which is no unit of its own, begins with one of these words, has none but these,
# and a number after a few of them alone ("Chi hội 3" is a branch).
_GROUP_BEGINS: Final = frozenset({"to", "nhom", "ban", "bch", "hoi", "can", "ui", "danh", "trang"})
_GROUP_WORDS: Final = frozenset(
    {
        *("to", "nhom", "ban", "bch", "chap", "hanh", "hoi", "vien", "can", "bo", "ui", "danh"),
        *("sach", "trang", "phu", "nu", "so", "nong", "cot", "du", "moi", "khac", "con", "lai"),
        *("cac", "va", "cao", "tuoi", "ngoai", "lien", "gia", "chi", "cua", "tre", "dang"),
    }
)
_GROUP_NUMBERED: Final = frozenset({"to", "nhom", "so", "trang", "nam"})
# A group by what its people are: it begins with who they are, and goes on in words of no name.
_KIND_BEGINS: Final = (
    r"(?:(?:các|những|số|danh sách|ds|nhóm)\s+)*"
    r"(?:hội viên|chị em|hv|đối tượng|diện|phụ nữ|cán bộ|người)\b"
)
_KIND_WORD: Final = (
    "được|miễn|giảm|nộp|đóng|thu|nợ|hội|phí|đã|chưa|đang|không|còn|hết|hưởng|chế|độ|chính|sách"
    "|nghèo|cận|khó|khăn|hoàn|cảnh|mới|kết|nạp|vào|cao|tuổi|trên|dưới|từ|đến|trở|lên|xuống|năm"
    "|tháng|quý|đi|làm|ăn|xa|vắng|tạm|trú|nghỉ|hưu|ốm|đau|yếu|bệnh|đặc|biệt|ưu|tiên|khuyết|tật"
    "|tàn|đơn|thân|goá|góa|thuộc|diện|đối|tượng|là|hộ|gia|đình|sinh|hoạt|tham|bảo|hiểm|y|tế|vay"
    "|vốn|theo|dõi|nòng|cốt|danh|dự|chính|thức|viên|chị|em|phụ|nữ|và|các|khác|ở|nơi|ngoài|bổ"
    "|sung|chuyển|về|tiêu|biểu|cũ|có|công|với|thẻ|học|việc|lao|động|[0-9]+"
)
# Without tones these are words of names as well: Xá, Đông, Định, Từ.
_NAMES_BARE: Final = re.compile("xa|dong|dinh|tu|the")
_KINDS: Final = {
    bare: (re.compile(spelled(_KIND_BEGINS)), re.compile(spelled(_KIND_WORD)))
    for bare, spelled in ((True, fold), (False, str))
}
# A heading between the rows, unless it is merged over several columns. Without tones only what is
# no name of a person (Tô, Phương, Hội).
_HEADING: Final = re.compile(
    r"(?:chi hội|khu|thôn|xóm|tổ|bản|ấp|đơn vị|xã|phường|hội|nhóm|chi hoi|thon|xom|don vi)\b",
    re.IGNORECASE,
)
_BRANCH: Final = re.compile(
    r"\b(?:chi hội(?: phụ nữ| lhpn)?\s+(?!viên|trưởng|phó|phụ nữ\s*$)\S.*"
    r"|chi hoi(?: phu nu| lhpn)?\s+(?!vien|truong|pho|phu nu\s*$)\S.*"
    r"|(?:khu|thôn|thon|xóm|xom|ấp|ap|bản|ban|tổ|to)(?: dân cư| dan cu| phố| pho| dân phố| dan pho)?"
    r"(?: số| so)?\s+(?:[0-9]+|[IVX]+)\b)",
    re.IGNORECASE,
)
# What a sheet is called that is one branch's: K1, khu4, CH 3.
_SHORT: Final = re.compile(
    r"(?:k|khu|thôn|thon|xóm|xom|ấp|ap|bản|ban|tổ|to|ch|chpn|chi hội|chi hoi)[\s._-]*"
    r"(?:số\s*|so\s*)?(?:[0-9]+|[IVX]+)",
    re.IGNORECASE,
)
# The same among the other words in the name of a file, where nothing need stand before the number.
_IN_FILE: Final = re.compile(
    r"\b(?P<word>k|khu|thôn|thon|xóm|xom|ấp|ap|ch|chpn|chi hội|chi hoi)"
    r"(?: dân cư| dan cu| hành chính| hanh chinh)? ?(?:số |so )?(?P<number>[0-9]{1,2})(?![0-9a-z])",
    re.IGNORECASE,
)
_JOINS: Final = re.compile(r"[\s._]+")
# "khu 1-2", "khu 1, 2 và 3".
_SEVERAL: Final = re.compile(
    rf"{_IN_FILE.pattern.replace('?P<word>', '').replace('?P<number>', '')}"
    r"\s*(?:[-–+&,]|và|va)\s*[0-9]{1,2}(?![0-9])",
    re.IGNORECASE,
)
# What programs call a sheet, or people any list.
_ANY_SHEET: Final = re.compile(
    r"(?:sheet|trang tính|danh s[áa]ch|ds|h[ộo]i vi[êe]n|t[ổo]ng h[ợo]p|b[ảa]ng)\b.*|[0-9]*",
    re.IGNORECASE,
)


def is_heading(text: str) -> bool:
    """Whether it begins as the heading of a section does."""
    return bool(_HEADING.match(_bare(text)))


def named(text: str) -> str:
    """The unit that the heading of a section names: of "I. Chi hội khu 1 (3 hội viên):" the
    branch alone."""
    bare = _bare(text)
    return bare if _HEADING.match(bare) else branch_in(bare) or bare


def branch_in(text: str) -> str | None:
    """The branch that a title names: "Danh sách hội viên chi hội khu 2 năm 2026"."""
    found = _BRANCH.search(_bare(text))
    return _BY_WHOM.sub("", found[0]).strip() if found else None


def names_branch(text: str) -> bool:
    """Whether it is, or holds, the name of a numbered branch."""
    return is_short(text) or branch_in(text) is not None


def is_short(text: str) -> bool:
    """Whether it is the name of a numbered branch and nothing else."""
    return _SHORT.fullmatch(_bare(text)) is not None


def _bare(text: str) -> str:
    """Without the number before it, and what stands after the name."""
    text = _NUMBERING.sub("", clean(text[:_LONGEST]))
    while (less := _AFTER.sub("", text)) != text:
        text = less
    return text


def is_group(text: str) -> bool:
    """Whether a heading, or a line of a title, is of a part of a branch: "II. Hội viên", "Tổ 2 (5
    hội viên)", "Hội viên được miễn hội phí"."""
    return _is_of_part(text) or _is_of_kind(text)


def is_within(text: str) -> bool:
    """Whether it is of a part of a branch, or of nothing that is known: what is said above it holds."""
    if is_group(text) or _TEAM.match(_bare(text)):
        return True
    return not (is_heading(text) or names_branch(text))


def _is_of_kind(text: str) -> bool:
    """Whether it says what people it is of, in words of which none is a name."""
    bare = _bare(text)
    without_marks = bare.isascii()
    low = fold(bare) if without_marks else bare.casefold()
    begins, word = _KINDS[without_marks]
    found = begins.match(low)
    if found is None or branch_in(bare):
        return False
    return all(
        word.fullmatch(each) and not (without_marks and _NAMES_BARE.fullmatch(each))
        for each in re.findall(r"\w+", low[found.end() :])
    )


def _is_of_part(text: str) -> bool:
    words = fold(_bare(text).replace("/", " ")).split()
    if not words or words[0] not in _GROUP_BEGINS:
        return False
    numbered = _GROUP_NUMBERED | ({"nu"} if words[0] in ("to", "nhom") else set())
    return all(
        word in _GROUP_WORDS or (_is_number(word) and (before in numbered or _is_number(before)))
        for before, word in pairwise(["", *words])
    )


def _is_number(word: str) -> bool:
    return word.isdecimal() or (word != "" and set(word) <= set("ivx"))


def enclosing(text: str, outer: str | None) -> str | None:
    """The heading whose branch the rows under a group are of. A "tổ" is no part of another."""
    is_sibling = (
        outer is not None and fold(outer).startswith("to ") and fold(text).startswith("to ")
    )
    return None if is_sibling else outer


def title_texts(cells: Iterable[Cell]) -> list[str]:
    """What a line of a title says, one text for each thing that stands beside another: an office at
    the left, the words of the state at the right."""
    texts = [str(cell) for cell in cells if cell is not None]
    pieces = (piece for text in texts for piece in _APART.split(text))
    said = [clean(piece) for piece in pieces if not _STATE.search(fold(piece))]
    return [text for text in said if text]


def of_titles(lines: Iterable[str], sheet: str | None) -> str | None:
    """The branch of a whole sheet: by the title nearest to its header, else by its own name."""
    nearest = [found for line in lines if (found := branch_in(line))]
    return nearest[-1] if nearest else _of_sheet(sheet or "")


def _of_sheet(name: str) -> str | None:
    name = clean(name)
    return name if _SHORT.fullmatch(name) else branch_in(name)


def of_file(name: str) -> str | None:
    """The branch that the name of a file says: "ds hội viên khu 4 (2).xlsx"; None where it says
    several, or units of no number."""
    words = _JOINS.sub(" ", clean(PurePath(name).stem[:_LONGEST]))
    found = {f"{each['word']} {each['number']}".lower() for each in _IN_FILE.finditer(words)}
    return found.pop() if len(found) == 1 and not _SEVERAL.search(words) else None


def of_several(sheet: str | None) -> str | None:
    """Of a sheet beside others its whole name, unless any list is called so."""
    name = clean(sheet or "")
    return None if _ANY_SHEET.fullmatch(name) else name
