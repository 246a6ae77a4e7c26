"""What `.ci/wheels` and `.ci/pythons` share: the Pythons of this machine, a clean copy of the sources, the sdist, a run of the suite."""

from __future__ import annotations

import glob
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
AWAY = ("tests", "examples", "docs", "README.md", "CHANGELOG.md", "pyproject.toml")  # what the suite needs beside the installed package
PROBE = """
import ensurepip, json, platform, sys, sysconfig, venv
threads = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
debug = "d" if hasattr(sys, "gettotalrefcount") else ""
print(json.dumps({"implementation": sys.implementation.name, "version": list(sys.version_info[:2]),
    "name": "%d.%d" % sys.version_info[:2] + threads + debug, "full": platform.python_version() + threads + debug}))
"""


def say(text: str) -> None:
    """Print a heading, at once."""
    print(f"\n== {text}", flush=True)


def run(*command: object, quiet: bool = False, **options: object) -> str:
    """Run a command, and return what it printed, without the end of the line. CalledProcessError, after its output, if it fails."""
    done = subprocess.run(
        list(map(str, command)), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if quiet else None, **options
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, list(map(str, command)))
    return done.stdout.strip()


def pythons() -> dict[str, dict[str, str]]:
    """Return the CPythons from 3.10 on that PATH and pyenv have and that can make a venv, one for each name: 3.12, 3.13t, 3.13d, ..."""
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    tried = sorted(glob.glob(f"{root}/versions/3.*/bin/python"))
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        tried += sorted(
            glob.glob(f"{folder}/python3.[1-9][0-9]") + glob.glob(f"{folder}/python3.[1-9][0-9]t") + glob.glob(f"{folder}/python3")
        )
    found: dict[str, dict[str, str]] = {}
    for executable in [sys.executable, *tried]:
        try:
            told = json.loads(subprocess.run([executable, "-c", PROBE], capture_output=True, text=True, check=False).stdout)
        except (OSError, ValueError):  # a shim of pyenv for a version that is not chosen; no ensurepip
            continue
        if told["implementation"] == "cpython" and told["version"] >= [3, 10]:
            found.setdefault(told["name"], {**told, "executable": executable})
    return dict(sorted(found.items(), key=lambda item: (item[1]["version"], item[0])))


def epoch() -> str:
    """Return the seconds that all files of a build are dated with: SOURCE_DATE_EPOCH, or when the last commit was made."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return told or run("git", "log", "-1", "--format=%ct", cwd=TOP, quiet=True)
    except (OSError, subprocess.CalledProcessError):  # no repository: an sdist
        return str(int((TOP / "pyproject.toml").stat().st_mtime))


def copy(into: Path) -> Path:
    """Copy what git tracks, or would, into a new folder: an old SOURCES.txt or a built core has no part in what is made of it."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=TOP).split("\0")
    for name in filter(None, listed):
        if (TOP / name).is_file():
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((TOP / name).read_bytes())
            target.chmod(0o755 if os.access(TOP / name, os.X_OK) else 0o644)
    return into


def sdist(python: Path, source: Path, out: Path) -> Path:
    """Make the sdist with the `build` of that Python, and level out in it who made it, when and in which order."""
    out.mkdir(parents=True, exist_ok=True)
    run(python, "-m", "build", "-q", "--sdist", "--outdir", out, source, quiet=True)
    (made,) = out.glob("*.tar.gz")
    with tarfile.open(made) as tar:
        held = sorted(((member, tar.extractfile(member)) for member in tar if member.isfile()), key=lambda pair: pair[0].name)
        content = [(member, file.read()) for member, file in held if file is not None]
    when, levelled = int(epoch()), io.BytesIO()
    with tarfile.open(fileobj=levelled, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, data in content:
            level = tarfile.TarInfo(member.name)
            level.size, level.mtime, level.mode = len(data), when, 0o755 if member.mode & 0o100 else 0o644
            tar.addfile(level, io.BytesIO(data))
    made.write_bytes(gzip.compress(levelled.getvalue(), 9, mtime=when))
    return made


def unpacked(made: Path, into: Path) -> Path:
    """Unpack an sdist, and return its folder."""
    with tarfile.open(made) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(into, filter="data")
        else:  # 3.10 and 3.11 before their last patches; it is our own
            tar.extractall(into)
    return into / made.name.removesuffix(".tar.gz")


def away(source: Path, into: Path) -> Path:
    """Copy what the suite needs, and not the package, so that the installed one is what it tests."""
    into.mkdir(parents=True)
    for name in AWAY:
        run("cp", "-r", source / name, into)
    return into


def suite(command: list[object], **options: object) -> tuple[bool, str]:
    """Run the suite by that command. Return whether it passed, and pytest's last line; print it all if it did not."""
    done = subprocess.run(list(map(str, command)), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    lines = done.stdout.strip().splitlines() or [f"status {done.returncode}, and no output"]
    print(done.stdout if done.returncode else lines[-1], flush=True)
    return done.returncode == 0, lines[-1]


def environment(cores: str) -> dict[str, str]:
    """Return what the suite runs in, and what that is built in on whose core it is to run."""
    switch = "TRAMPOLINE_NO_EXTENSIONS" if cores == "python" else "TRAMPOLINE_REQUIRE_EXTENSIONS"
    told = {"TRAMPOLINE_TEST_CORES": cores, "TRAMPOLINE_TEST_DEPTH": "50000", "PYTHONDONTWRITEBYTECODE": "1", switch: "1"}
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH" and not name.startswith("TRAMPOLINE_")}, **told}
