"""Benchmarks: how fast the package is beside the floor, the recipe and its rivals. Run `python -m bench --list`.

The workloads are in `_workloads.py`, the implementations in `_native.py`, `_trampolines.py` and `_rivals_*.py`, the clock in
`_measure.py`. `python -m bench --check` holds the C core and the Python core against the bars that the project set itself.
"""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("trampoline") is None:  # not installed: the source tree beside this folder
    sys.path.append(str(Path(__file__).resolve().parent.parent / "src"))
