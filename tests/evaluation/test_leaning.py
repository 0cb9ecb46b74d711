"How far real people lean, as the script on it estimates, and what the package assumes."

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plurality_nb.evaluation.people import LEANING

SCRIPTS = Path(__file__).parents[1] / "benchmarks" / "statistics"
DATA = Path(os.environ.get("PLURALITY_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    yield __import__("leaning")
    for name in ("leaning", "study_lines"):
        sys.modules.pop(name, None)


def panel(people, spread, seed, voters=3, prompts=60):
    "Votes on ten pairs of each prompt, by people who lean to the longer response."
    rng = np.random.default_rng(seed)
    lean = spread * rng.normal(size=people)
    rows = []
    for pair in range(10 * prompts):
        base, longer = rng.uniform(-0.3, 0.3), rng.choice([-1, 1])
        for person in rng.choice(people, voters, replace=False):
            value = 0.5 if rng.random() < 0.5 + base + longer * lean[person] else -0.5
            rows.append((pair, pair // 10, person, value, longer))
    table = pd.DataFrame(rows, columns=["pair", "prompt", "person", "value", "length"])
    of_pair = table.groupby("pair").value
    return table.assign(votes=of_pair.transform("size"), mean=of_pair.transform("mean"))


@pytest.mark.parametrize("people, voters", [(4, 4), (12, 3)])
@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_the_leaning_put_in_is_found(script, people, voters, spread):
    found = []
    for seed in range(6):
        total, chance, _, kept = script.spread_of_people(
            panel(people, spread, seed, voters), "length"
        )
        found.append(total - chance)
        assert kept == people
    assert np.mean(found) == pytest.approx(spread**2, abs=0.004)


def test_real_people_do_not_contradict_what_is_assumed(script):
    path = DATA / "cobbler_votes.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no {path.name}: the votes of people are not shipped")
    table = script.read_votes(path)
    total, chance, people, _ = script.spread_of_people(table, "length")
    leaning = (total - chance) / script.vote_variance(table)
    assert 0.003 < leaning < 2 * LEANING and people == pytest.approx(6)
