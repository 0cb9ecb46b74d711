"Simulated users know the sample's pairs; of others they say that they know nothing."

import json
from pathlib import Path

import numpy as np
import pytest

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.judges.collect import ask_both_orders
from plurality_nb.simulation.population import Population
from plurality_nb.simulation.users import (
    PopulationJudge,
    foreign_pairs,
    open_population_judge,
    sample_population,
)

STRANGE = dict(prompt="Which tea?", response_a="Assam.", response_b="A stone.")


def with_other_texts():
    ds = load_sample().select(range(3))
    return with_columns(ds, response_b=["Other.", *ds["response_b"][1:]])


@pytest.mark.parametrize(
    "ds, n",
    [
        (load_sample().select(range(3)), 0),
        (to_comparisons([STRANGE]), 1),
        (with_other_texts(), 1),
    ],
)
def test_only_foreign_pairs_are_told(ds, n, caplog):
    assert foreign_pairs(ds, sample_population()).sum() == n
    ask_both_orders(ds, open_population_judge(), 2)
    assert (f"know nothing about {n} of {len(ds)} pairs" in caplog.text) == (n > 0)
    assert foreign_pairs(ds, Population()).all()
    assert not foreign_pairs(load_sample(), sample_population()).any()


def test_what_is_said_of_foreign_pairs_is_true():
    judge = PopulationJudge(sample_population(), fidelity=1.0, position_bias=0.0)
    prompt = [dict(role="user", content="Which tea?")]
    quality, features = judge.population.differences([prompt], ["A stone."], ["It is Assam."])
    assert quality == 0 and np.abs(features).sum() > 0
    quality, features = judge.population.differences([prompt], ["A stone."], ["A fluid."])
    assert quality == 0 and np.abs(features).max() < 0.1


def test_the_command_says_it(command_line, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    Path("strange.jsonl").write_text(json.dumps(STRANGE))
    vote = "vote strange.jsonl --judge population --votes 2 --out voted.jsonl"
    assert command_line(*vote.split())[0] == 0
    assert "simulated users know nothing about 1 of 1 pairs" in caplog.text
