"""A deep error shows every level, or says how many it lacks."""

import pytest
from wires import run_script

DEEP = 100_000
DEEP_ERROR = """
import traceback

def level(n):
    if not n:
        raise ValueError("deep")
    yield level(n - 1)

t = core.Trampoline()
t.add(level({depth}))
try:
    t.run()
except ValueError as error:
    {look}
"""
COUNT = """found, trace = 0, error.__traceback__
    while trace is not None:
        found += trace.tb_frame.f_code.co_name == "level"
        trace = trace.tb_next
    print(found if found < 9_990 else 9_990 < found <= 10_000)"""
PRINT = """text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    said = sys.version_info < (3, 11) or "the traceback is shortened: 90,00" in text
    print("more times]" in text, text.count(chr(10)) < 40, said)"""


@pytest.mark.parametrize(
    ("depth", "look", "expected"),
    [(9_000, COUNT, "9001"), (DEEP, COUNT, "True"), (DEEP, PRINT, "True True True")],
    ids=["every level", "the ends", "folded"],
)
def test_a_deep_error_has_every_level_or_says_how_many_it_lacks(core, depth, look, expected):
    assert run_script(core, DEEP_ERROR.format(depth=depth, look=look)) == (0, expected + "\n", "")
