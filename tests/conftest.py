import os
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
