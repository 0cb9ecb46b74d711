"Tables for reading: every interval on one line, whatever the number of models."

import re

import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.evaluation.correlation import correlate, printed_table, side_by_side
from plurality_nb.rewards.model import score
from plurality_nb.simulation.users import sample_population, simulate_votes

INTERVAL = r"-?\d\.\d\d \[-?\d\.\d\d, -?\d\.\d\d\]"


@pytest.fixture(scope="module")
def table():
    "Eight models and five slices."
    sample = load_sample()
    voted = simulate_votes(sample, sample_population(), n=9)
    voted = with_columns(voted, quadrant=sample["written_quadrant"][:])
    models = {f"model {k}": score(voted, "random", seed=k, progress=False) for k in range(6)}
    return correlate(models, n_boot=50, statistics=["spearman"])


def test_many_models_are_rows_and_few_are_columns(table):
    turned = side_by_side(table)
    assert list(turned.index[:4]) == ["n", "groups", "tie_rate", "split"]
    assert len(turned) == 4 + 8
    assert list(turned.columns) == list(table.quadrant.unique())
    assert turned.loc["n", "overall"] == 256
    few = table[table.model.isin(["model 0", "random"])]
    assert list(side_by_side(few).index) == list(turned.columns)
    across = side_by_side(table, models_down=False)
    assert across.loc["plural_alike", "model 3"] == turned.loc["model 3", "plural_alike"]


@pytest.mark.parametrize("models_down", [True, False])
def test_a_model_called_like_a_fact_keeps_its_values(table, models_down):
    named = table.assign(model=table.model.replace({"model 0": "n", "model 1": "groups"}))
    shown = side_by_side(named, models_down=models_down)
    shown = shown if models_down else shown.T
    original = side_by_side(table, models_down=True)
    assert shown.loc["n", "overall"] == 256
    assert shown.loc["model n"].tolist() == original.loc["model 0"].tolist()
    assert shown.loc["model groups"].tolist() == original.loc["model 1"].tolist()
    assert len(shown) == len(original)


def test_a_terminal_gets_whole_intervals(table, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = printed_table(table).splitlines()
    assert max(len(line) for line in lines if re.search(INTERVAL, line)) <= 80
    assert len(re.findall(INTERVAL, "\n".join(lines))) == 8 * 5
    facts = printed_table(table, drop=["n", "groups", "tie_rate", "split"])
    assert "tie_rate" not in facts and len(re.findall(INTERVAL, facts)) == 8 * 5
    monkeypatch.setenv("COLUMNS", "0")  # a file or a pipe
    wide = [line for line in printed_table(table).splitlines() if re.search(INTERVAL, line)]
    assert len(wide) == 8 and max(map(len, wide)) < 130
