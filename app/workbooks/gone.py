"""Notes and states that say of somebody that she died, moved away or left the union."""

import re
from typing import Final

from app.text import clean, fold

_CLAUSES: Final = re.compile(r"[,;()\n]|\.\s|\s[-–]\s")
# Of somebody else: "chồng đã mất"; "bố mẹ" and "con gái" among them.
_OTHERS: Final = r"^(?:(?:có|do|vì)\s+)?(?:chồng|con|bố|mẹ|cha|cháu|anh|em|bố mẹ|ông)\b"
# She came.
_CAME: Final = (
    r"\b(?:mới|vừa|nhận|xin|đã)?\s*chuyển\s+(?:\w+\s+){0,2}(?:đến|tới)\b"
    r"|\b(?:mới|vừa|nhận)\s+chuyển\b(?!\s+đi\b)|\bchuyển\b(?!\s+đi\b).*\btừ\s+(?!t?[0-9]|tháng|năm|ngày|đầu|cuối|khi|hồi|quý)|\bmới\s+(?:về|đến)\b"
)
# What she went over to is another kind of member, of work, of paper.
_TO_ANOTHER_KIND: Final = r"(?:hội viên|thẻ|làm|sổ|cccd|căn cước|nghề|diện|hộ|ngành|nghỉ|đảng|vnpt|viettel|mạng|trồng|nuôi)"
_GONE: Final = (
    # "Mất thẻ" is of a card, "mất 1 chân" of a leg.
    r"^(?:(?:đã|mới|vừa|bà|chị|cụ|hội viên|hv)\s+)*(?:mất|chết)(?:\s*$|\s+(?:năm|tháng|ngày|hồi|đầu|cuối|rồi|do|vì)\b"
    r"|\s+t?[0-9]{1,2}\s*[/.-]|\s+(?:19|20)[0-9]{2}\b)"
    r"|\b(?:đã|mới)\s+(?:mất|chết)\s*$|\b(?:qua đời|từ trần|tạ thế|tử vong)\b"
    r"|\bchuyển\s+(?:\w+\s+){0,2}đi\b"
    rf"|\bchuyển\s+(?:về|vào|ra|lên|xuống|sang|qua)\b(?!\s+{_TO_ANOTHER_KIND}\b)"
    r"|\bchuyển\s+(?:sinh hoạt|khẩu|hộ khẩu|nơi ở|chỗ ở|công tác)\b|\bcắt\s+(?:hộ\s+)?khẩu\b"
    r"|\bra khỏi\s+(?:hội|tổ chức|chi hội|danh sách)\b|\bxin\s+(?:ra|thôi|rút)\b|\bkhai trừ\b|\bxo[áa]\s+tên\b"
    r"|\bkhông còn\s+(?:sinh hoạt|là hội viên|ở|cư trú|tham gia)\b"
    r"|\b(?:thôi|ngừng|ngưng|dừng|bỏ)\s+(?:sinh hoạt|tham gia|hội viên)\b"
    r"|\blấy chồng\s+(?:\w+\s+){0,2}(?:xa|khác)\b|\btheo\s+(?:con|chồng)\s+(?:vào|ra|sang|đi|lên|về)\b"
    r"|\b(?:định cư|xuất cảnh)\b"
    r"|\btrùng(?: lặp)?\s+(?:với|stt|tên)\b"
    r"|^(?:inactive|deceased|died|left|moved)\b"
)
# With marks, and without them.
_READ: Final = {
    bare: tuple(re.compile(spelled(each)) for each in (_OTHERS, _CAME, _GONE))
    for bare, spelled in ((True, fold), (False, str))
}


def says_gone(text: str) -> bool:
    """Whether it says so, of herself."""
    return any(map(_is_gone, _CLAUSES.split(text)))


def _is_gone(clause: str) -> bool:
    low = clean(clause).casefold()
    bare = low.isascii()
    others, came, gone = _READ[bare]
    if bare:
        low = fold(low)
    return bool(gone.search(low)) and not (others.search(low) or came.search(low))
