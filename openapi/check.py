"""The contract check (`make contract`): five questions, all asked even when one answer is no.

1. fresh: do the files equal what the app serves?
2. lint: are they well formed, documented, every error described?
3. breaking: would a client of the last release still work?
4. client: do generated TypeScript types compile in a strict program that uses them?
5. python_client: does openapi-python-client make a package of it, without a warning or a gap?
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BIN = HERE / "node_modules" / ".bin"
CLIENT = HERE / "client-check"
CONTRACTS = ("openapi.json", "mobile.json", "integration.json")
ACCEPTED = HERE / "accepted-breaking.txt"
# A deprecated operation works for at least this long: half a year reaches the slowest phone.
NOTICE = "--deprecation-days-stable=180"

METHODS = {"get", "head", "post", "put", "patch", "delete", "options"}
QUIET = {
    "OASDIFF_NO_TELEMETRY": "1",
    "REDOCLY_SUPPRESS_NOTIFICATIONS": "true",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "REDOCLY_TELEMETRY": "off",
}


def run(*command: str | Path, cwd: Path = HERE) -> bool:
    """Says nothing when all is well, everything when it is not."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | QUIET,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout.rstrip())
    return done.returncode == 0


def git(*arguments: str) -> str | None:
    done = subprocess.run(
        ("git", *arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None


def fresh() -> bool:
    return run(sys.executable, "-m", "app.cli", "openapi", "--check", cwd=ROOT)


def lint() -> bool:
    passed = run(BIN / "redocly", "lint", "--config=redocly.yaml", "--format=stylish", *CONTRACTS)
    if not passed:
        print(
            "An example that does not fit is of the tests: run `make recorded`, then `make openapi`."
        )
    return passed


def baseline() -> str | None:
    """The last release; before the first one, the state that this change departs from."""
    tag = git("describe", "--tags", "--abbrev=0", "--match=v*")
    if tag is not None:
        return tag.strip()
    head = git("rev-parse", "--verify", "--quiet", "HEAD")
    if head is None:
        return None
    upstream = git("rev-parse", "--verify", "--quiet", "origin/main")
    if upstream not in (None, head):
        return "origin/main"
    if git("status", "--porcelain", "--", *(f"openapi/{name}" for name in CONTRACTS)):
        return "HEAD"
    return "HEAD^"


def breaking() -> bool:
    base = baseline()
    compared = []
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for name in CONTRACTS:
            before = git("show", f"{base}:openapi/{name}") if base else None
            if before is None:
                continue
            compared.append(name)
            published = Path(folder) / name
            published.write_text(before, encoding="utf-8")
            options = ["--fail-on=ERR", "--color=never", "--format=singleline", NOTICE]
            if ACCEPTED.exists():
                options.append(f"--err-ignore={ACCEPTED}")
            if not run(BIN / "oasdiff", "breaking", published, name, *options):
                passed = False
                print(f"  ^ {name} would break clients of {base}: see openapi/README.md")
    if compared:
        print(f"  compared with {base}: {', '.join(compared)}")
    else:
        print("  no earlier contract in this clone to compare with")
    return passed


def client() -> bool:
    for name in CONTRACTS:
        types = f"generated/{name.removesuffix('.json')}.d.ts"
        # A field with a default may be left out of a request, so it is optional in the types too.
        options = (f"--output={types}", "--default-non-nullable=false")
        # Run inside client-check: its own reader would trip over our redocly.yaml.
        if not run(BIN / "openapi-typescript", f"../{name}", *options, cwd=CLIENT):
            return False
    return run(BIN / "tsc", "--project", CLIENT)


def python_client() -> bool:
    uv = (
        sys.executable,
        "-m",
        "uv",
        "run",
        "--no-project",
        f"--python={sys.executable}",
        "--quiet",
    )
    tool = (*uv, f"--with-requirements={HERE / 'python-client.lock'}", "openapi-python-client")
    contract = json.loads((HERE / "openapi.json").read_text(encoding="utf-8"))
    operations = sum(len(METHODS & item.keys()) for item in contract["paths"].values())
    with tempfile.TemporaryDirectory() as folder:
        paths = (f"--path={HERE / 'openapi.json'}", f"--output-path={folder}")
        options = (*paths, f"--config={HERE / 'python-client.yaml'}", "--overwrite")
        if not run(*tool, "generate", *options, "--fail-on-warning"):
            return False
        made = [path for path in Path(folder).glob("*/api/*/*.py") if path.name != "__init__.py"]
        if len(made) != operations:
            print(f"  {len(made)} of {operations} operations are in the client")
            return False
        [package] = {path.relative_to(folder).parts[0] for path in made}
        names = sorted(".".join(path.relative_to(folder).with_suffix("").parts) for path in made)
        imports = "; ".join(f"import {name}" for name in (package, *names))
        return run(*uv, f"--with={folder}", "python", "-P", "-c", imports)


CHECKS: tuple[Callable[[], bool], ...] = (fresh, lint, breaking, client, python_client)


def main() -> int:
    failed = []
    for check in CHECKS:
        passed = check()
        print(f"contract {check.__name__}: {'ok' if passed else 'FAILED'}", flush=True)
        if not passed:
            failed.append(check.__name__)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
