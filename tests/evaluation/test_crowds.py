"Predictions of divided and tied pairs and of three outcomes: truth is recovered, which response is A must not matter."

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import entr
from sklearn.metrics import roc_auc_score

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.errors import ContractError
from plurality_nb.evaluation import crowds as c
from plurality_nb.evaluation.ceilings import fit_votes


def once(measure, pairs):
    return measure.values(np.ones((1, pairs))).item()


def outcomes_of_crowds(pairs, rng):
    "True shares: divided pairs, indifferent ones, and agreed ones."
    tie = rng.beta(1, 3, pairs)
    side = rng.beta(0.7, 0.7, pairs)
    return np.stack([(1 - tie) * side, (1 - tie) * (1 - side), tie], 1)


def scored_pairs(votes, delta, outcomes=None):
    rows = [
        dict(
            prompt=[dict(role="user", content=f"prompt {k}")],
            response_a=f"a{k}",
            response_b=f"b{k}",
            human_a=int(a),
            human_b=int(b),
            human_tie=int(tie),
            reward_a=float(delta[k]),
            reward_b=0.0,
        )
        for k, (a, b, tie) in enumerate(votes)
    ]
    ds = to_comparisons(rows)
    if outcomes is None:
        return ds
    names = ["prob_a", "prob_b", "prob_tie"]
    return with_columns(ds, **dict(zip(names, np.array(outcomes).T)))


def values_of(models, **options):
    table = c.score_crowds(models, by=None, n_boot=0, baselines=False, **options)
    return table.set_index(["model", "statistic"]).value


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_a_model_that_knows_the_truth_is_not_charged(n):
    rng = np.random.default_rng(n)
    truth = outcomes_of_crowds(20_000, rng)
    votes = rng.multinomial(n, truth)
    codes = np.arange(len(truth))
    assert abs(once(c.crowd_error(truth, *votes.T, codes), len(truth))) < 0.006
    assert abs(once(c.crowd_distance(truth, *votes.T, codes), len(truth))) < 0.004
    raw = ((truth - votes / n) ** 2).sum(1).mean()
    assert raw > 0.4 / n  # what is not corrected is mostly the votes' noise


def test_the_error_of_a_wrong_model_is_its_distance_from_the_truth():
    rng = np.random.default_rng(0)
    truth = outcomes_of_crowds(20_000, rng)
    wrong = np.full((20_000, 3), 1 / 3)
    votes = rng.multinomial(rng.integers(1, 6, 20_000), truth)  # some pairs have one vote
    error = once(c.crowd_error(wrong, *votes.T, np.arange(20_000)), 20_000)
    assert error == pytest.approx(((wrong - truth) ** 2).sum(1).mean(), abs=0.01)


def test_the_distance_tends_to_the_true_one():
    rng = np.random.default_rng(0)
    truth = outcomes_of_crowds(5000, rng)
    wrong = np.full((5000, 3), 1 / 3)
    true_distance = np.abs(wrong - truth).sum(1).mean() / 2
    found = []
    for n in (5, 50, 5000):
        votes = rng.multinomial(n, truth)
        found.append(once(c.crowd_distance(wrong, *votes.T, np.arange(5000)), 5000))
    assert found[0] < found[1] < found[2]
    assert found[2] == pytest.approx(true_distance, abs=0.01)


@pytest.mark.parametrize("n", [2, 5, 20])
def test_the_log_loss_of_the_truth_is_its_entropy_and_that_of_others_is_more(n):
    rng = np.random.default_rng(n)
    truth = outcomes_of_crowds(20_000, rng)
    votes, codes = rng.multinomial(n, truth), np.arange(20_000)
    entropy = entr(truth).sum(1).mean()
    found = once(c.crowd_log_loss(truth, *votes.T, codes), 20_000)
    assert found == pytest.approx(entropy, abs=0.01)
    constant = np.tile(truth.mean(0), (20_000, 1))
    wrong = once(c.crowd_log_loss(constant, *votes.T, codes), 20_000)
    divergence = (truth * np.log(truth / constant)).sum(1).mean()
    assert wrong == pytest.approx(entropy + divergence, abs=0.01)
    # few votes leave an entropy open, and the mixture's is within what they leave
    assert c.known_crowd_log_loss(fit_votes(*votes.T)) == pytest.approx(entropy, abs=0.05)


def test_a_vote_that_was_ruled_out_has_a_finite_loss():
    ruled_out = np.array([[1.0, 0.0, 0.0]])
    loss = c.crowd_log_loss(ruled_out, *np.eye(3)[:, 1:2], np.zeros(1, dtype=int))
    assert once(loss, 1) == pytest.approx(87.3, abs=0.1)


def test_tie_rates_that_are_right_on_average_alone():
    rng = np.random.default_rng(1)
    truth = outcomes_of_crowds(20_000, rng)
    votes, codes = rng.multinomial(5, truth), np.arange(20_000)
    swapped = truth.copy()
    swapped[:, 2] = truth[:, 2].mean() + 0.5 * (truth[:, 2].mean() - truth[:, 2])
    swapped[:, :2] *= ((1 - swapped[:, 2]) / (1 - truth[:, 2]))[:, None]
    shifted = 0.9 * truth + np.array([0, 0, 0.1])
    expected = {"truth": (0, 0), "swapped": (0, 1.5 * truth[:, 2].std())}
    expected["shifted"] = (0.1 * (1 - truth[:, 2]).mean(),) * 2
    for name, predicted in dict(truth=truth, swapped=swapped, shifted=shifted).items():
        mean, error = expected[name]
        cast = (predicted, *votes.T, codes)
        assert once(c.tie_calibration(*cast), 20_000) == pytest.approx(mean, abs=0.006)
        assert once(c.tie_calibration_error(*cast), 20_000) == pytest.approx(error, abs=0.015)


def test_scalar_models_are_scored_with_their_cross_fitted_ties():
    rng = np.random.default_rng(2)
    delta = rng.normal(size=3000) * 2
    truth = c.rao_kupper(delta, 0.6)
    votes = rng.multinomial(5, truth)
    values = values_of(
        {"scalar": scored_pairs(votes, 9 * delta), "truth": scored_pairs(votes, delta, truth)}
    )
    assert abs(values["scalar", "crowd_log_loss"] - values["truth", "crowd_log_loss"]) < 0.002
    assert abs(values["scalar", "tie_calibration"]) < 0.005
    assert values["scalar", "tie_calibration_error"] < 0.02
    floor = values["noise ceiling", "crowd_log_loss"]
    assert floor == pytest.approx(values["truth", "crowd_log_loss"], abs=0.03)
    single = scored_pairs(rng.multinomial(1, truth[:40]), delta[:40])
    assert np.isnan(values_of(single)["noise ceiling", "crowd_log_loss"])


def test_auroc_is_that_of_sklearn_on_any_resample():
    rng = np.random.default_rng(0)
    codes = np.unique(rng.integers(0, 60, 200), return_inverse=True)[1]
    label = rng.choice([0.0, 1.0, np.nan], 200)
    score = np.round(rng.normal(size=200) + np.nan_to_num(label), 1)
    counts = rng.multinomial(60, np.full(codes.max() + 1, 1 / (codes.max() + 1)), 3).astype(float)
    kept = ~np.isnan(label)
    expected = [
        roc_auc_score(label[kept], score[kept], sample_weight=row[codes[kept]]) for row in counts
    ]
    assert c.auroc(score, label, codes).values(counts) == pytest.approx(expected)


def test_the_threshold_and_the_slope_have_the_right_gradient():
    rng = np.random.default_rng(0)
    x, shares = rng.normal(size=50), rng.dirichlet([1, 1, 1], 50)

    def cost(parameters):
        return c._tie_cost(parameters, x, shares)[0]

    def gradient(parameters):
        return c._tie_cost(parameters, x, shares)[1]

    for point in ([1.0, 0.5], [0.1, 2.0], [3.0, 0.1]):
        assert check_grad(cost, gradient, point) < 1e-5


@pytest.mark.parametrize("threshold", [0.0, 0.3, 2.0])
def test_ties_are_fitted_on_other_prompts(threshold):
    rng = np.random.default_rng(1)
    delta = rng.normal(size=6000) * 2
    truth = c.rao_kupper(delta, threshold)
    votes = rng.multinomial(3, truth)
    codes = np.arange(6000)
    predicted = c.cross_fitted_outcomes(5 * delta, *votes.T, codes)
    assert predicted == pytest.approx(truth, abs=0.03)
    changed = votes.copy()
    changed[0] = changed[0][[1, 0, 2]]
    changed_first = c.cross_fitted_outcomes(5 * delta, *changed.T, codes)[0]
    assert changed_first == pytest.approx(predicted[0], abs=1e-9)


def test_which_response_is_a_does_not_matter():
    rng = np.random.default_rng(2)
    truth = outcomes_of_crowds(200, rng)
    votes = rng.multinomial(5, truth)
    delta = np.log(truth[:, 0] / truth[:, 1]) + rng.normal(size=200)
    plain, crowd = scored_pairs(votes, delta), scored_pairs(votes, delta, truth)
    first = values_of({"plain": plain, "crowd": crowd})
    swapped = swap_sides(plain)
    again = values_of({"plain": swapped, "crowd": crowd})
    assert first.to_numpy() == pytest.approx(again.to_numpy(), abs=1e-6)


def test_a_crowd_tells_indifferent_pairs_from_divided_ones_and_a_preference_does_not():
    rng = np.random.default_rng(3)
    tie = rng.choice([0.05, 0.9], 600)
    truth = np.stack([(1 - tie) / 2, (1 - tie) / 2, tie], 1)
    votes = rng.multinomial(7, truth)
    delta = rng.normal(size=600)
    values = values_of(
        {"plain": scored_pairs(votes, delta), "crowd": scored_pairs(votes, delta, truth)}
    )
    label = c.tie_label(*votes.T)
    kept = ~np.isnan(label)
    assert values["crowd", "tied_auroc"] == pytest.approx(
        roc_auc_score(label[kept], truth[kept, 2])
    )
    assert values["crowd", "tied_auroc"] > 0.95
    assert abs(values["plain", "tied_auroc"] - 0.5) < 0.1
    assert values["plain", "crowd_error"] > values["crowd", "crowd_error"] + 0.1


@pytest.mark.parametrize("n", [5, 20])
def test_the_ceiling_is_near_what_the_truth_reaches(n):
    rng = np.random.default_rng(4)
    truth = outcomes_of_crowds(4000, rng)
    votes = rng.multinomial(n, truth)
    side = truth[:, :2].min(1) / truth[:, :2].sum(1)
    reached = [
        once(c.auroc(side, c.division_label(*votes.T[:2]), np.arange(4000)), 4000),
        once(c.auroc(truth[:, 2], c.tie_label(*votes.T), np.arange(4000)), 4000),
    ]
    known = c.known_aurocs(fit_votes(*votes.T), votes.sum(1))
    assert known == pytest.approx(reached, abs=0.03)


def votes_alike(outcome, pairs=40, n=3):
    votes = np.zeros((pairs, 3), dtype=int)
    votes[:, outcome] = n
    return votes


@pytest.mark.parametrize("outcome", [0, 2], ids=["no ties", "all ties"])
def test_votes_that_are_all_alike(outcome):
    delta = 1 + np.random.default_rng(0).normal(size=40) ** 2
    values = values_of(scored_pairs(votes_alike(outcome), delta))
    assert np.isnan(values["model", "divided_auroc"])
    assert np.isnan(values["model", "tied_auroc"])
    assert values["model", "crowd_error"] == pytest.approx(0, abs=0.05)
    assert values["model", "crowd_distance"] == pytest.approx(0, abs=0.05)


def test_one_prompt_and_one_vote_are_undefined():
    lone = values_of(scored_pairs(np.array([[2, 1, 0]]), np.ones(1)))
    assert lone.isna().all()
    single = values_of(scored_pairs(votes_alike(0, n=1), np.ones(40)))
    defined = single.dropna().index.get_level_values("statistic")
    assert set(defined) == {"crowd_log_loss", "tie_calibration", "tie_calibration_error"}
    assert np.isnan(single["noise ceiling", "crowd_log_loss"])


def test_equal_rewards_rank_nothing():
    rng = np.random.default_rng(5)
    votes = rng.multinomial(5, outcomes_of_crowds(300, rng))
    values = values_of(scored_pairs(votes, np.zeros(300)))
    assert values["model", "divided_auroc"] == 0.5
    assert values["model", "tied_auroc"] == 0.5
    assert values["model", "crowd_error"] > 0.05


def test_fractional_votes_have_no_noise_of_their_own():
    rng = np.random.default_rng(6)
    truth = outcomes_of_crowds(2000, rng)
    votes = rng.multinomial(4, truth).astype(float)
    codes = np.arange(2000)
    whole = once(c.crowd_error(truth, *votes.T, codes), 2000)
    votes[0] = [1.5, 1.5, 1.0]  # one such row changes the others by nothing
    assert once(c.crowd_error(truth, *votes.T, codes), 2000) == pytest.approx(whole, abs=2e-3)
    fractions = 4 * truth
    assert np.isnan(once(c.crowd_error(truth, *fractions.T, codes), 2000))
    assert np.isnan(once(c.crowd_distance(truth, *fractions.T, codes), 2000))


def test_intervals_and_slices():
    rng = np.random.default_rng(7)
    truth = outcomes_of_crowds(120, rng)
    votes = rng.multinomial(5, truth)
    delta = np.log(truth[:, 0] / truth[:, 1])
    table = c.score_crowds(scored_pairs(votes, delta), by=None, n_boot=200, baselines=False)
    of_model = table[table.model == "model"]
    assert (of_model.low <= of_model.value).all()
    assert (of_model.value < of_model.high).all()
    assert (of_model.low < of_model.value)[of_model.statistic != "tie_calibration_error"].all()
    assert (of_model[of_model.statistic.str.startswith("crowd")].n == 120).all()
    error = of_model[of_model.statistic == "tie_calibration_error"].iloc[0]
    assert error.low >= 0
    assert table[table.model == "noise ceiling"].low.isna().all()


def test_predictions_that_are_no_probabilities_are_refused():
    votes = votes_alike(0, 10)
    with pytest.raises(ContractError, match="prob_a"):
        values_of(scored_pairs(votes, np.ones(10), np.full((10, 3), 0.5)))
    some = np.full((10, 3), 1 / 3)
    some[0] = np.nan
    with pytest.raises(ContractError, match="1 of 10"):
        values_of(scored_pairs(votes, np.ones(10), some))


def test_a_perfect_preference_is_finite():
    delta = np.where(np.arange(60) % 2, 9.0, -9.0)
    votes = np.where((delta > 0)[:, None], [5, 0, 0], [0, 5, 0])
    predicted = c.cross_fitted_outcomes(delta, *votes.T, np.arange(60))
    assert predicted == pytest.approx(votes / 5, abs=1e-3)
