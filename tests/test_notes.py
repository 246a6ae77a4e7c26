"""What an error that leaves `run()` more than once is told of itself: each place once."""

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are of CPython 3.11 and newer")


def fails(error):
    raise error
    yield


def test_an_error_that_leaves_again_and_again_has_one_note(core):
    error = KeyError("the same")
    for _ in range(3):
        t = core.Trampoline()
        t.add(fails(error), name="mine")
        with pytest.raises(KeyError):
            t.run()
    (note,) = error.__notes__
    assert note.startswith("in pseudothread 'mine', added at ")


def test_but_one_of_each_pseudothread(core):
    error = KeyError("the same")
    error.add_note("of the user's")
    t = core.Trampoline()
    for name in "one", "other", "one":
        t.add(fails(error), name=name)
        with pytest.raises(KeyError):
            t.run()
    assert [note.partition(",")[0] for note in error.__notes__] == [
        "of the user's",
        "in pseudothread 'one'",
        "in pseudothread 'other'",
    ]
