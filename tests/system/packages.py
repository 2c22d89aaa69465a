"""The Debian packages that these tests need: `python -m tests.system.packages` installs them.

Where that is not possible the tests are not run, and say why.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Package and the program it brings.
PROGRAMS = {
    "pgbouncer": "pgbouncer",
    "nginx-light": "nginx",
    "postgresql": "pg_ctl",
    "default-jre-headless": "java",
}
_FOLDERS = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
# At this run level the services of the packages are not started.
_ENVIRONMENT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


def program(package: str) -> str | None:
    """The path of the program of a package, if it is installed."""
    # Debian keeps the programs of each version of PostgreSQL in a folder of its own.
    of_versions = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return shutil.which(PROGRAMS[package], path=":".join([*_FOLDERS, *of_versions]))


def missing() -> list[str]:
    return [package for package in PROGRAMS if program(package) is None]


def why_not() -> str:
    """Why a missing package is missing."""
    if shutil.which("apt-get") is None:
        return "not installed, and there is no apt-get"
    if os.geteuid() != 0:
        return "not installed, and only root can install it"
    return "apt-get could not install it"


def install() -> None:
    """Installs what is missing, each by itself: one that fails keeps no other away."""
    if not missing() or shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    _apt("update")
    for package in missing():
        _apt("install", "--yes", "--no-install-recommends", package)


def _apt(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ["apt-get", "-q", *arguments],
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        sys.stderr.write(f"{error}\n")
        return
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)


if __name__ == "__main__":
    install()
