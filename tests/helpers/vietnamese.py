"""The Vietnamese texts of app/: of its data files, and those that stand in the code."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_MARKED = re.compile(r"[^\W\d_a-zA-Z]")
_WORD = re.compile(r"[^\W\d_]+")
# Keys of data files under which people read Vietnamese.
_KEYS = re.compile(r"vi|.+_vi|note|title")


def texts() -> Iterator[tuple[str, str]]:
    """(where it stands, text); placeholders are gone."""
    for file in sorted((ROOT / "app" / "data").rglob("*.*")):
        for where, text in _of_data(_read(file)):
            yield f"{file.relative_to(ROOT)}: {where}", _plain(text)
    for file in sorted((ROOT / "app").rglob("*.py")):
        for line, text in _of_code(ast.parse(file.read_text("utf-8"))):
            yield f"{file.relative_to(ROOT)}:{line}", _plain(text)


def is_vietnamese(text: str) -> bool:
    """Of an English text with a Vietnamese name or term in it few words have marks."""
    words = _WORD.findall(text)
    return 2 * sum(bool(_MARKED.search(word)) for word in words) > len(words)


def _read(file: Path) -> Any:
    content = file.read_bytes()
    return (
        json.loads(content) if file.suffix == ".json" else yaml.load(content, yaml.CSafeLoader)
    )  # a safe loader


def _of_data(content: Any, where: str = "") -> Iterator[tuple[str, str]]:
    match content:
        case dict():
            for key, value in content.items():
                if isinstance(value, str) and _KEYS.fullmatch(str(key)):
                    yield f"{where}.{key}", value
                elif isinstance(value, list) and len(value) == 2 and _is_label(value):
                    yield f"{where}.{key}", value[0]
                else:
                    yield from _of_data(value, f"{where}.{key}")
        case list():
            for number, value in enumerate(content):
                yield from _of_data(value, f"{where}.{number}")
        case _:
            pass


def _is_label(pair: list[Any]) -> bool:
    """[Họ và tên, Full name]"""
    return all(isinstance(each, str) for each in pair) and is_vietnamese(pair[0])


def _of_code(tree: ast.Module) -> Iterator[tuple[int, str]]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [each.value for each in node.values if isinstance(each, ast.Constant)]
            text = " ".join(str(each) for each in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        is_pattern = "(?:" in text
        if id(node) not in docstrings and is_vietnamese(text) and not is_pattern:
            yield node.lineno, text


def _plain(text: str) -> str:
    return re.sub(r"\{[a-z_]+(:\w+)?\}", " ", text)
