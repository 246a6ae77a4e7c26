"""The lines of docs/porting.md in the place of logical-unification's own: the same results on the same terms."""

import random
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "porting.md"
if not PAGE.is_file():
    pytest.skip(f"the documents are not here: there is no {PAGE}", allow_module_level=True)


@pytest.fixture(scope="module")
def ported():
    """What the page defines."""
    known = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), known)
    return known


def doubles(number):
    """A generator as that library has them: what it yields comes back to it, and the last of it is its result."""
    if number:
        got = yield doubles(number - 1)
        again = yield got + 1
        yield again * 2
    else:
        yield 1


def test_what_is_yielded_comes_back_and_the_last_of_it_is_the_result(ported):
    seen = []
    assert ported["stream_eval"](doubles(3), lambda generator, out: seen.append(out)) == ((2 * 2 + 1) * 2 + 1) * 2
    assert [out for out in seen if isinstance(out, int)] == [1, 2, 4, 5, 10, 11, 22]
    assert ported["stream_eval"]("no generator") == "no generator"


def test_a_generator_that_yields_nothing_gives_none(ported):
    def nothing():
        return
        yield

    assert ported["stream_eval"](nothing()) is None


def terms(chooser, variables, depth):
    """Return a random term."""
    if not depth or chooser.random() < 0.4:
        return chooser.choice([*variables, *variables, 1])
    kind = chooser.choice([tuple, tuple, list])
    return kind(terms(chooser, variables, depth - 1) for _ in range(chooser.randrange(1, 3)))


def test_unify_and_reify_give_the_same_as_the_original(ported, monkeypatch):
    pytest.importorskip("unification", reason="logical-unification is not installed: the test above does without it")
    from unification import core, reify, unify, var

    original, chooser, kinds = core.stream_eval, random.Random(0), set()
    variables = [var(name) for name in "xyz"]
    for _ in range(60):
        left, right = terms(chooser, variables, 4), terms(chooser, [3], 4)  # no variable on both sides: no circle
        results = []
        for stream_eval in (original, ported["stream_eval"]):
            monkeypatch.setattr(core, "stream_eval", stream_eval)
            found = unify(left, right, {})
            results.append((found, None if found is False else reify(left, found)))
        assert results[0] == results[1]
        kinds.add(results[0][0] is False)
    assert kinds == {True, False}
