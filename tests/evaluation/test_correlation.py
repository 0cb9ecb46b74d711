"Which response is called A must not matter, and neither must the order of rows or files."

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from plurality_nb.data.arrow import take
from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.bootstrap import group_counts
from plurality_nb.evaluation.comparison import compare_models
from plurality_nb.evaluation.correlation import STATISTICS, correlate, weighted_statistics
from plurality_nb.evaluation.tables import rows_left_out


def scored(n=40, seed=0, prompts=15):
    rng = np.random.default_rng(seed)
    a, b, tie = rng.integers(0, 7, (3, n))
    a = np.where(a + b + tie == 0, 1, a)
    rows = [
        dict(
            prompt=f"p{rng.integers(prompts)}",
            response_a=f"a{i} " + "x" * int(rng.integers(40)),
            response_b=f"b{i}",
            human_a=int(a[i]),
            human_b=int(b[i]),
            human_tie=int(tie[i]),
            quadrant=["plural_alike", "single_distinct"][i % 2],
            reward_a=float(rng.normal() + a[i] / 4),
            reward_b=float(rng.normal() + b[i] / 4),
            seen=False,
        )
        for i in range(n)
    ]
    return to_comparisons(rows)


def numbers_of(table):
    return table.select_dtypes("number").to_numpy()


def test_swapping_every_row_changes_no_statistic():
    ds = scored()
    models, swapped = (
        {"m": ds, "n": scored_like(ds, 1)},
        {"m": swap_sides(ds), "n": swap_sides(scored_like(ds, 1))},
    )
    for f in (
        lambda m: correlate(m, n_boot=200),
        lambda m: compare_models(m, "m", n_boot=200, n_perm=99),
    ):
        np.testing.assert_allclose(
            numbers_of(f(models)), numbers_of(f(swapped)), atol=1e-12, rtol=0
        )


def scored_like(ds, seed):
    rng = np.random.default_rng(seed)
    return with_columns(
        ds,
        reward_a=rng.normal(size=len(ds)),
        reward_b=rng.normal(size=len(ds)),
        seen=[False] * len(ds),
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_swapping_some_rows_changes_no_statistic(data):
    n = data.draw(st.integers(2, 15))
    delta = np.array(data.draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n))) / 3
    lead = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))) / 6
    sign = np.array(data.draw(st.lists(st.sampled_from([-1, 1]), min_size=n, max_size=n)))
    w = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=float)[None]
    np.testing.assert_allclose(
        weighted_statistics(delta * sign, lead * sign, w),
        weighted_statistics(delta, lead, w),
        atol=1e-12,
        equal_nan=True,
    )


def by_scipy(delta, lead):
    x, y = np.r_[delta, -delta], np.r_[lead, -lead]
    return [
        stats.pearsonr(1 / (1 + np.exp(-x)), y)[0],
        stats.spearmanr(x, y)[0],
        stats.kendalltau(x, y)[0],
    ]


@pytest.mark.parametrize("levels", [2, 7, 1000])
@pytest.mark.parametrize("rounded", [True, False])
def test_scipy_agrees_on_resamples_written_out(levels, rounded):
    rng = np.random.default_rng(levels)
    lead = rng.integers(-levels, levels + 1, 200) / levels / 2
    delta = 2 * lead + rng.normal(size=200)
    delta = np.round(delta) if rounded else delta
    for resample in [np.arange(200), *rng.integers(0, 200, (5, 200)), rng.integers(0, 5, 200)]:
        weights = np.bincount(resample, minlength=200)[None]
        np.testing.assert_allclose(
            weighted_statistics(delta, lead, weights)[0],
            by_scipy(delta[resample], lead[resample]),
            atol=1e-12,
            rtol=0,
        )


def test_a_constant_follows_nothing_and_says_so_quietly(recwarn):
    ds = with_columns(scored(), reward_a=np.zeros(40), reward_b=np.zeros(40))
    table = correlate(ds, n_boot=50, baselines=False)
    assert table[["value", "low", "high", "se"]].isna().all().all()
    tied = to_comparisons([dict(r) | dict(human_a=1, human_b=1) for r in scored()])
    assert correlate(tied, n_boot=50)[["value", "low", "high", "se"]].isna().all().all()
    assert not recwarn.list


def test_the_table_is_the_same_however_the_resamples_are_cut(monkeypatch):
    import plurality_nb.evaluation.bootstrap as r

    whole = correlate(scored(), n_boot=300)
    monkeypatch.setattr(r, "_CELLS", 1)
    pd.testing.assert_frame_equal(whole, correlate(scored(), n_boot=300), rtol=0, atol=1e-12)


def test_intervals_are_the_percentiles_of_a_plain_loop():
    ds = scored(60, prompts=20)
    group = pd.factorize(np.array(ds["group"][:]))[0]
    lead = (
        (np.array(ds["human_a"][:]) - ds["human_b"][:])
        / np.sum([ds[f"human_{o}"][:] for o in ("a", "b", "tie")], 0)
        / 2
    )
    delta = np.array(ds["reward_a"][:]) - ds["reward_b"][:]
    counts = np.concatenate(list(group_counts(20, 200, rows=256)))[1:].astype(int)
    plain = np.array([by_scipy(*(np.repeat(v, c[group]) for v in (delta, lead))) for c in counts])
    tail = stats.norm.cdf(np.sqrt(20 / 19) * stats.t.ppf(0.025, 19))
    by_hand = ["pearson", "spearman", "kendall"]
    table = correlate(ds, None, n_boot=200, baselines=False, statistics=by_hand)
    np.testing.assert_allclose(
        table[["low", "high"]].T, np.quantile(plain, [tail, 1 - tail], axis=0), atol=1e-12
    )
    np.testing.assert_allclose(table.se, plain.std(0, ddof=1), atol=1e-12)


def test_small_slices_have_a_value_and_no_interval():
    table = correlate(scored(8, prompts=4), None, n_boot=100)
    is_tempered = table.statistic == "tempered_pearson"  # four prompts have no five folds
    assert (table.value.notna() != is_tempered).all()
    assert table[["low", "high", "se"]].isna().all().all()


def test_statistics_on_request():
    assert set(correlate(scored(), n_boot=0, statistics=["kendall"]).statistic) == {"kendall"}
    with pytest.raises(ContractError, match="some of"):
        correlate(scored(), statistics=["mode"])
    whole, some = (correlate(scored(), n_boot=50, statistics=s) for s in (STATISTICS, ["pearson"]))
    pd.testing.assert_frame_equal(whole[whole.statistic == "pearson"].reset_index(drop=True), some)


def labelled(label, source="annotator", **columns):
    return with_columns(scored(), label=label, label_source=[source] * 40, **columns)


def test_the_judge_and_a_label_stand_beside_the_models_where_they_have_not_seen_the_votes():
    ds = scored()
    a, b = np.array(ds["human_a"][:]), np.array(ds["human_b"][:])

    def models(ds, **how):
        return set(correlate(ds, n_boot=0, **how).model) - {"model", "longer response", "random"}

    assert models(ds) == set()
    assert models(labelled((1 + np.sign(a - b)) / 2, "majority")) == set()
    assert (
        models(labelled(np.select([a > 0, b > 0], [1, 0], 0.5))) == set()
    )  # may be one of the votes
    assert models(labelled(np.r_[0, np.ones(39)])) == {"label"} and (a == 0).sum() > 1
    assert models(labelled(np.full(40, 0.5))) == set()
    judge = dict(judge_a=np.full(40, 0.8), judge_b=np.full(40, 0.2), judge_tie=np.zeros(40))
    assert models(labelled(np.ones(40), **judge)) == {"judge", "label"}
    assert "judge" not in models(labelled(np.ones(40), **judge), votes="judge")
    assert models(labelled(np.ones(40), **judge), baselines=False) == set()


def test_a_judge_that_lacks_votes_is_left_out_and_costs_no_pairs(caplog):
    half = [0.8 if i % 2 else None for i in range(40)]
    ds = to_comparisons(
        [
            dict(r) | dict(judge_a=h, judge_b=h and 0.2, judge_tie=h and 0.0)
            for r, h in zip(scored(), half)
        ]
    )
    table = correlate(ds, None, n_boot=0)
    assert "judge" not in set(table.model) and set(table.n) == {40}
    assert "no row for the judge, which 20 of 40 pairs lack" in caplog.text


def test_models_are_joined_on_the_pair_whatever_the_order_of_rows_and_sides():
    ds, other = scored(), scored_like(scored(), 2)
    shuffled = swap_sides(take(other, np.random.default_rng(0).permutation(len(other))))
    np.testing.assert_allclose(
        numbers_of(correlate({"m": ds, "n": other}, n_boot=50)),
        numbers_of(correlate({"m": ds, "n": shuffled}, n_boot=50)),
        atol=1e-12,
    )


def test_rows_seen_by_any_model_are_left_out_for_all():
    ds = scored()
    other = with_columns(scored_like(ds, 3), seen=[i < 10 for i in range(len(ds))])
    table = correlate({"m": ds, "n": other}, n_boot=0)
    assert rows_left_out({"m": ds, "n": other}) == dict(unvoted=0, unscored=0, seen=10)
    assert set(table[table.quadrant == "overall"].n) == {30}
    assert set(
        correlate({"m": ds, "n": other}, n_boot=0, include_seen=True)
        .query("quadrant == 'overall'")
        .n
    ) == {40}
    with pytest.raises(ContractError, match="no model was trained on"):
        correlate(with_columns(ds, seen=[True] * len(ds)))


def test_intervals_cover_when_pairs_of_a_prompt_repeat():
    "Copies of every pair add no information: the interval must not shrink, which one that resamples pairs would."
    ds = scored(60, prompts=60)
    groups = {
        k: correlate(d, by=None, n_boot=1000, baselines=False)
        .query("statistic == 'spearman'")
        .iloc[0]
        for k, d in dict(
            once=ds,
            thrice=to_comparisons(
                [dict(r) | dict(response_a=r["response_a"] + " " * k) for r in ds for k in range(3)]
            ),
        ).items()
    }
    width = {k: r.high - r.low for k, r in groups.items()}
    assert width["thrice"] == pytest.approx(width["once"], rel=0.1)
    assert groups["thrice"].value == pytest.approx(groups["once"].value, abs=0.02)


def test_by_any_column_of_text():
    ds = with_columns(scored(), domain=["x", "y"] * 20)
    assert list(pd.unique(correlate(ds, by="domain", n_boot=0).domain)) == ["overall", "x", "y"]
