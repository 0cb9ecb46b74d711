"Scores against scipy, sklearn, statsmodels and closed forms; which response is A must not matter."

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.errors import ContractError
from plurality_nb.evaluation import scores as s
from plurality_nb.evaluation.bootstrap import resample
from plurality_nb.evaluation.temperature import tempered


def votes(n=300, seed=0, sure=2.0, groups=100):
    rng = np.random.default_rng(seed)
    codes = np.unique(rng.integers(0, groups, n), return_inverse=True)[1]
    wanted = rng.normal(size=n)
    cast = rng.integers(1, 12, n)
    tie = rng.binomial(cast, 0.2)
    a = rng.binomial(cast - tie, expit(wanted))
    return sure * wanted + rng.normal(size=n) * 0.3, a, cast - tie - a, tie, codes


def one(measure, codes):
    return measure.values(np.ones((1, codes.max() + 1))).item()


def written_out(delta, a, b, tie):
    "Each vote as a row, a tie as half a vote for either side: delta, vote, weight with which each pair counts once."
    share = (a + tie / 2) / (a + b + tie)
    return np.r_[delta, delta], np.r_[np.ones(len(a)), np.zeros(len(a))], np.r_[share, 1 - share]


@pytest.mark.parametrize("seed", range(3))
def test_losses_are_sklearns_on_the_votes_written_out(seed):
    delta, a, b, tie, _ = votes(seed=seed)
    x, vote, weight = written_out(delta, a, b, tie)
    lead = (a - b) / (a + b + tie) / 2
    assert s.log_loss(delta, lead).mean() == pytest.approx(
        log_loss(vote, expit(x), sample_weight=weight), abs=1e-12
    )
    assert s.brier(delta, lead).mean() == pytest.approx(
        brier_score_loss(vote, expit(x), sample_weight=weight), abs=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_slope_is_a_logistic_regressions(seed):
    delta, a, b, tie, codes = votes(seed=seed)
    lead = (a - b) / (a + b + tie) / 2
    x, vote, weight = written_out(delta, a, b, tie)
    found = one(s.slope(delta, lead, codes), codes)
    by_sklearn = (
        LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
        .fit(x[:, None], vote, sample_weight=weight)
        .coef_.item()
    )
    by_statsmodels = (
        sm.GLM(vote, x, family=sm.families.Binomial(), freq_weights=weight)
        .fit(tol=1e-12)
        .params.item()
    )
    assert found == pytest.approx(by_sklearn, abs=1e-5) and found == pytest.approx(
        by_statsmodels, abs=1e-9
    )
    counts = np.random.default_rng(seed).integers(0, 4, (1, codes.max() + 1)).astype(float)
    weighted = (
        sm.GLM(
            vote,
            x,
            family=sm.families.Binomial(),
            freq_weights=weight * np.tile(counts[0][codes], 2),
        )
        .fit(tol=1e-12)
        .params.item()
    )
    assert s.slope(delta, lead, codes).values(counts).item() == pytest.approx(weighted, abs=1e-9)


def test_the_slope_finds_its_way_from_awkward_places():
    rng = np.random.default_rng(0)
    delta = rng.standard_cauchy(500)  # a few huge rewards
    lead = rng.choice([-0.5, 0.5], 500, p=[0.3, 0.7]) * np.sign(delta)
    codes = np.arange(500)
    x, vote, weight = (
        np.r_[delta, delta],
        np.r_[np.ones(500), np.zeros(500)],
        np.r_[lead + 0.5, 0.5 - lead],
    )
    assert one(s.slope(delta, lead, codes), codes) == pytest.approx(
        sm.GLM(vote, x, family=sm.families.Binomial(), freq_weights=weight)
        .fit(tol=1e-12, maxiter=500)
        .params.item(),
        rel=1e-6,
    )
    assert one(s.slope(1000 * delta, lead, codes), codes) == pytest.approx(
        one(s.slope(delta, lead, codes), codes) / 1000, rel=1e-9
    )
    assert np.isnan(one(s.slope(delta, np.sign(delta) / 2, codes), codes))


@pytest.mark.parametrize("rounded", [True, False])
def test_strength_is_scipys_on_resamples_written_out(rounded):
    delta, a, b, tie, codes = votes()
    delta = np.round(delta) if rounded else delta
    lead = (a - b) / (a + b + tie) / 2
    for counts in np.random.default_rng(0).integers(0, 4, (3, codes.max() + 1)):
        at = np.repeat(np.arange(len(a)), counts[codes])
        assert s.strength(delta, lead, codes).values(
            counts[None].astype(float)
        ).item() == pytest.approx(
            stats.spearmanr(np.abs(delta[at]), np.abs(lead[at]))[0], abs=1e-12
        )


def test_accuracy_counts_decided_pairs_by_hand():
    delta, lead = np.array([1.0, -1, 0, 2, 1]), np.array([0.5, 0.1, 0.2, 0, -0.3])
    measure = s.accuracy(delta, lead, np.arange(5))
    assert one(measure, np.arange(5)) == (1 + 0 + 0.5 + 0) / 4 and measure.pairs.sum() == 4
    assert np.isnan(one(s.accuracy(delta, lead * 0, np.arange(5)), np.arange(5)))


def test_the_calibration_error_has_no_bias_where_there_is_none():
    "Squares are debiased, so over many samples of a calibrated model they average to nothing; without it they would not."
    rng, squares, raw = np.random.default_rng(0), [], []
    for _ in range(300):
        codes = np.repeat(np.arange(100), 3)
        shared = rng.normal(size=100)[codes]
        wanted = 0.7 * shared + 0.7 * rng.normal(size=300)
        lead = rng.binomial(5, expit(wanted)) / 5 - 0.5
        squares.append(signed_square(wanted, lead, codes))
        raw.append(plain_square(wanted, lead))
    error = np.std(squares) / np.sqrt(300)
    assert abs(np.mean(squares)) < 3 * error and np.mean(raw) > 10 * error


def plain_square(delta, lead, bins=10):
    size = np.abs(delta)
    k = np.searchsorted(np.quantile(size, np.arange(1, bins) / bins), size, side="right")
    gap = np.sign(delta) * lead - np.tanh(size / 2) / 2
    return sum((k == i).mean() * gap[k == i].mean() ** 2 for i in range(bins))


def signed_square(delta, lead, codes, bins=10):
    "What the calibration error is the root of, by plain loops over bins and prompts."
    size = np.abs(delta)
    k = np.searchsorted(np.quantile(size, np.arange(1, bins) / bins), size, side="right")
    gap, out = np.sign(delta) * lead - np.tanh(size / 2) / 2, 0
    for i in range(bins):
        mean, n = gap[k == i].mean(), (k == i).sum()
        sums = np.array(
            [(gap[(k == i) & (codes == g)] - mean).sum() for g in np.unique(codes[k == i])]
        )
        out += n / len(gap) * (mean**2 - (sums**2).sum() / n**2 * len(sums) / (len(sums) - 1))
    found = one(s.calibration_error(delta, lead, codes), codes)
    assert found == pytest.approx(np.sqrt(max(0, out)), abs=1e-9)
    return out


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_turning_some_rows_changes_no_score(data):
    n = data.draw(st.integers(4, 50))

    def draw(values):
        return np.array(data.draw(st.lists(st.sampled_from(values), min_size=n, max_size=n)))

    delta, lead, sign = draw([-4, -1, 0, 1, 2.5]), draw([-0.5, -0.2, 0, 0.1, 0.5]), draw([-1, 1])
    codes = np.unique(draw(list(range(8))), return_inverse=True)[1]
    counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=8, max_size=8)), dtype=float)[
        None, : codes.max() + 1
    ]
    check_that_turning_changes_no_score(delta, lead, sign, codes, counts)


def check_that_turning_changes_no_score(delta, lead, sign, codes, counts):
    def values(name, d, y):
        if name.endswith("share_error"):  # ten votes a pair
            return s.share_error(
                d, np.round(5 + 10 * y), np.round(5 - 10 * y), 0 * y, codes
            ).values(counts)
        return s.score_measure(name, d, tempered(d, y, codes), y, codes).values(counts)

    for name in s.SCORES:
        plain, turned = (
            values(name, d, y) for d, y in [(delta, lead), (delta * sign, lead * sign)]
        )
        np.testing.assert_allclose(plain, turned, atol=1e-9, equal_nan=True, err_msg=name)


def test_votes_that_cancel_have_a_slope_of_zero_from_either_side():
    """In some folds the votes of the other prompts cancel, and rounding makes their slope 0 or
    2e-16. Rewards tempered by 2e-16 would have a slope of -2e15; by 0, they have none."""
    delta = np.full(6, -1.0)
    lead = np.array([-0.2, 0.1, 0.1, 0, 0, 0.1])
    sign = np.array([-1, 1, 1, -1, -1, 1])
    codes = np.array([2, 1, 4, 3, 5, 0])
    counts = np.array([[1.0, 2, 1, 1, 2, 1]])
    check_that_turning_changes_no_score(delta, lead, sign, codes, counts)
    cooled = tempered(delta, lead, codes)
    assert (cooled == 0).all() and np.isnan(s.slope(cooled, lead, codes).values(counts)).all()


def test_a_small_slope_that_is_not_zero_stays():
    lead = np.array([0.1, 0.1, -0.2 + 1e-6])
    found = one(s.slope(np.ones(3), lead, np.arange(3)), np.arange(3))
    assert found == pytest.approx(4 * 1e-6 / 3, rel=1e-6)


def test_tempering_cannot_see_a_prompts_own_votes_and_does_not_turn_a_model_round():
    delta, a, b, tie, codes = votes()
    lead = (a - b) / (a + b + tie) / 2
    mended = tempered(delta, lead, codes)
    for g in range(5):
        other = np.where(codes == g, -lead, lead)
        np.testing.assert_array_equal(tempered(delta, other, codes)[codes == g], mended[codes == g])
    assert (tempered(-delta, lead, codes) == 0).all()
    assert np.isnan(tempered(delta[:4], lead[:4], np.arange(4))).all()


def scored(n=120, seed=0, **columns):
    delta, a, b, tie, codes = votes(n, seed, groups=40)
    return to_comparisons(
        [
            dict(
                prompt=f"p{codes[i]}",
                response_a=f"a{i}",
                response_b=f"b{i}",
                human_a=int(a[i]),
                human_b=int(b[i]),
                human_tie=int(tie[i]),
                quadrant=["plural_alike", "single_distinct"][i % 2],
                reward_a=float(delta[i]),
                reward_b=0.0,
                seen=False,
            )
            for i in range(n)
        ]
    )


def test_the_table_has_one_shape_and_does_not_depend_on_sides(recwarn):
    ds = scored()
    table, turned = s.score_models(ds, n_boot=100), s.score_models(swap_sides(ds), n_boot=100)

    def number(t):
        return t.select_dtypes("number").to_numpy()

    np.testing.assert_allclose(number(table), number(turned), atol=1e-9, equal_nan=True)
    assert (
        set(table.statistic) == {*s.SCORES, *s.VOTES}
        and not table.duplicated(["model", "quadrant", "statistic"]).any()
    )
    of = table.set_index(["model", "quadrant", "statistic"]).value
    for q in ("overall", "plural_alike"):
        assert of["model", q, "brier"] - of["votes", q, "brier"] == pytest.approx(
            of["model", q, "share_error"], abs=1e-12
        )
    assert not recwarn.list


def test_a_model_that_says_nothing_costs_a_coin_throw(recwarn):
    ds = with_columns(scored(), reward_a=np.zeros(120))
    table = s.score_models(ds, by=None, n_boot=50, baselines=False).set_index("statistic")
    table = table[table.model == "model"].value
    assert (
        table.log_loss == pytest.approx(np.log(2))
        and table.brier == 0.25
        and table.accuracy == 0.5
        and table.calibration_error == 0
    )
    assert (
        table[["slope", "strength", "tempered_slope"]].isna().all()
        and table[["tempered_log_loss"]].isna().all()
    )
    assert not recwarn.list


def test_statistics_on_request_and_by_name_only():
    assert set(
        s.score_models(scored(), n_boot=0, statistics=["slope"]).query("model != 'votes'").statistic
    ) == {"slope"}
    with pytest.raises(ContractError, match="some of"):
        s.score_models(scored(), statistics=["mode"])


def test_resamples_are_those_of_the_rows_written_out():
    delta, a, b, tie, codes = votes(60, groups=20)
    lead = (a - b) / (a + b + tie) / 2
    counts = np.random.default_rng(0).integers(0, 3, (1, codes.max() + 1)).astype(float)
    at = np.repeat(np.arange(60), counts[0][codes].astype(int))
    for name in [
        "accuracy",
        "log_loss",
        "brier",
        "slope",
        "strength",
    ]:
        out = s.score_measure(name, delta[at], delta[at], lead[at], np.arange(len(at))).values(
            np.ones((1, len(at)))
        )
        np.testing.assert_allclose(
            s.score_measure(name, delta, delta, lead, codes).values(counts),
            out,
            atol=1e-9,
            err_msg=name,
        )
    assert resample(dict(x=s.accuracy(delta, lead, codes)), codes, 7)["x"].shape == (8,)


@pytest.mark.parametrize("votes", [2, 3, 10])
def test_a_model_that_knows_the_truth_has_no_share_error(votes):
    "The distance from the observed shares, which this was, is .1 at two votes."
    rng = np.random.default_rng(votes)
    side, tied = rng.beta(2, 2, 40_000), rng.beta(1, 4, 40_000)
    tie = rng.binomial(votes, tied)
    a = rng.binomial(votes - tie, side)
    share = (1 - tied) * side + tied / 2
    codes, once = np.arange(40_000), np.ones((1, 40_000))
    cast = a, votes - tie - a, tie, codes
    knower = np.log(share / (1 - share))
    assert s.share_error(knower, *cast).values(once).item() == pytest.approx(0, abs=0.002)
    found = s.share_error(0 * share, *cast).values(once).item()
    assert found == pytest.approx(np.mean((share - 0.5) ** 2), abs=0.002)


def test_split_and_true_lead_do_not_depend_on_the_number_of_votes():
    rng = np.random.default_rng(0)
    share = rng.beta(2, 2, 4000)
    rows = []
    for number, quadrant in ((3, "single_distinct"), (30, "plural_distinct")):
        a = rng.binomial(number, share)
        rows += [
            dict(
                prompt=f"{quadrant} {i}",
                response_a=f"a{i}",
                response_b=f"b{i}",
                human_a=int(a[i]),
                human_b=int(number - a[i]),
                human_tie=0,
                quadrant=quadrant,
                reward_a=0.0,
                reward_b=0.0,
                seen=False,
            )
            for i in range(4000)
        ]
    table = s.score_models(to_comparisons(rows), n_boot=0, statistics=["slope"], baselines=False)
    of = table[table.model == "votes"].set_index(["quadrant", "statistic"]).value
    for quadrant in ("single_distinct", "plural_distinct"):
        assert of[quadrant, "split"] == pytest.approx(2 * 0.2, abs=0.02)
        assert of[quadrant, "true_lead"] == pytest.approx(np.sqrt(0.05), abs=0.02)
        assert of[quadrant, "brier"] == pytest.approx(0.2, abs=0.01)
