"Order effects and spread, against independent computations."

import json
from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from statsmodels.stats.contingency_tables import StratifiedTable

from plurality_nb.votes.bias import correct_order, order_effects, position_bias


def test_llmbar_judges_by_hand(real):
    rows = [json.loads(line) for line in open(real("llmbar_judge_votes.jsonl"))]
    told = defaultdict(lambda: defaultdict(lambda: {False: [], True: []}))
    for i, r in enumerate(rows):
        for v in r["votes"]:
            if "Swap" not in v["strategy"]:
                told[v["judge"]][i][v["swapped"]].append(v["winner"])
    assert len(told) == 6
    for pairs in told.values():
        votes = np.zeros((len(rows), 2, 4))
        first = decided = flips = both = 0
        spread = []
        for i, orders in pairs.items():
            winners = []
            for swapped, said in orders.items():
                for w in said:
                    votes[i, int(swapped), {"1": 0, "2": 1, None: 3}[w]] += 1
                said = [w for w in said if w]
                decided += len(said)
                first += said.count("2" if swapped else "1")
                lead = said.count("1") - said.count("2")
                winners += [lead > 0] if lead else []
            both += len(winners) == 2
            flips += len(winners) == 2 and winners[0] != winners[1]
            said = [w for o in orders.values() for w in o if w]
            spread += [np.mean([a != b for a, b in combinations(said, 2)])] if len(said) > 1 else []
        effects = order_effects(votes, [r["input"] for r in rows], n_boot=200)
        assert effects.value["first_rate"] == pytest.approx(first / decided)
        assert effects.value["flip_rate"] == pytest.approx(flips / both)
        assert np.all((effects.low <= effects.value) & (effects.value <= effects.high))
        assert effects.value["disagreement"] == pytest.approx(np.mean(spread))
        tables = [
            [[x[0, 0], x[0, 1]], [x[1, 0], x[1, 1]]]
            for x in votes
            if x[0, :2].sum() and x[1, :2].sum()
        ]
        assert position_bias(votes) == pytest.approx(
            np.log(StratifiedTable(tables).oddsratio_pooled) / 2
        )


def test_intervals_of_the_first_rate_hold_what_they_promise():
    draw, inside = np.random.default_rng(1), 0
    for k in range(200):
        theta = np.repeat(draw.normal(size=60), 2)  # two pairs a prompt, alike in difficulty
        first = draw.binomial(5, expit(np.stack([theta + 0.8, -theta + 0.8], 1)))
        votes = np.zeros((120, 2, 4))
        votes[:, 0, 0], votes[:, 0, 1], votes[:, 1, 1], votes[:, 1, 0] = (
            first[:, 0],
            5 - first[:, 0],
            first[:, 1],
            5 - first[:, 1],
        )
        r = order_effects(votes, np.repeat(np.arange(60), 2), n_boot=300, seed=k).loc["first_rate"]
        truth = 0.66014  # E sigma(z + 0.8), z standard normal
        inside += r.low <= truth <= r.high
    assert 178 <= inside <= 199


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 6)] * 8), min_size=2, max_size=12))
def test_correcting_keeps_votes_and_symmetry(rows):
    votes = np.array(rows, dtype=float).reshape(-1, 2, 4)
    if not np.isfinite(position_bias(votes)):
        with pytest.raises(ValueError, match="Nothing to correct"):
            correct_order(votes)
        return
    new = correct_order(votes)
    assert (
        np.allclose(new.sum(2), votes.sum(2))
        and np.allclose(new[:, :, 2:], votes[:, :, 2:])
        and (new >= -1e-9).all()
    )
    turned = votes[:, ::-1][:, :, [1, 0, 2, 3]]
    assert np.allclose(correct_order(turned), new[:, ::-1][:, :, [1, 0, 2, 3]])
