"""What the figures were taken on: the processor, the platform, and how this Python was built. A build without PGO or LTO is slower."""

from __future__ import annotations

import datetime
import os
import platform
import re
import sys
import sysconfig
from pathlib import Path
from typing import Any


def without_folders(text: str) -> str:
    """Return the text with the machine's folders left out."""
    return re.sub(r"(=|-L|-I|-rpath,)/[^\s',]+", r"\1...", text)


def processor() -> str:
    """Return the processor's model, or what the platform module knows."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    """Return date, machine and Python, as they go into the JSON file."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "platform": platform.platform()},
        "python": {
            "implementation": platform.python_implementation(),
            "version": platform.python_version(),
            "build": sys.version,
            "config_args": without_folders(sysconfig.get_config_var("CONFIG_ARGS") or ""),
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "gil": bool(getattr(sys, "_is_gil_enabled", lambda: True)()),
            "recursion_limit": sys.getrecursionlimit(),
        },
    }
