"Judges in place of people: known truths, degenerate inputs, and selected pairs."

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.prediction_powered import powered_mean, score_with_judge
from plurality_nb.evaluation.stand_in import advantage_p, alternative_annotator_test
from plurality_nb.rewards.model import score
from plurality_nb.votes.selection import inclusion_probabilities, systematic_draw


def test_every_pair_is_chosen_with_its_probability_and_weights_undo_the_choice():
    rng = np.random.default_rng(0)
    scores = rng.exponential(size=30)
    groups = np.arange(30) // 3
    probability = inclusion_probabilities(scores, 10)
    assert probability.sum() == pytest.approx(10) and probability.min() > 0
    draws = [systematic_draw(probability, groups, rng) for _ in range(4000)]
    assert {len(set(draw)) for draw in draws} == {10}
    chosen = np.bincount(np.concatenate(draws), minlength=30) / 4000
    assert np.abs(chosen - probability).max() < 0.035
    plain = np.mean([scores[draw].mean() for draw in draws])
    weighted = np.mean([(scores[draw] / probability[draw]).sum() / 30 for draw in draws])
    assert weighted == pytest.approx(scores.mean(), rel=0.01)
    assert plain > 1.2 * scores.mean()


@pytest.mark.parametrize("weight, shift", [(1, 1), (0, 0), (-1, 0)])
def test_intervals_hold_whatever_the_judge(weight, shift):
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(100):
        people = rng.normal(size=400)
        judge = weight * people + rng.normal(size=400) + shift
        seen = np.where(rng.random(400) < 0.15, people, np.nan)
        result = powered_mean(seen, judge, np.arange(400), n_boot=300, seed=seed)
        hits += result["low"] < 0 < result["high"]
        assert result["needed"] <= result["needed_classical"]
    assert hits >= 88  # of 100, at 95%


def test_few_or_no_labels_give_no_interval():
    judge = np.arange(20.0)
    one = powered_mean(np.where(judge == 3, 1.0, np.nan), judge, np.zeros(20), n_boot=50)
    assert one["value"] == 1 and np.isnan(one["low"]) and np.isnan(one["needed"])
    none = powered_mean(np.full(20, np.nan), judge, np.arange(20), n_boot=50)
    assert np.isnan(none["value"]) and np.isnan(none["low"])


def test_p_values_are_those_of_the_t_test_with_one_pair_a_prompt():
    rng = np.random.default_rng(2)
    for epsilon in [0, 0.1, 0.2]:
        difference = rng.choice([-1.0, 0, 1], 40)
        expected = ttest_1samp(difference, epsilon, alternative="less").pvalue
        assert advantage_p(difference, range(40), epsilon) == pytest.approx(expected)


def panel(votes, judge):
    "Each row's ballots by persons 0, 1, ..., and the judge's votes."
    rows = load_sample().select(range(len(votes)))
    ballots = [
        [dict(annotator=f"p{i}", vote=vote, traits=[]) for i, vote in enumerate(row)]
        for row in votes
    ]
    columns = {f"judge_{o}": np.array([float(j == o) for j in judge]) for o in ("a", "b", "tie")}
    return with_columns(rows, ballots=ballots, **columns)


def test_a_judge_that_is_like_everybody_passes_and_one_that_contradicts_all_fails():
    unanimous = ["aaa", "bbb"] * 40
    same = alternative_annotator_test(panel(unanimous, "ab" * 40), None).iloc[0]
    assert same.passes and same.winning_rate == 1 and same.advantage == 1
    other = alternative_annotator_test(panel(unanimous, "ba" * 40), None).iloc[0]
    assert not other.passes and other.winning_rate == 0 and other.advantage == 0


@pytest.mark.parametrize("votes", [["a"] * 40, ["ab"] * 40, ["aba"] * 20, [""] * 40])
def test_too_few_people_or_pairs_are_said(votes):
    row = alternative_annotator_test(panel(votes, "a" * len(votes)), None).iloc[0]
    assert row.passes is None and np.isnan(row.winning_rate) and row.reason


def test_all_ties_and_labels_without_a_judge():
    tied = panel(["aaa"] * 40, "t" * 40)
    tied = with_columns(tied, judge_tie=np.ones(40), human_a=[0] * 40, human_b=[0] * 40)
    tied = score(with_columns(tied, human_tie=[3] * 40), "longer response")
    table = score_with_judge(tied, None, n_boot=50, baselines=False).set_index("statistic")
    assert np.isnan(table.value["spearman"]) and table.value["tie_rate"] == 1
    with pytest.raises(ContractError, match="judge"):
        score_with_judge(
            with_columns(tied, judge_a=[None] * 40, judge_b=[None] * 40, judge_tie=[None] * 40),
            None,
        )
