"""Pick the core: C if it can be imported, Python if not or if TRAMPOLINE_NO_EXTENSIONS is set. `reason` says which and why."""

import os
import sys

accelerated = False
if os.environ.get("TRAMPOLINE_NO_EXTENSIONS"):
    reason = "TRAMPOLINE_NO_EXTENSIONS is set"
else:
    try:
        import trampoline._ctrampoline as core

        accelerated, reason = True, "the extension was built"
    except ImportError as error:
        reason = f"the extension cannot be imported: {error}"
        if error.name == "trampoline._ctrampoline" and sys.implementation.name == "cpython":  # no other Python gets one
            reason += "; to build it takes a C compiler, and an installation with TRAMPOLINE_REQUIRE_EXTENSIONS=1 says why it failed"
if not accelerated:
    import trampoline._pytrampoline as core  # noqa: F401
