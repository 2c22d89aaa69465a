"""The lists in the guides that are made from the code and its data.

`python -m docs.guide_lists` writes them between their markers; a test holds the guides to them.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from app import errors, problem_texts
from app.models.kernel.access import ROLE_RIGHTS, Right, Role
from app.services.capabilities import install
from app.services.kernel.manifest import manifest
from app.services.kernel.retention import Kept
from app.services.kernel.tracking import Tracked

GUIDES: Final = Path(__file__).parent / "guides"
INTEGRATOR: Final = GUIDES / "integrator.md"
OPERATOR: Final = GUIDES / "operator.md"
_PLACEHOLDER: Final = re.compile(r"(?<!\{)\{([a-z_]+)(?::\w+)?\}(?!\})")


def lists() -> dict[Path, dict[str, str]]:
    """The generated parts of each guide, by the names of their markers."""
    return {INTEGRATOR: _of_integrators(), OPERATOR: {"retention of the manifests": _retention()}}


def _of_integrators() -> dict[str, str]:
    texts = problem_texts.together(sorted(errors.FOLDER.glob("*.yaml")))
    problems = sorted(texts.problems.items(), key=lambda item: (item[1].status, item[0]))
    fields = sorted(texts.fields.items())
    return {
        "roles of app/models/kernel/access.py": _roles(),
        "entities of the manifests": _entities(),
        "problems of app/data/problems": _table(
            ("code", "status", "meaning"),
            ((f"`{code}`", str(text.status), _plain(text.detail["en"])) for code, text in problems),
        ),
        "fields of app/data/problems": _table(
            ("code", "meaning"),
            (
                (
                    f"`{code}`",
                    _plain(" ".join([text.detail["en"], (text.hint or {"en": ""})["en"]])),
                )
                for code, text in fields
            ),
        ),
    }


def _retention() -> str:
    return _table(
        ("kind", "what", "kept", "why"),
        ((f"`{each.code}`", each.en, _kept(each), each.reason_en) for each in manifest().retention),
    )


def _kept(kind: Kept) -> str:
    if kind.days is None:
        return "for good"
    days = "1 day" if kind.days == 1 else f"{kind.days} days"
    return f"{days} (`{kind.setting}`)" if kind.setting else days


def _roles() -> str:
    return _table(("role", "rights"), ((f"`{role}`", _held(ROLE_RIGHTS[role])) for role in Role))


def _held(rights: frozenset[Right]) -> str:
    """The rights, or those that are missing where it is nearly all."""
    missing = [f"`{right}`" for right in Right if right not in rights]
    if not missing:
        return "all there are"
    if len(missing) <= 5:  # shorter than the others
        return f"all but {' '.join(missing)}"
    return " ".join(f"`{right}`" for right in Right if right in rights) or "none of its own"


def _entities() -> str:
    tracked = sorted(manifest().by_entity.items())
    return _table(
        ("`entity`", "seen with `changes:read` and", "notes"),
        (
            (f"`{entity}`", f"`{each.read_right}`", "; ".join(_notes(each)))
            for entity, (_, each) in tracked
        ),
    )


def _notes(tracked: Tracked) -> Iterable[str]:
    if tracked.also_units is not None:
        yield "stands in **both** units: who sees both gets each change twice, with the same `revision`"
    if tracked.masks:
        yield f"null without their rights: {_names(tracked.masks)}"
    if tracked.secret:
        yield f'`"set"` or null, never the value: {_names(tracked.secret)}'


def _names(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in sorted(names))


def written(path: Path) -> str:
    """The guide with its lists as they are now."""
    guide = path.read_text("utf-8")
    for name, table in lists()[path].items():
        begin, end = (f"<!-- {name}: {at} -->" for at in ("begin", "end"))
        before, found, rest = guide.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{path.name} has no place for {name}")
        guide = f"{before}{begin}\n{table}\n{end}{after}"
    return guide


def _plain(text: str) -> str:
    named = _PLACEHOLDER.sub(r"`\1`", text.strip())
    return named.replace("{{", "{").replace("}}", "}").replace("|", "\\|")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    install()
    for path in lists():
        path.write_text(written(path), "utf-8")
