"""Simulated time: SimPy's examples with SimPy's results."""

import importlib
import sys

import pytest
from processes import EXAMPLES

# What SimPy 4.1.2 gives for the seed 42, as do its documents for the shop.
BANK = [
    *((0.0, "customer 00", "arrives", None), (0.0, "customer 00", "is served", 0.0), (3.8595, "customer 00", "is done", None)),
    *((10.2006, "customer 01", "arrives", None), (10.2006, "customer 01", "is served", 0.0), (12.7265, "customer 02", "arrives", None)),
    *((13.9003, "customer 02", "leaves", 1.1739), (23.7507, "customer 01", "is done", None), (34.9993, "customer 03", "arrives", None)),
    *((34.9993, "customer 03", "is served", 0.0), (37.9599, "customer 03", "is done", None), (40.4798, "customer 04", "arrives", None)),
    *((40.4798, "customer 04", "is served", 0.0), (43.1401, "customer 04", "is done", None)),
]

SHOP = [3251, 3273, 3242, 3343, 3387, 3244, 3269, 3185, 3302, 3279]


@pytest.fixture
def example(core, monkeypatch):
    """Import an example on one core."""
    if not EXAMPLES.is_dir():
        pytest.skip(f"the examples are not here: there is no {EXAMPLES}")
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def imported(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        found = importlib.import_module(name)
        monkeypatch.setattr(found, "Trampoline", core.Waiting)
        return found

    return imported


def rounded(log):
    return [(round(when, 4), who, what, waited and round(waited, 4)) for when, who, what, waited in log]


def test_the_bank_gives_what_simpy_gave(example):
    assert rounded(example("simulated_bank").bank(5, 42)) == BANK


def test_the_machine_shop_gives_what_simpy_gave(example):
    assert example("simulated_machine_shop").shop(4, 42) == SHOP


def test_the_bank_gives_what_simpy_gives(example):
    pytest.importorskip("simpy", reason="this compares with SimPy itself; what it gave once is asserted above without it")
    from models_simpy import bank

    ours = example("simulated_bank").bank
    assert rounded(bank(5, 42)) == BANK
    for seed in range(10):
        assert ours(100, seed) == bank(100, seed)


def test_the_machine_shop_gives_what_simpy_gives(example):
    pytest.importorskip("simpy", reason="this compares with SimPy itself; what it gave once is asserted above without it")
    from models_simpy import shop

    ours = example("simulated_machine_shop").shop
    for seed in (42, 1, 2, 3):
        assert ours(4, seed) == shop(4, seed)


@pytest.mark.parametrize("name", ["simulated_bank", "simulated_machine_shop"])
def test_their_command_lines(example, monkeypatch, capsys, name):
    monkeypatch.setattr(sys, "argv", [name])
    example(name).main()
    said = capsys.readouterr().out.splitlines()
    if name == "simulated_bank":
        assert said[6] == "  13.9003 customer 02 leaves after 1.174"
    else:
        assert said == [f"machine {n} made {parts} parts" for n, parts in enumerate(SHOP)]
