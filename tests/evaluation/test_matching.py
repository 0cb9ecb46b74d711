"Matching and correction for range: weights by hand, and what they leave alone."

import numpy as np
import pytest

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.correlation import correlate
from plurality_nb.evaluation.matching import STRATA, common_distribution, corrected, match_slices


def scored(n=400, seed=0, votes=5, spread=(2, 0.7)):
    rng = np.random.default_rng(seed)
    wanted = rng.normal(size=n) * np.resize(spread, n)
    a = rng.binomial(votes, 1 / (1 + np.exp(-wanted)))
    return to_comparisons(
        [
            dict(
                prompt=f"p{i // 4}",
                response_a=f"a{i}",
                response_b=f"b{i}",
                human_a=int(a[i]),
                human_b=int(votes - a[i]),
                human_tie=0,
                seen=False,
                quadrant=["single_distinct", "plural_alike"][i % 2],
                reward_a=float(wanted[i] + rng.normal()),
                reward_b=0.0,
            )
            for i in range(n)
        ]
    )


def test_weights_give_all_slices_the_same_distribution():
    ds = scored()
    decided = np.abs(np.array(ds["human_a"][:]) - ds["human_b"][:]) / 5
    slice_of = np.resize([0, 1], 400)
    target, overlap, stratum = common_distribution(decided, slice_of)
    assert target.sum() == pytest.approx(1) and 0 < overlap < 1
    for k in (0, 1):
        own = np.bincount(stratum[slice_of == k], minlength=STRATA) / 200
        assert (target * overlap <= own + 1e-12).all()
        w = (target / np.maximum(own, 1e-300))[stratum[slice_of == k]]
        np.testing.assert_allclose(
            np.bincount(stratum[slice_of == k], w, STRATA) / w.sum(), target, atol=1e-12
        )


def test_the_matched_value_is_a_weighted_cosine():
    ds = scored()
    table = match_slices(ds, n_boot=0, baselines=False, statistics=["pearson"]).set_index(
        "quadrant"
    )
    lead = (np.array(ds["human_a"][:]) - ds["human_b"][:]) / 10
    x = np.tanh((np.array(ds["reward_a"][:]) - ds["reward_b"][:]) / 2)
    slice_of = np.resize([0, 1], 400)
    target, _, stratum = common_distribution(2 * np.abs(lead), slice_of)
    for k, q in enumerate(["single_distinct", "plural_alike"]):
        at = slice_of == k
        w = (target / np.maximum(np.bincount(stratum[at], minlength=STRATA), 1))[stratum[at]]
        assert table.value[q] == pytest.approx(
            (w * x[at] * lead[at]).sum()
            / np.sqrt((w * x[at] ** 2).sum() * (w * lead[at] ** 2).sum()),
            abs=1e-9,
        )
    plain = (
        correlate(ds, n_boot=0, baselines=False, statistics=["pearson"]).set_index("quadrant").value
    )
    np.testing.assert_allclose(table.unmatched, plain[table.index], atol=1e-12)


def test_slices_that_are_alike_are_left_alone():
    ds = scored(spread=(1, 1))
    twin = with_columns(ds, quadrant=["single_distinct"] * 400)
    both = to_comparisons(
        [
            dict(r) | dict(response_a=r["response_a"] + e, quadrant=q)
            for e, q in [("", "single_distinct"), (" ", "plural_alike")]
            for r in twin
        ]
    )
    table = match_slices(both, n_boot=50, baselines=False)
    assert table.overlap.unique() == pytest.approx([1])
    np.testing.assert_allclose(table.value, table.unmatched, atol=1e-12)
    np.testing.assert_allclose(table.gap, 0, atol=1e-12)
    assert table[["gap_low", "gap_high"]].isna().all().all()  # nothing varies
    np.testing.assert_allclose(table.effective[table.statistic != "corrected"], 400)


def test_a_lone_mean_spread_corrects_nothing_and_a_wider_one_raises():
    rng = np.random.default_rng(0)
    tau = rng.uniform(-0.3, 0.3, 50_000)
    a = rng.binomial(4, tau + 0.5)
    cast, one = (a, 4 - a, 0 * a, np.zeros(50_000, dtype=int)), np.ones((1, 1))
    x = tau + rng.normal(size=50_000) * 0.2
    for spread in (0.01, 0.03, 0.08):
        expected = np.sqrt(spread / (spread + 0.04))
        assert corrected(x, *cast, spread).values(one).item() == pytest.approx(expected, abs=0.02)


def test_slices_without_anything_in_common_are_undefined_not_an_error(recwarn):
    ds = with_columns(scored(40), human_a=[5, 3] * 20, human_b=[0, 2] * 20)
    table = match_slices(
        ds, n_boot=20, statistics=["pearson", "spearman", "kendall"], baselines=False
    )
    assert (
        set(table.overlap) == {0}
        and table[["value", "low", "gap"]].isna().all().all()
        and table.unmatched.notna().all()
    )
    assert not recwarn.list


def test_wrong_use_is_said():
    with pytest.raises(ContractError, match="a column of text"):
        match_slices(scored(40), by=None)
    with pytest.raises(ContractError, match="some of"):
        match_slices(scored(40), statistics=["mode"])
