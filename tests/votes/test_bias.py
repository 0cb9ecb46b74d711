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

from plurality_nb.evaluation.disagreement import order_effects
from plurality_nb.votes.bias import correct_order, position_bias

COLUMN = {"1": 0, "2": 1, None: 3}  # of a winner among votes for A, B, tie; failed


def winners_by_judge(rows):
    "judge -> pair -> swapped -> winners, of the strategies that ask once."
    winners = defaultdict(lambda: defaultdict(lambda: {False: [], True: []}))
    for pair, row in enumerate(rows):
        for vote in row["votes"]:
            if "Swap" not in vote["strategy"]:
                winners[vote["judge"]][pair][vote["swapped"]].append(vote["winner"])
    return winners


def as_votes(pairs, n):
    "(n, 2, 4): A first and B first; votes for A, B, tie; failed."
    votes = np.zeros((n, 2, 4))
    for pair, orders in pairs.items():
        for swapped, winners in orders.items():
            for winner in winners:
                votes[pair, int(swapped), COLUMN[winner]] += 1
    return votes


def first_rate(pairs):
    first = decided = 0
    for orders in pairs.values():
        for swapped, winners in orders.items():
            decided += sum(winner is not None for winner in winners)
            first += winners.count("2" if swapped else "1")
    return first / decided


def flip_rate(pairs):
    flips = []
    for orders in pairs.values():
        leads = [winners.count("1") - winners.count("2") for winners in orders.values()]
        if all(leads):
            flips.append((leads[0] > 0) != (leads[1] > 0))
    return np.mean(flips)


def disagreement(pairs):
    by_pair = []
    for orders in pairs.values():
        decided = [winner for winners in orders.values() for winner in winners if winner]
        if len(decided) > 1:
            by_pair.append(np.mean([a != b for a, b in combinations(decided, 2)]))
    return np.mean(by_pair)


def pooled_log_odds_ratio(votes):
    tables = [pair[:, :2] for pair in votes if pair[0, :2].sum() and pair[1, :2].sum()]
    return np.log(StratifiedTable(tables).oddsratio_pooled)


def test_llmbar_judges_by_hand(real):
    with open(real("llmbar_judge_votes.jsonl")) as lines:
        rows = [json.loads(line) for line in lines]
    inputs = [row["input"] for row in rows]
    winners = winners_by_judge(rows)
    assert len(winners) == 6
    for pairs in winners.values():
        votes = as_votes(pairs, len(rows))
        effects = order_effects(votes, inputs, n_boot=200)
        assert effects.value["first_rate"] == pytest.approx(first_rate(pairs))
        assert effects.value["flip_rate"] == pytest.approx(flip_rate(pairs))
        assert effects.value["disagreement"] == pytest.approx(disagreement(pairs))
        assert np.all((effects.low <= effects.value) & (effects.value <= effects.high))
        assert position_bias(votes) == pytest.approx(pooled_log_odds_ratio(votes) / 2)


def test_intervals_of_the_first_rate_cover_as_often_as_promised():
    draw = np.random.default_rng(1)
    inside = 0
    truth = 0.66014  # E sigma(z + 0.8), z standard normal
    for seed in range(200):
        theta = np.repeat(draw.normal(size=60), 2)  # two pairs a prompt, alike in difficulty
        first = draw.binomial(5, expit(np.stack([theta + 0.8, -theta + 0.8], 1)))
        votes = np.zeros((120, 2, 4))
        votes[:, 0, 0] = first[:, 0]
        votes[:, 0, 1] = 5 - first[:, 0]
        votes[:, 1, 1] = first[:, 1]
        votes[:, 1, 0] = 5 - first[:, 1]
        prompts = np.repeat(np.arange(60), 2)
        rate = order_effects(votes, prompts, n_boot=300, seed=seed).loc["first_rate"]
        inside += rate.low <= truth <= rate.high
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
    assert np.allclose(new.sum(2), votes.sum(2))
    assert np.allclose(new[:, :, 2:], votes[:, :, 2:])
    assert (new >= -1e-9).all()
    turned = votes[:, ::-1][:, :, [1, 0, 2, 3]]
    assert np.allclose(correct_order(turned), new[:, ::-1][:, :, [1, 0, 2, 3]])
