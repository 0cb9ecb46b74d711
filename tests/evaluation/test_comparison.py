"Differences, permutation tests and corrections: against plain loops, statsmodels, and what holds under the null."

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.errors import ContractError
from plurality_nb.evaluation import comparison as c
from plurality_nb.evaluation.bootstrap import interval, mean_measure, resample
from plurality_nb.evaluation.correlation import STATISTICS, correlate
from plurality_nb.evaluation.scores import score_models


def crowd(n=60, groups=20, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.unique(
        np.r_[np.arange(groups), rng.integers(0, groups, n - groups)], return_inverse=True
    )[1]
    lead = rng.integers(-4, 5, n) / 8
    return rng, lead, codes


def scored(noise, seed=0, n=80):
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 6, (2, n))
    rewards = a / 2 + noise * np.random.default_rng([1, seed]).normal(size=n)
    return to_comparisons(
        [
            dict(
                prompt=f"p{i // 2}",
                response_a=f"a{i} " + "x" * (i % 7),
                response_b=f"b{i}",
                human_a=int(a[i]),
                human_b=int(b[i]),
                human_tie=1,
                seen=False,
                quadrant=["plural_alike", "single_distinct"][i // 2 % 2],
                reward_a=float(rewards[i]),
                reward_b=float(b[i] / 2),
            )
            for i in range(n)
        ]
    )


@pytest.mark.parametrize("statistic", c.COMPARED)
def test_exchanging_is_what_a_plain_loop_does(statistic):
    "The p-value from predictions exchanged and written out, permutation by permutation."
    rng, lead, codes = crowd()
    x, other = (
        c.on_one_scale(statistic, v, v)
        for v in (lead + rng.normal(size=60) * 0.3, lead + rng.normal(size=60) * 0.7)
    )
    ones = np.ones((1, 20))

    def gap(first, second):
        return (
            c._scaled_measure(statistic, first, lead, codes).values(ones)
            - c._scaled_measure(statistic, second, lead, codes).values(ones)
        ).item()

    draw = np.random.default_rng(5)
    keeps = draw.integers(0, 2, (99, 20)).astype(bool)[:, codes]
    extreme = sum(
        abs(gap(np.where(k, x, other), np.where(k, other, x))) >= abs(gap(x, other)) - 1e-12
        for k in keeps
    )
    assert c.permutation_p(statistic, x, other, lead, codes, 99, seed=5) == pytest.approx(
        (1 + extreme) / 100
    )


@pytest.mark.parametrize("statistic", ["tempered_pearson", "spearman", "accuracy", "log_loss"])
def test_p_values_are_uniform_under_the_null(statistic):
    "Interchangeable models, five hundred times: Kolmogorov and Smirnov see no departure, and no more than nominally many fall under 5%."
    found = []
    for seed in range(500):
        rng, lead, codes = crowd(seed=seed)
        shared = rng.normal(size=20)[codes] + rng.normal(size=60) * 0.5
        x, other = (
            c.on_one_scale(statistic, v, v)
            for v in (
                2 * lead + shared + rng.normal(size=20)[codes] * 0.5 + rng.normal(size=60)
                for _ in range(2)
            )
        )
        found.append(c.permutation_p(statistic, x, other, lead, codes, 199, seed))
    found_within_steps = (
        np.array(found) - np.random.default_rng(0).random(500) / 200
    )  # p-values are multiples of 1/200
    too_small_only = (
        "greater" if statistic == "accuracy" else "two-sided"
    )  # ties of accuracies only make p larger
    assert stats.kstest(found_within_steps, "uniform", alternative=too_small_only).pvalue > 0.001
    assert (np.array(found) <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)


def test_models_of_different_scale_and_equal_merit_are_not_told_apart_more_often():
    "Same quality, one three times as sure: where the statistic does not look at scale, the test must not either."
    for statistic in ("pearson", "spearman", "accuracy"):
        found = []
        for seed in range(300):
            rng, lead, codes = crowd(seed=seed)
            one, two = (2 * lead + rng.normal(size=60) for _ in range(2))
            found.append(
                c.permutation_p(
                    statistic,
                    c.on_one_scale(statistic, 0.3 * one, one),
                    c.on_one_scale(statistic, two if statistic == "spearman" else 0.9 * two, two),
                    lead,
                    codes,
                    99,
                    seed,
                )
            )
        assert (np.array(found) <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_putting_predictions_on_one_scale_changes_no_statistic():
    rng, lead, codes = crowd(200, 50)
    delta = np.round(lead * 3 + rng.normal(size=200), 1)  # with ties and zeros
    ds = to_comparisons(
        [
            dict(
                prompt=f"p{g}",
                response_a=f"a{i}",
                response_b=f"b{i}",
                human_a=int(4 + 8 * y),
                human_b=int(4 - 8 * y),
                human_tie=0,
                seen=False,
                reward_a=float(d),
                reward_b=0.0,
            )
            for i, (g, y, d) in enumerate(zip(codes, lead, delta))
        ]
    )
    plain = pd.concat(
        [
            correlate(ds, None, n_boot=0, baselines=False),
            score_models(ds, None, n_boot=0, baselines=False),
        ]
    )
    plain = plain[plain.model == "model"].set_index("statistic").value
    for s in c.COMPARED:
        if not s.startswith("tempered_"):
            d = delta.astype(np.float32).astype(float)
            assert c._scaled_measure(s, c.on_one_scale(s, d, d), lead, codes).values(
                np.ones((1, codes.max() + 1))
            ).item() == pytest.approx(plain[s], abs=1e-12), s


@pytest.mark.parametrize(
    "p",
    [
        [0.3],
        [0.01, 0.04, 0.03, 0.005],
        [0.2, 0.2, 0.001, 1],
        [0, 0.5, 0.5, 0.9, 0.04],
        [0.02, np.nan, 0.01, np.nan, 0.3],
    ],
)
def test_holm_is_statsmodels(p):
    p = np.array(p)
    has, found = ~np.isnan(p), c.holm(p)
    assert np.isnan(found[~has]).all()
    np.testing.assert_allclose(found[has], multipletests(p[has], method="holm")[1], atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_holm_keeps_order_and_never_helps(p, random):
    found = c.holm(np.array(p))
    assert (
        (found >= p).all()
        and (found <= 1).all()
        and (np.diff(found[np.argsort(p, kind="stable")]) >= 0).all()
    )
    order = random.sample(range(len(p)), len(p))
    np.testing.assert_allclose(c.holm(np.array(p)[order]), found[order])


def test_the_table_by_hand():
    models = {"near": scored(0.3, 1), "far": scored(1.5, 2)}
    table = c.compare_models(
        models,
        "far",
        n_boot=300,
        n_perm=199,
        statistics=["spearman", "kendall", "log_loss", "tempered_brier"],
    )
    plain = (
        pd.concat([correlate(models, n_boot=0), score_models(models, n_boot=0)])
        .set_index(["model", "quadrant", "statistic"])
        .value
    )
    for r in table.itertuples():
        assert r.value == pytest.approx(
            plain[r.model, r.quadrant, r.statistic] - plain["far", r.quadrant, r.statistic],
            abs=1e-12,
        )
    tests = np.where(table.quadrant == "overall", 1, 2)  # two slices are corrected for each other
    np.testing.assert_allclose(
        table.detectable,
        (stats.norm.ppf(1 - 0.025 / tests) + stats.norm.ppf(0.8)) * table.se,
    )
    assert set(table.model) == {"near", "longer response", "random"}
    for _, part in table.groupby(["model", "statistic"]):
        slices = part[part.quadrant != "overall"]
        np.testing.assert_allclose(slices.p_holm, c.holm(slices.p.to_numpy()))
        assert (part[part.quadrant == "overall"].p_holm == part[part.quadrant == "overall"].p).all()


def test_the_detectable_difference_is_found_four_times_in_five():
    "Of a true difference of 2.8 standard errors, intervals leave zero out in about 80% of samples."
    rng, codes, found, errors = np.random.default_rng(0), np.repeat(np.arange(100), 2), [], []
    true = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / 10
    for seed in range(400):
        draws = resample(
            dict(x=mean_measure(rng.normal(size=100)[codes] + true, codes)), codes, 300, seed
        )["x"]
        found.append(interval(draws[1:], 100)[0] > 0)
        errors.append(draws[1:].std(ddof=1))
    assert np.mean(errors) == pytest.approx(0.1, abs=0.003) and np.mean(found) == pytest.approx(
        0.8, abs=0.06
    )


def test_sides_and_order_of_models_do_not_matter():
    models = {"near": scored(0.3, 1), "far": scored(1.5, 2)}

    def number(t):
        return t.select_dtypes("number").to_numpy()

    how = dict(n_boot=100, n_perm=99, statistics=c.COMPARED)
    table = c.compare_models(models, "far", **how)
    np.testing.assert_allclose(
        number(table),
        number(c.compare_models({k: swap_sides(d) for k, d in models.items()}, "far", **how)),
        atol=1e-9,
    )
    back = c.compare_models(models, "near", **how)
    near, far = (
        t[t.model == m].reset_index(drop=True) for t, m in ((table, "near"), (back, "far"))
    )
    np.testing.assert_allclose(near.value, -far.value, atol=1e-12)
    np.testing.assert_allclose(near.low, -far.high, atol=1e-12)
    np.testing.assert_allclose(near.p, far.p, atol=1e-12)


def test_few_prompts_constants_and_wrong_names(recwarn):
    models = {
        "near": scored(0.3, 1, 8),
        "flat": with_columns(scored(1, 1, 8), reward_a=np.zeros(8), reward_b=np.zeros(8)),
    }
    table = c.compare_models(models, "flat", by=None, n_boot=50, n_perm=50)
    assert table[["low", "high", "se", "p", "p_holm", "detectable"]].isna().all().all()
    models = {
        k: with_columns(scored(0.3, 1), reward_a=x, reward_b=np.zeros(80))
        for k, x in dict(flat=np.zeros(80), other=np.arange(80.0)).items()
    }
    flat = c.compare_models(models, "flat", by=None, n_boot=50, n_perm=50, statistics=STATISTICS)
    assert flat[["value", "low", "p"]].isna().all().all()
    assert not recwarn.list
    with pytest.raises(ContractError, match="`baseline`"):
        c.compare_models(models, "nobody")
    with pytest.raises(ContractError, match="some of"):
        c.compare_models(models, "flat", statistics=["slope"])


def test_trivial_models_can_be_the_baseline_and_the_judge_is_among_them():
    ds = with_columns(
        scored(0.3, 1), judge_a=np.full(80, 0.7), judge_b=np.full(80, 0.3), judge_tie=np.zeros(80)
    )
    table = c.compare_models({"near": ds}, "judge", by=None, n_boot=20, n_perm=20)
    assert set(table.model) == {"near", "longer response", "random"} and set(table.baseline) == {
        "judge"
    }


def test_a_model_with_larger_rewards_is_level_with_itself():
    "Pearson's correlation of rewards as they are tells them apart; after a temperature it cannot."
    one = scored(0.5, 1)
    three = with_columns(
        one, **{side: 3 * np.array(one[side][:]) for side in ("reward_a", "reward_b")}
    )
    table = c.compare_models(
        {"one": one, "three": three},
        "one",
        by=None,
        baselines=False,
        n_boot=200,
        n_perm=199,
        statistics=["tempered_pearson", "pearson"],
    ).set_index("statistic")
    assert table.p["pearson"] < 0.05 and abs(table.value["pearson"]) > 0.01
    assert abs(table.value["tempered_pearson"]) < 1e-6
    assert table.verdict["tempered_pearson"] in ("level", "cannot tell")
    assert "pearson" not in c.USUALLY_COMPARED


def test_verdicts_follow_the_corrected_p_and_not_the_interval():
    "A slice whose own interval leaves zero out, and whose corrected p does not reach 5%."
    table = pd.DataFrame(
        dict(
            model="m",
            quadrant=["overall", "x", "y"],
            statistic="spearman",
            value=[0.2, 0.2, 0.0],
            low=[0.1, 0.01, -0.02],
            high=[0.3, 0.39, 0.02],
            se=[0.05, 0.09, 0.01],
            groups=100,
            level=0.95,
            p=[0.03, 0.03, 0.9],
        )
    )
    tested = c.add_tests(table)
    assert tested.verdict.tolist() == ["better", "cannot tell", "level"]
    assert c.add_tests(table, {"spearman": 0.005}).verdict.tolist()[2] == "cannot tell"
    lower = c.add_tests(table.assign(statistic="log_loss"))
    assert lower.verdict.tolist()[0] == "worse"
    unknown = c.add_tests(table.assign(p=np.nan, se=np.nan))
    assert unknown.verdict.tolist() == ["cannot tell"] * 3


def test_equivalence_is_the_shorter_interval_within_the_bound():
    rng = np.random.default_rng(0)
    value, se = rng.normal(size=200) * 0.05, rng.uniform(0.005, 0.05, 200)
    groups = rng.integers(5, 300, 200)
    half = stats.t.ppf(0.95, groups - 1) * se
    inside = (value - half > -0.05) & (value + half < 0.05)
    np.testing.assert_array_equal(c.equivalence_p(value, se, groups, 0.05) < 0.05, inside)


def test_equal_models_are_rarely_better_or_worse_in_a_slice():
    "Verdicts in the four slices of two hundred studies without a difference, by their p-values."
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        dict(
            model=np.repeat([f"m{i}" for i in range(400)], 4),
            quadrant=["a", "b", "c", "d"] * 400,
            statistic="spearman",
            value=rng.normal(size=1600),
            se=1.0,
            groups=100,
            level=0.95,
            p=rng.random(1600),
        )
    )
    verdict = c.add_tests(table).verdict
    differs = verdict.isin(["better", "worse"]).to_numpy().reshape(400, 4).any(1)
    assert differs.mean() < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert (table.p.to_numpy().reshape(400, 4) < 0.05).any(1).mean() > 0.13


def test_changing_predictions_in_place_changes_no_later_ones():
    rewards = np.array([0.5, -3, 2])
    for statistic in c.COMPARED:
        first = c.on_one_scale(statistic, rewards.copy(), rewards.copy())
        wanted = first.copy()
        first += 1
        again = c.on_one_scale(statistic, rewards.copy(), rewards.copy())
        np.testing.assert_array_equal(again, wanted)
