"""Make docs/profile_before.svg and docs/profile_after.svg, the pictures of profiling.md: `python docs/profile_pictures.py`.

The program is examples/unused_names.py, before and after its mending; the file that it checks is the standard library's `http/client.py`.
"""

import contextlib
import http.client
import io
import runpy
from pathlib import Path

HERE = Path(__file__).parent
main = runpy.run_path(str(HERE.parent / "examples" / "unused_names.py"))["main"]
for name, slow in (("before", True), ("after", False)):
    with contextlib.redirect_stdout(io.StringIO()):
        main([http.client.__file__], slow)  # once for the caches
        measured = main([http.client.__file__], slow)
    path = HERE / f"profile_{name}.svg"
    measured.save(path)
    print(f"{path}: {path.stat().st_size:,} bytes, {measured.tree.cumulative / 1e6:.0f} ms")
