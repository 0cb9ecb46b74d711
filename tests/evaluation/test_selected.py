"Pairs that were selected with known probabilities, against weights by hand and against all pairs."

import logging

import numpy as np
import pytest
from scipy import stats

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.evaluation.comparison import compare_models
from plurality_nb.evaluation.correlation import correlate, printed_table
from plurality_nb.evaluation.scores import score_models
from plurality_nb.evaluation.tables import rows_that_count, selection_remark, selection_weights
from plurality_nb.reports.blocks import interval_cell
from plurality_nb.reports.findings import limits
from plurality_nb.votes.selection import select_pairs

OVERALL = dict(by=None, n_boot=0, baselines=False)


def scored(n=120, seed=0, noise=1.0, ballots=False):
    "Pairs of n / 2 prompts, on which five people voted and a judge ten times."
    rng = np.random.default_rng(seed)
    wanted = rng.normal(size=n) * np.where(np.arange(n) % 3, 2.0, 0.2)
    p_a = 1 / (1 + np.exp(-wanted))
    judge = rng.binomial(10, p_a)
    cast = rng.random((n, 5)) < p_a[:, None]
    rows = []
    for i in range(n):
        votes = [dict(annotator=f"p{k}", vote="a" if cast[i, k] else "b") for k in range(5)]
        rows.append(
            dict(
                prompt=f"prompt {i // 2}",
                response_a=f"a{i}",
                response_b=f"b{i}",
                human_a=int(cast[i].sum()),
                human_b=int(5 - cast[i].sum()),
                human_tie=0,
                judge_a=float(judge[i]),
                judge_b=float(10 - judge[i]),
                judge_tie=0.0,
                reward_a=float(wanted[i] + noise * rng.normal()),
                reward_b=0.0,
                seen=False,
                quadrant=["plural_alike", "single_distinct"][i % 2],
                **(dict(ballots=votes) if ballots else {}),
            )
        )
    return to_comparisons(rows)


def selected(n=60, seed=0, **how):
    return select_pairs(scored(**how), n, "disagreement", voted=True, seed=seed)


def test_weights_are_one_over_the_probabilities():
    ds = selected()
    weights = selection_weights(rows_that_count(ds).rows)
    np.testing.assert_allclose(weights, 1 / np.array(ds["inclusion"]))
    assert selection_weights(rows_that_count(scored()).rows) is None


@pytest.mark.parametrize("statistic", ["spearman", "kendall", "pearson"])
def test_a_weighted_correlation_is_that_of_repeated_pairs(statistic):
    ds = scored(40)
    times = np.random.default_rng(1).integers(1, 5, 40)
    table = correlate(with_columns(ds, inclusion=1 / times), statistics=[statistic], **OVERALL)
    x = np.array(ds["reward_a"], dtype=float)
    y = (2 * np.array(ds["human_a"]) - 5) / 10  # exact ties
    x, y = np.repeat(x, times), np.repeat(y, times)
    x, y = np.r_[x, -x], np.r_[y, -y]
    by_hand = dict(
        spearman=lambda: stats.spearmanr(x, y)[0],
        kendall=lambda: stats.kendalltau(x, y)[0],
        pearson=lambda: stats.pearsonr(np.tanh(x / 2), y)[0],
    )
    assert table.weighted.item() == pytest.approx(by_hand[statistic](), abs=1e-9)
    assert table.weighted.item() != pytest.approx(table.value.item(), abs=1e-4)


def test_weighted_means_are_hajeks():
    ds = selected()
    table = score_models(ds, **OVERALL).set_index(["model", "statistic"])
    weights = 1 / np.array(ds["inclusion"])
    delta, share = np.array(ds["reward_a"], dtype=float), np.array(ds["human_a"]) / 5
    loss = share * np.logaddexp(0, -delta) + (1 - share) * np.logaddexp(0, delta)
    right = np.sign(delta) == np.sign(share - 0.5)
    assert table.weighted["model", "log_loss"] == pytest.approx(np.average(loss, weights=weights))
    assert table.weighted["model", "accuracy"] == pytest.approx(np.average(right, weights=weights))
    cast = np.array(ds["human_a"])
    split = 2 * cast * (5 - cast) / 20
    assert table.weighted["votes", "split"] == pytest.approx(np.average(split, weights=weights))
    assert np.isnan(table.weighted["model", "calibration_error"])  # weights have no meaning for it


def test_weighted_values_are_those_of_all_pairs_on_average():
    ds = scored(noise=1.5)
    everything = correlate(ds, statistics=["spearman"], **OVERALL).value.item()
    plain, weighted = [], []
    for seed in range(20):
        drawn = select_pairs(ds, 60, "disagreement", voted=True, seed=seed)
        table = correlate(drawn, statistics=["spearman"], **OVERALL)
        plain.append(table.value.item())
        weighted.append(table.weighted.item())
    assert abs(np.mean(weighted) - everything) < 0.03
    assert abs(np.mean(plain) - everything) > 2 * abs(np.mean(weighted) - everything)


@pytest.mark.parametrize("ballots", [False, True])
def test_slices_and_intervals_are_weighted_as_well(ballots):
    ds = selected(ballots=ballots)
    table = correlate(ds, n_boot=200, baselines=False, statistics=["spearman"])
    assert list(table.quadrant) == ["overall", "single_distinct", "plural_alike"]
    assert ((table.weighted_low < table.weighted) & (table.weighted < table.weighted_high)).all()
    if ballots:
        assert set(table.resampled) == {"prompts and people"}


def test_differences_are_weighted_and_their_tests_are_not():
    one = selected()
    rewards = dict(zip(scored(noise=3.0)["pair_id"], scored(noise=3.0)["reward_a"]))
    other = with_columns(one, reward_a=[rewards[pair] for pair in one["pair_id"]])
    models = dict(one=one, other=other)
    table = compare_models(models, "one", by=None, n_boot=0, n_perm=100, baselines=False)
    correlations = correlate(models, **OVERALL).set_index(["model", "statistic"]).weighted
    of_spearman = table[table.statistic == "spearman"].iloc[0]
    assert of_spearman.weighted == pytest.approx(
        correlations["other", "spearman"] - correlations["one", "spearman"]
    )
    assert "p and verdict are of the selected pairs" in selection_remark(table)


def test_terminal_and_report_say_so():
    ds = selected()
    table = correlate(ds, by=None, n_boot=100)
    text = printed_table(table)
    assert "weighted 0." in text and "selected with unequal probabilities" in text
    assert any("selected with unequal" in sentence for sentence in limits(dict(m=ds), table))
    row = table[table.statistic == "spearman"].iloc[0]
    assert "weighted" in interval_cell(row).sub
    plain = correlate(scored(), by=None, n_boot=100)
    assert "weighted" not in printed_table(plain) and "weighted" not in plain
    assert not any("selected" in sentence for sentence in limits(dict(m=scored()), plain))


def test_equal_probabilities_need_no_weights():
    ds = with_columns(scored(), inclusion=np.full(120, 0.3))
    assert "weighted" not in correlate(ds, **OVERALL)


def test_probabilities_of_some_pairs_alone_are_said(caplog):
    chance = np.where(np.arange(120) < 30, np.nan, 0.5)
    chance[-1] = 0.1
    with caplog.at_level(logging.WARNING):
        table = correlate(with_columns(scored(), inclusion=chance), **OVERALL)
    assert "weighted" not in table and "30 of 120 pairs lack `inclusion`" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        correlate(with_columns(scored(), inclusion=chance), votes="judge", **OVERALL)
    assert "inclusion" not in caplog.text
