"""Measure which lines the suite runs, of the .py and of the .pyx, its parts and headers, and list those that it does not.

    python .ci/covered.py FOLDER [TESTS ...]

FOLDER is a copy of the sources in which the extension was built with gcc's --coverage. The lines of Cython are found by the comments that
it leaves in the .c: one was run if the first C line after such a comment was. Cython's own tracing (`linetrace`) is of no use: coverage.py
runs Python at every line of it, in the middle of what no other thread, signal handler or garbage collection may see half done; the suite
crashes.

The suite runs twice: on both cores, and on the core in Python where there is no other. Uncovered lines have their reason in
`.ci/uncovered.toml`, under their file, with the function in which they stand; what has none is an error, and so is less than 97 %.

    python .ci/covered.py FOLDER --again    report once more what was measured last
"""

BAR = 97
NOT_HERE = "tests/test_bad_input.py::test_no_memory_at_any_allocation_leaves_all_queued_or_ended"  # coverage.py needs memory
