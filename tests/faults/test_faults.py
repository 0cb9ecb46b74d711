"Every kind of fault at small size holds."

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
KINDS = sorted(p.stem for p in FOLDER.glob("break_*.py"))


@pytest.mark.longest
@pytest.mark.slow
@pytest.mark.parametrize("module_name", KINDS)
def test_the_product_holds(module_name, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module(module_name)
    trials = list(module.trials("small"))
    fell = {trial.name: trial.what_happened for trial in trials if not trial.held}
    assert trials
    assert not fell
