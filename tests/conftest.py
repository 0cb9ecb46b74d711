import os
import sys
from pathlib import Path

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: a long proof; `make proofs` runs it, not `make test`")


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
