"""What is committed: no machine's paths, no registry's addresses, locks that are whole and hashed."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = (
    "requirements.lock",
    "requirements-s3.lock",
    "requirements-test.lock",
    "requirements-bench.lock",
)

REGISTRY = re.compile(
    r"(pypi\.org|pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com|npm\.pkg\.github)"
    r"|\b(resolved|registry|(extra-)?index-url|find-links)\b\"?\s*[:=]\s*\"?(https?|file):",
    re.IGNORECASE,
)
MACHINE_PATH = re.compile(r"(?<![\w.:$}~-])(/(home|Users|root|work|farm)/[\w.-]|[A-Z]:\\Users\\)")
# One package (its backslash asks for hashes to follow) or one hash.
LOCK_LINE = re.compile(r"[\w.-]+==[^\s;]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")

Pins = dict[str, set[str]]


def committed_texts() -> Iterator[tuple[str, str]]:
    """Tracked files, and new ones that git does not ignore: they are about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture, a file deleted but not yet committed, a link to a folder


def matches(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in committed_texts()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def pins(lock: str) -> Pins:
    found: Pins = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", read(lock), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def declared(groups: tuple[str, ...]) -> list[Requirement]:
    """What the server needs, with these extras and groups."""
    pyproject = tomllib.loads(read("pyproject.toml"))
    more = pyproject["project"]["optional-dependencies"] | pyproject["dependency-groups"]
    lines = list(pyproject["project"]["dependencies"])
    for group in groups:
        lines += more[group]
    return [Requirement(line) for line in lines]


def test_the_patterns_find_what_they_are_for() -> None:
    assert REGISTRY.search('"resolved": "' + "https://packages.example/x.tgz" + '"')
    assert REGISTRY.search("files.python" + "hosted.org/packages/x.whl")
    assert REGISTRY.search("--index-url=" + "https://mirror.example/simple")
    assert MACHINE_PATH.search("see " + "/home" + "/lan/hoiso/app")
    assert not MACHINE_PATH.search("GET /v1/home/lan, $HOME/work/notes")


def test_no_registry_address_is_committed() -> None:
    assert matches(REGISTRY) == []


def test_no_path_of_a_machine_is_committed() -> None:
    assert matches(MACHINE_PATH) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_names_versions_and_hashes_only(lock: str) -> None:
    lines = read(lock).splitlines()
    assert [line for line in lines if not LOCK_LINE.fullmatch(line)] == []
    assert pins(lock)


def test_npm_lock_holds_no_address_and_a_digest_of_what_this_machine_installs() -> None:
    packages = json.loads(read("openapi/package-lock.json"))["packages"]
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    # The binaries of other platforms are optional and may be listed without a digest.
    assert [
        name
        for name, entry in packages.items()
        if name and "integrity" not in entry and not (entry.get("optional") and entry.get("os"))
    ] == []


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements.lock", ()),
        ("requirements-s3.lock", ("s3",)),
        ("requirements-test.lock", ("s3", "test")),
        ("requirements-bench.lock", ("s3", "test", "bench")),
    ],
)
def test_every_dependency_is_locked(lock: str, groups: tuple[str, ...]) -> None:
    locked = pins(lock)
    missing = [
        str(requirement)
        for requirement in declared(groups)
        if not any(
            requirement.specifier.contains(version)
            for version in locked.get(canonicalize_name(requirement.name), ())
        )
    ]
    assert missing == []


@pytest.mark.parametrize(("smaller", "larger"), list(pairwise(LOCKS)))
def test_each_lock_contains_the_smaller_one(smaller: str, larger: str) -> None:
    contained = pins(larger)
    assert {
        name: versions
        for name, versions in pins(smaller).items()
        if contained.get(name) != versions
    } == {}
