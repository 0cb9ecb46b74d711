import gc
import os
import sys
from pathlib import Path

import pytest


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "slow(seconds=0): a long proof; `make proofs` runs it, not `make test`"
    )
    config.addinivalue_line(
        "markers",
        "longest: a slow proof that continuous integration leaves out, for its twenty minutes",
    )


def pytest_collection_modifyitems(items):
    "The longest first, so that no worker is left with them at the end."

    def seconds(item):
        marker = item.get_closest_marker("slow")
        return marker.kwargs.get("seconds", 0) if marker else 0

    items.sort(key=seconds, reverse=True)  # stable: all others stay in their order


def pytest_collection_finish():
    "Garbage is searched for rarely, and not among what was imported by now, which is none."
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # Hypothesis times each search


@pytest.fixture(scope="session")
def real():
    "Path of a real data file, or a skip that says where it was looked for."
    root = Path(
        os.environ.get("PLURALITY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    )

    def find(name):
        if not (root / name).exists():
            pytest.skip(f"real data not at hand: {name} not in {root} ($PLURALITY_DATA)")
        return root / name

    return find


@pytest.fixture(scope="module")
def one_thread():
    "Small models are slower on more."
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def command_line(monkeypatch, capsys):
    "Runs the command line in this process: exit code, stdout, stderr."
    from plurality_nb.cli import app

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["plurality", *map(str, args)])
        code = 0
        try:
            app.main()
        except SystemExit as e:
            code = e.code or 0
        out = capsys.readouterr()
        return code, out.out, out.err

    return call
