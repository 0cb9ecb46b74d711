"Which response is called A must not matter, and neither must the order of rows or files."
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plurality_nb.arrow import take
from plurality_nb.comparisons import ContractError, swap_sides, to_comparisons, with_columns
from plurality_nb.correlation import compare, correlate, weighted_statistics


def scored(n=40, seed=0, prompts=15):
    rng = np.random.default_rng(seed)
    a, b, tie = rng.integers(0, 7, (3, n))
    a = np.where(a + b + tie == 0, 1, a)
    rows = [dict(prompt=f"p{rng.integers(prompts)}", response_a=f"a{i} " + "x" * int(rng.integers(40)), response_b=f"b{i}",
                 human_a=int(a[i]), human_b=int(b[i]), human_tie=int(tie[i]), quadrant=["plural_alike", "single_distinct"][i % 2],
                 reward_a=float(rng.normal() + a[i] / 4), reward_b=float(rng.normal() + b[i] / 4), seen=False) for i in range(n)]
    return to_comparisons(rows)


def numbers_of(table):
    return table.select_dtypes("number").to_numpy()


def test_swapping_every_row_changes_no_statistic():
    ds = scored()
    models, swapped = {"m": ds, "n": scored_like(ds, 1)}, {"m": swap_sides(ds), "n": swap_sides(scored_like(ds, 1))}
    for f in (lambda m: correlate(m, n_boot=200), lambda m: compare(m, "m", n_boot=200)):
        np.testing.assert_allclose(numbers_of(f(models)), numbers_of(f(swapped)), atol=1e-12, rtol=0)


def scored_like(ds, seed):
    rng = np.random.default_rng(seed)
    return with_columns(ds, reward_a=rng.normal(size=len(ds)), reward_b=rng.normal(size=len(ds)), seen=[False] * len(ds))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_swapping_some_rows_changes_no_statistic(data):
    n = data.draw(st.integers(2, 15))
    delta = np.array(data.draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n))) / 3
    lead = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))) / 6
    sign = np.array(data.draw(st.lists(st.sampled_from([-1, 1]), min_size=n, max_size=n)))
    w = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=float)[None]
    np.testing.assert_allclose(weighted_statistics(delta * sign, lead * sign, w), weighted_statistics(delta, lead, w), atol=1e-12, equal_nan=True)


def test_models_are_joined_on_the_pair_whatever_the_order_of_rows_and_sides():
    ds, other = scored(), scored_like(scored(), 2)
    shuffled = swap_sides(take(other, np.random.default_rng(0).permutation(len(other))))
    np.testing.assert_allclose(numbers_of(correlate({"m": ds, "n": other}, n_boot=50)), numbers_of(correlate({"m": ds, "n": shuffled}, n_boot=50)), atol=1e-12)


def test_rows_seen_by_any_model_are_left_out_for_all():
    ds = scored()
    other = with_columns(scored_like(ds, 3), seen=[i < 10 for i in range(len(ds))])
    table = correlate({"m": ds, "n": other}, n_boot=0)
    assert table.attrs["left_out"] == dict(unvoted=0, unscored=0, seen=10)
    assert set(table[table.quadrant == "overall"].n) == {30}
    assert set(correlate({"m": ds, "n": other}, n_boot=0, include_seen=True).query("quadrant == 'overall'").n) == {40}
    with pytest.raises(ContractError, match="no model was trained on"):
        correlate(with_columns(ds, seen=[True] * len(ds)))


def test_intervals_cover_when_pairs_of_a_prompt_repeat():
    "Copies of every pair add no information: the interval must not shrink, which one that resamples pairs would."
    ds = scored(60, prompts=60)
    groups = {k: correlate(d, by=None, n_boot=1000, baselines=False).query("statistic == 'spearman'").iloc[0]
              for k, d in dict(once=ds, thrice=to_comparisons([dict(r) | dict(response_a=r["response_a"] + " " * k) for r in ds for k in range(3)])).items()}
    width = {k: r.high - r.low for k, r in groups.items()}
    assert width["thrice"] == pytest.approx(width["once"], rel=0.1)
    assert groups["thrice"].value == pytest.approx(groups["once"].value, abs=0.02)


def test_by_any_column_of_text():
    ds = with_columns(scored(), domain=["x", "y"] * 20)
    assert list(pd.unique(correlate(ds, by="domain", n_boot=0).domain)) == ["overall", "x", "y"]
