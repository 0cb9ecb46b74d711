"Ceilings against split halves, scipy's distribution and models that know the truth."

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.errors import ContractError
from plurality_nb.evaluation import ceilings as c
from plurality_nb.evaluation.correlation import correlate, pearson
from plurality_nb.evaluation.tables import TOO_FEW, slice_column
from plurality_nb.votes.shares import vote_disagreement


def one(measure, codes):
    return measure.values(np.ones((1, codes.max() + 1))).item()


def doubled(x, y):
    return stats.pearsonr(np.r_[x, -x], np.r_[y, -y])[0]


def test_reliability_is_split_half_stepped_up():
    "Spearman and Brown, averaged over ways of halving six votes."
    rng = np.random.default_rng(0)
    _, a, b, tie = c.draw_votes(0.8, 0.4, np.full(3000, 6))
    votes = np.array([[0.5] * x + [-0.5] * y + [0] * z for x, y, z in zip(a, b, tie)])
    found = []
    for _ in range(40):
        shuffled = rng.permuted(votes, axis=1)
        r = doubled(shuffled[:, :3].mean(1), shuffled[:, 3:].mean(1))
        found.append(2 * r / (1 + r))
    assert one(c.reliability(a, b, tie, np.arange(3000)), np.arange(3000)) == pytest.approx(
        np.mean(found), abs=0.004
    )


def test_reliability_is_that_of_an_analysis_of_variance():
    "With as many votes everywhere, one minus the ratio of mean squares within and between, the mean being known to be zero."
    _, a, b, tie = c.draw_votes(0.8, 0.4, np.full(50, 4))
    votes = np.array([[0.5] * x + [-0.5] * y + [0] * z for x, y, z in zip(a, b, tie)])
    between, within = 4 * (votes.mean(1) ** 2).mean(), votes.var(1, ddof=1).mean()
    assert one(c.reliability(a, b, tie, np.arange(50)), np.arange(50)) == pytest.approx(
        1 - within / between, abs=1e-12
    )


def test_the_chance_part_is_without_bias_whatever_the_numbers_of_votes():
    n = np.resize([1, 2, 3, 7], 200_000)
    share, a, b, tie = c.draw_votes(0.8, 0.4, n)
    square, chance, _ = (
        x.item() for x in c.lead_spread(a, b, tie, np.zeros(len(n), dtype=int))(np.ones((1, 1)))
    )
    assert square - chance == pytest.approx(np.mean((share - 0.5) ** 2), abs=0.001)
    truth = one(pearson(share - 0.5, (a - b) / n / 2, np.arange(len(n))), np.arange(len(n)))
    assert np.sqrt(1 - chance / square) == pytest.approx(truth, abs=0.004)


def test_prophecy_and_reliability_agree():
    "The number of votes that is needed for the reliability that these votes have is their own number."
    _, a, b, tie = c.draw_votes(0.8, 0.4, np.full(400, 5))
    codes = np.arange(400)
    found = one(c.reliability(a, b, tie, codes), codes)
    assert one(c.votes_needed(a, b, tie, codes, found), codes) == pytest.approx(5, abs=1e-9)
    with pytest.raises(ContractError, match="between 0 and 1"):
        c.votes_needed(a, b, tie, codes, 1)


@pytest.mark.parametrize("n", [1, 3, np.array([2, 3, 9])])
def test_the_fit_maximises_scipys_likelihood(n):
    _, a, b, tie = c.draw_votes(0.9, 0.5, np.resize(n, 300), seed=3)
    cast = np.stack([a, b, tie], 1)

    def loss(z):
        return -stats.dirichlet_multinomial.logpmf(
            cast, [np.exp(z[0])] * 2 + [np.exp(z[1])], cast.sum(1)
        ).sum()

    found = np.log(c.fit_votes(a, b, tie))
    if np.max(n) > 1:
        best = minimize(
            loss, np.zeros(2), method="Nelder-Mead", options=dict(xatol=1e-6, fatol=1e-9)
        )
        np.testing.assert_allclose(found, best.x, atol=1e-3)
    assert loss(found) <= loss(np.log([0.9, 0.5])) + 1e-9


def test_drawn_votes_have_the_models_moments():
    share, a, b, tie = c.draw_votes(1.5, 0.5, np.full(200_000, 4))
    assert (a + b + tie == 4).all()
    assert tie.mean() / 4 == pytest.approx(0.5 / 3.5, abs=0.003) and a.mean() == pytest.approx(
        b.mean(), abs=0.02
    )
    assert share.var() == pytest.approx(1.5 / 2 / 3.5 / 4.5, rel=0.02)
    same, other = c.draw_votes(1.5, 0.5, np.full(50, 4)), c.draw_votes(1.5, 0.5, np.full(80, 4))
    np.testing.assert_array_equal(same[0], other[0][:50])


def test_other_parameters_have_the_same_luck():
    near, far = (c.draw_votes(x, 0.5, np.full(5000, 4))[0] for x in (1.5, 1.6))
    assert np.corrcoef(near, far)[0, 1] > 0.99


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_turning_some_pairs_changes_nothing(data):
    n = data.draw(st.integers(3, 30))

    def draw(low, high):
        return np.array(data.draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))

    a, b, tie, turn = draw(0, 4), draw(0, 4), draw(1, 2), draw(0, 1).astype(bool)
    x, codes = draw(-3, 3) / 3, np.unique(draw(0, 5), return_inverse=True)[1]
    a2, b2, x2 = np.where(turn, b, a), np.where(turn, a, b), np.where(turn, -x, x)
    counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=6, max_size=6)), dtype=float)[
        None, : codes.max() + 1
    ]
    for f in (c.reliability, c.votes_needed):
        np.testing.assert_allclose(
            f(a, b, tie, codes).values(counts),
            f(a2, b2, tie, codes).values(counts),
            equal_nan=True,
            atol=1e-9,
        )
    np.testing.assert_allclose(
        c.disattenuated(x, a, b, tie, codes).values(counts),
        c.disattenuated(x2, a2, b2, tie, codes).values(counts),
        equal_nan=True,
        atol=1e-9,
    )
    assert c.fit_votes(a, b, tie) == c.fit_votes(a2, b2, tie)


def scored(n=200, votes=5, alpha=0.8, seed=0):
    rng = np.random.default_rng(seed)
    share, a, b, tie = c.draw_votes(alpha, 0.4, np.full(n, votes), seed)
    logit = np.log(share / (1 - share))
    return to_comparisons(
        [
            dict(
                prompt=f"p{i // 2}",
                response_a=f"a{i}",
                response_b=f"b{i}",
                human_a=int(a[i]),
                human_b=int(b[i]),
                human_tie=int(tie[i]),
                seen=False,
                quadrant=["plural_alike", "single_distinct"][i % 2],
                reward_a=float(np.clip(logit[i], -20, 20) + rng.normal() / 2),
                reward_b=0.0,
            )
            for i in range(n)
        ]
    )


def test_the_table_stands_beside_correlations_and_is_the_same_from_either_side():
    ds = scored()
    table, turned = (
        c.estimate_ceilings(ds, n_boot=30),
        c.estimate_ceilings(swap_sides(ds), n_boot=30),
    )

    def number(t):
        return t.select_dtypes("number").to_numpy()

    np.testing.assert_allclose(number(table), number(turned), atol=1e-9, equal_nan=True)
    assert list(table.columns[:6]) == ["model", "quadrant", "statistic", "value", "low", "high"]
    of, plain = (
        t.set_index(["model", "quadrant", "statistic"]).value
        for t in (table, correlate(ds, n_boot=0))
    )
    for q in ("overall", "plural_alike"):
        assert of["noise ceiling", q, "pearson"] == pytest.approx(
            np.sqrt(of["noise ceiling", q, "reliability"])
        )
        assert of["model", q, "disattenuated"] == pytest.approx(
            plain["model", q, "pearson"] / of["noise ceiling", q, "pearson"]
        )
        assert of["noise ceiling", q, "pearson_fit"] == pytest.approx(
            of["noise ceiling", q, "pearson"], abs=0.06
        )


def test_comparisons_without_rewards_have_ceilings():
    ds = with_columns(scored(), reward_a=[None] * 200, reward_b=[None] * 200)
    table = c.estimate_ceilings(ds, n_boot=0)
    assert set(table.model) == {"noise ceiling"} and table.value.notna().all()


@pytest.mark.parametrize(
    "votes, reason",
    [
        ((1, 0, 0), "no pair has two votes"),
        ((2, 2, 1), "all shares are one half"),
        ((0, 0, 3), "all shares are one half"),
    ],
)
def test_what_has_no_ceiling_says_why(votes, reason, recwarn):
    ds = with_columns(
        scored(), human_a=[votes[0]] * 200, human_b=[votes[1]] * 200, human_tie=[votes[2]] * 200
    )
    table = c.estimate_ceilings(ds, by=None, n_boot=20)
    assert table.value.isna().all() and table.low.isna().all() and set(table.reason) == {reason}
    assert not recwarn.list


def test_a_judges_probabilities_are_no_votes(recwarn):
    ds = with_columns(
        scored(), judge_a=np.full(200, 0.7), judge_b=np.full(200, 0.3), judge_tie=np.zeros(200)
    )
    assert set(c.estimate_ceilings(ds, by=None, n_boot=20, votes="judge").reason) == {
        "votes are not whole numbers"
    }
    assert not recwarn.list


def test_shares_that_spread_by_chance_alone_have_a_ceiling_of_nothing(recwarn):
    ds = with_columns(scored(), human_a=[2, 3] * 100, human_b=[3, 2] * 100, human_tie=[0] * 200)
    table = c.estimate_ceilings(ds, by=None, n_boot=20).set_index(["model", "statistic"])
    assert (
        table.value["noise ceiling", "pearson"] == 0
        and table.value["noise ceiling", "reliability"] < 0
    )
    assert (
        np.isnan(table.value["model", "disattenuated"])
        and table.reason["model", "disattenuated"] == "shares spread no more than chance"
    )
    assert not recwarn.list


def test_pairs_with_one_vote_and_small_slices():
    ds = scored()
    some = np.arange(200) < 30
    ds = with_columns(
        ds,
        human_a=np.where(some, 1, ds["human_a"][:]),
        human_b=np.where(some, 0, ds["human_b"][:]),
        human_tie=np.where(some, 0, ds["human_tie"][:]),
    )
    table = c.estimate_ceilings(ds, by=None, n_boot=20, baselines=False)
    assert table.value.notna().all()
    small = c.estimate_ceilings(ds.select(range(100, 106)), by=None, n_boot=20)
    assert small.low.isna().all() and TOO_FEW in set(small.reason)


def test_overall_joins_the_fits_of_slices_that_differ():
    "A Dirichlet that has to hold a decided and an even quadrant misses; their own fits together do not."
    parts = [scored(400, 10, alpha, seed) for alpha, seed in [(0.1, 1), (8, 2)]]
    rows = [
        dict(r) | dict(quadrant=q, prompt=f"{q} {r['prompt'][0]['content']}")
        for q, ds in zip(["single_distinct", "plural_alike"], parts)
        for r in ds
    ]
    ds = to_comparisons(rows)

    def error(by):
        table = c.estimate_ceilings(ds, by, n_boot=0)
        overall = table[table[slice_column(table)] == "overall"]
        values = overall[overall.model == "noise ceiling"].set_index("statistic").value
        return abs(values["pearson_fit"] - values["pearson"])

    assert error("quadrant") < 0.02 < error(None)


def test_a_fractional_row_leaves_the_variance_of_the_others():
    counts = np.array([[3.0, 1, 4, 0.5], [1.0, 3, 0, 0.5], [0.0, 0, 1, 0]])
    codes = np.arange(4)
    with_fractional = c.lead_spread(*counts, codes)(np.ones((1, 4)))
    without = c.lead_spread(*counts[:, :3], codes[:3])(np.ones((1, 3)))
    np.testing.assert_allclose(with_fractional[2], without[2])
    assert np.isfinite(with_fractional[1]).all()


def test_a_fractional_row_leaves_the_disagreement_of_the_others():
    counts = np.array([[3.0, 1, 0.5], [1.0, 0, 0.5], [0.0, 0, 0]])
    np.testing.assert_allclose(vote_disagreement(*counts), [0.5, np.nan, 0.5])
