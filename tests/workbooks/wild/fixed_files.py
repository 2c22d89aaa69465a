"""Fixed books: what programs leave in files."""

from tests.workbooks.wild import files
from tests.workbooks.wild.sheets import BASIC, WITHOUT_BRANCH, Sheet, column, women
from tests.workbooks.wild.shelf import Shelf

FILES = Shelf({})
WITH_ADDRESS = (*BASIC, column("Địa chỉ", "address"))


def _plain(name: str) -> Sheet:
    return Sheet("Hội viên").line("DANH SÁCH HỘI VIÊN").table(WITH_ADDRESS, women(6, name))


@FILES.book("stray_last_row.xlsx", lambda sheets: files.xlsx(*sheets, stray=True))
def stray_last_row(name: str) -> Sheet:
    return _plain(name)


@FILES.book("backslashes.xlsx", lambda sheets: files.with_backslashes(files.xlsx(*sheets)))
def backslashes(name: str) -> Sheet:
    return _plain(name)


@FILES.book("libreoffice.ods")
def libreoffice(name: str) -> Sheet:
    return _plain(name)


@FILES.book("excel_97.xls")
def excel_97(name: str) -> Sheet:
    return _plain(name)


@FILES.book("utf8_with_mark.csv")
def utf8_with_mark(name: str) -> Sheet:
    return _plain(name)


@FILES.book("utf16.csv", files.csv_as("utf-16", "\t"))
def utf16(name: str) -> Sheet:
    return _plain(name)


@FILES.book("windows_1258.csv", files.csv_as("cp1258", ","))
def windows_1258(name: str) -> Sheet:
    return _plain(name)


@FILES.book("tcvn3.csv", files.csv_as("tcvn3"))
def tcvn3(name: str) -> Sheet:
    return _plain(name)


@FILES.book("vntime.xlsx", files.vntime)
def vntime(name: str) -> Sheet:
    return _plain(name)


@FILES.book("unclosed_quote.csv", lambda sheets: _unclosed(files.csv_file(sheets[0])))
def unclosed_quote(name: str) -> Sheet:
    people = women(7, name)
    # Her address begins with a quote that nobody closes: her row has lost its end.
    people[2] = people[2].but("address", "QUOTE", address=None).to_decide()
    return Sheet().table((*WITH_ADDRESS, column("Ghi chú", "note")), people)


def _unclosed(content: bytes) -> bytes:
    return content.replace(b"QUOTE", b'"Khu 3')


@FILES.book("sections.csv")
def sections_csv(name: str) -> Sheet:
    people = women(6, name)
    sheet = Sheet().line("HỘI LHPN XÃ PHƯỢNG VĨ").line("DANH SÁCH HỘI VIÊN").head(WITHOUT_BRANCH)
    sheet.line("I", "Chi hội khu 1").add(WITHOUT_BRANCH, people[:3], branch=1)
    return sheet.line("II", "Chi hội khu 2").add(WITHOUT_BRANCH, people[3:], branch=2)
