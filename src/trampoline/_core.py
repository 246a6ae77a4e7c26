"""Pick the core: C if it can be imported, Python if not or if TRAMPOLINE_NO_EXTENSIONS is set. `reason` says which and why."""

import os
import sys

accelerated = False
if os.environ.get("TRAMPOLINE_NO_EXTENSIONS", "") not in ("", "0"):  # as setup.py reads it
    reason = "TRAMPOLINE_NO_EXTENSIONS is set"
else:
    try:
        import trampoline._ctrampoline as core

        accelerated, reason = True, "the extension was built"
    except ImportError as error:
        reason = f"the extension cannot be imported: {error}"
        if sys.implementation.name != "cpython":
            reason = "the extension is for CPython alone"
        elif error.name == "trampoline._ctrampoline":
            reason += "; it was installed with TRAMPOLINE_NO_EXTENSIONS set, or where no C compiler builds it:"
            reason += " pip install --no-cache-dir with TRAMPOLINE_REQUIRE_EXTENSIONS=1 says why"
if not accelerated:
    import trampoline._pytrampoline as core  # noqa: F401
