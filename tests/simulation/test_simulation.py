"Simulated users vote as their formulas say, and a judge's faults are what its settings say."

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import chi2

from plurality_nb.data.build import validate
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges.collect import ask_both_orders
from plurality_nb.simulation.population import (
    CROWD_MEAN,
    Camp,
    Population,
    opposite_camps,
    taste_features,
    true_shares,
    vote_chances,
)
from plurality_nb.simulation.trials import (
    judge_comparisons,
    simulated_comparisons,
    trial_population,
)
from plurality_nb.simulation.users import (
    PopulationJudge,
    annotate,
    is_simulated,
    judge_shares,
    sample_population,
    simulate_votes,
)
from plurality_nb.votes.audience import split_votes
from plurality_nb.votes.margins import draw_labels
from plurality_nb.votes.shares import people_agreement, votes_of

SETTINGS = {
    "crowd": {},
    "camps": dict(camps=opposite_camps()),
    "minority": dict(camps=opposite_camps(0.1)),
    "three": dict(
        camps=(
            Camp(CROWD_MEAN, 0.5, 0.3),
            Camp((1, 0, 0, -1, 0), 0.3, 0.0),
            Camp((0,) * 5, 0.2, 1.0),
        )
    ),
    "one mind": dict(spread=0),
}
FAULTLESS = dict(fidelity=1, position_bias=0, dispersion=1)


@pytest.fixture(scope="module")
def sample():
    return load_sample().select(range(0, 256, 8))


@pytest.fixture(scope="module", params=[*SETTINGS, "panel", "panel of camps"])
def crowd(request):
    if request.param == "panel":
        return sample_population().panel(40)
    if request.param == "panel of camps":
        return sample_population(camps=opposite_camps(0.3)).panel(25)
    return sample_population(**SETTINGS[request.param])


def assert_close(shares, chances, n, errors=5):
    "Shares of `n` draws are within so many standard errors of chances, and one draw more."
    standard_error = np.sqrt(chances * (1 - chances) / n)
    assert np.all(np.abs(shares - chances) <= errors * standard_error + 1 / n)


def by_order(ds, first="a"):
    second = "ba"[first == "b"]
    return [
        SimpleNamespace(prompt=p, first=x, second=y, votes=4000)
        for p, x, y in zip(ds["prompt"], ds[f"response_{first}"], ds[f"response_{second}"])
    ]


def fits(counts, chances):
    "Chi-square over all pairs together; cells expected less than five times are joined to the largest one."
    total = degrees = 0
    for row, chance in zip(counts, chances):
        observed = row.astype(float).copy()
        expected = row.sum() * chance
        few = expected < 5
        largest = int(expected.argmax())
        observed[largest] += observed[few].sum()
        expected[largest] += expected[few].sum()
        total += ((observed - expected)[~few] ** 2 / expected[~few]).sum()
        degrees += (~few).sum() - 1
    return degrees == 0 or chi2.sf(total, degrees) > 1e-4


# --- true shares


def utilities(ds, crowd, tastes, mood_seed):
    "(pairs, users): how much more each user likes A than B, from the definition."
    quality, features = crowd.gaps(ds)
    moods = np.random.default_rng(mood_seed).normal(size=(len(quality), len(tastes)))
    return crowd.weight * quality[:, None] + features @ tastes.T + crowd.mood * moods


def test_true_shares_against_users_drawn(sample, crowd):
    n = 20_000
    utility = utilities(sample, crowd, crowd.users(n, 3), mood_seed=4)
    shares = np.stack(
        [
            (utility > crowd.threshold).mean(1),
            (utility < -crowd.threshold).mean(1),
            (np.abs(utility) <= crowd.threshold).mean(1),
        ],
        1,
    )
    assert_close(shares, true_shares(sample, crowd), n)


def test_true_shares_of_a_panel_are_the_mean_over_its_users(sample):
    panel = sample_population(camps=opposite_camps(0.3)).panel(12, seed=5)
    q, f = panel.gaps(sample)
    means = [panel.weight * q + f @ np.array(u.mean) for u in panel.camps]
    a = np.mean([ndtr((m - panel.threshold) / panel.mood) for m in means], 0)
    np.testing.assert_allclose(true_shares(sample, panel)[:, 0], a, atol=1e-12)
    alone = [
        true_shares(sample, sample_population(mean=CROWD_MEAN, camps=(Camp(u.mean, 1, 0),)))
        for u in panel.camps
    ]
    np.testing.assert_allclose(true_shares(sample, panel), np.mean(alone, 0), atol=1e-12)


def test_many_users_are_the_crowd(sample):
    for s in ["crowd", "minority"]:
        crowd = sample_population(**SETTINGS[s])
        small, large = (
            true_shares(sample, crowd.panel(n, seed=1)) - true_shares(sample, crowd)
            for n in (30, 3000)
        )
        small_rms, large_rms = np.sqrt(np.mean(small**2)), np.sqrt(np.mean(large**2))
        assert large_rms < 0.02 and large_rms < small_rms / 3


def test_a_mixture_of_equal_camps_is_one_camp(sample):
    crowd = sample_population()
    one = sample_population(camps=(Camp(CROWD_MEAN, 1, crowd.spread),))
    two = sample_population(
        camps=(Camp(CROWD_MEAN, 0.3, crowd.spread), Camp(CROWD_MEAN, 0.7, crowd.spread))
    )
    for other in (one, two):
        np.testing.assert_allclose(
            true_shares(sample, other), true_shares(sample, crowd), atol=1e-12
        )
        np.testing.assert_allclose(
            other.moments(*columns(sample)), crowd.moments(*columns(sample)), atol=1e-12
        )
    assert simulate_votes(sample, one).to_dict() == simulate_votes(sample, crowd).to_dict()
    np.testing.assert_array_equal(
        PopulationJudge(one).ask(by_order(sample)), PopulationJudge(crowd).ask(by_order(sample))
    )


def columns(ds):
    return ds["prompt"], ds["response_a"], ds["response_b"]


def test_moments_are_those_of_the_users(sample, crowd):
    n = 40_000
    utility = utilities(sample, crowd, crowd.users(n, 6), mood_seed=7)
    mean, sd = crowd.moments(*columns(sample))
    assert np.all(np.abs(utility.mean(1) - mean) < 5 * sd / np.sqrt(n))
    np.testing.assert_allclose(utility.std(1), sd, rtol=0.05)


def test_swapping_the_sides_swaps_everything(sample, crowd):
    swapped = swap_sides(sample)
    turn = [1, 0, 2]
    np.testing.assert_allclose(
        true_shares(swapped, crowd)[:, turn], true_shares(sample, crowd), atol=1e-12
    )
    judge = PopulationJudge(crowd, fidelity=0.6, position_bias=0.3, noise=0.2)
    for order, other in ["ab", "ba", ("both", "both")]:
        np.testing.assert_allclose(
            judge_shares(swapped, judge, order)[:, turn],
            judge_shares(sample, judge, other),
            atol=1e-12,
        )
    voted = swap_sides(simulate_votes(sample, crowd, n=7))
    np.testing.assert_allclose(
        np.stack([voted[f"true_{o}"][:] for o in ("a", "b", "tie")], 1),
        true_shares(swapped, crowd),
        atol=1e-6,
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-4, 4), st.floats(0, 3), st.floats(0.01, 1)), min_size=1, max_size=5
    ),
    st.floats(0, 2),
)
def test_chances_are_chances(camps, threshold):
    mean, sd, weight = np.array(camps).T
    weight = weight / weight.sum()
    p, turned = (
        vote_chances(mean[None], sd[None], weight, threshold)[0],
        vote_chances(-mean[None], sd[None], weight, threshold)[0],
    )
    assert np.all(p >= 0) and p.sum() == pytest.approx(1)
    np.testing.assert_allclose(p, turned[[1, 0, 2]], atol=1e-12)


def test_one_user_without_moods_always_says_the_same(sample):
    user = sample_population(mood=0).panel(1)
    shares = true_shares(sample, user)
    assert set(np.unique(shares)) <= {0, 1}
    votes = np.stack(votes_of(simulate_votes(sample, user, n=1)), 1)
    np.testing.assert_array_equal(votes, shares)
    for other in (1, 2):
        assert annotate(sample, user, seed=other)["label"][:] == list(shares @ [1, 0, 0.5])
    spreadless = sample_population(mood=0, spread=0)
    assert set(np.unique(true_shares(sample, spreadless))) <= {0, 1}


# --- votes and labels


def repeated(ds, n):
    "Each row so many times, in turn."
    return ds.select(np.tile(np.arange(len(ds)), n))


def test_votes_follow_the_true_shares(sample, crowd):
    if not crowd.counted:
        counts = np.stack(votes_of(simulate_votes(sample, crowd, 4000)), 1)
        assert fits(counts, true_shares(sample, crowd))
        return
    # Everyone in a panel votes once: over the moods, the mean of the votes is the panel's share.
    n, size = 200, len(crowd.camps)
    counts = np.stack(votes_of(simulate_votes(repeated(sample, n), crowd, size)), 1)
    shares = counts.reshape(n, len(sample), 3).mean(0) / size
    assert_close(shares, true_shares(sample, crowd), n * size)


@pytest.mark.slow
def test_labels_have_the_right_expectation(sample, crowd):
    n = 500
    labels = np.array(annotate(repeated(sample, n), crowd)["label"][:]).reshape(n, -1)
    shares = np.stack([(labels == label).mean(0) for label in (1, 0, 0.5)], 1)
    assert_close(shares, true_shares(sample, crowd), n)


def test_seeds_reproduce(sample, crowd):
    for f in (
        lambda s: simulate_votes(sample, crowd, 5, s, ballots=True),
        lambda s: annotate(sample, crowd, s),
    ):
        assert f(1).to_dict() == f(1).to_dict()
    assert (
        simulate_votes(sample, crowd, 5, 1).to_dict()
        != simulate_votes(sample, crowd, 5, 2).to_dict()
    )
    assert crowd.panel(5, 1) == crowd.panel(5, 1)
    np.testing.assert_array_equal(crowd.users(5, 1), crowd.users(5, 1))


def test_users_of_a_panel_are_persistent():
    "Without moods, a panel's user says of every pair what her tastes say, in votes and in labels alike."
    ds = simulated_comparisons(60)
    panel = trial_population(mood=0).panel(6)
    utility = utilities(ds, panel, panel.mixture().mean, mood_seed=0)
    outcomes = np.full(utility.shape, "tie", dtype=object)
    outcomes[utility > panel.threshold] = "a"
    outcomes[utility < -panel.threshold] = "b"
    for row, ballots in enumerate(simulate_votes(ds, panel, 4, ballots=True)["ballots"]):
        users = [int(b["annotator"].split()[1]) for b in ballots]
        assert len(set(users)) == 4
        assert [b["vote"] for b in ballots] == list(outcomes[row, users])
    labelled = annotate(ds, panel)
    for row, (user, label) in enumerate(zip(labelled["annotator"], labelled["label"])):
        assert outcomes[row, int(user.split()[1])] == {1: "a", 0: "b", 0.5: "tie"}[label]
    assert set(np.unique(labelled["annotator"][:], return_counts=True)[1]) == {20}
    assert len(set(annotate(ds, trial_population())["annotator"])) == len(ds)


def test_panels_agree_less_than_one_mind(sample):
    def agree(crowd, n):
        return people_agreement(*votes_of(simulate_votes(sample, crowd, n)))["pairwise"]

    assert agree(sample_population(mood=0, spread=0), 10) == 1
    assert agree(sample_population(camps=opposite_camps()), 10) < agree(
        sample_population(camps=opposite_camps(0.05)), 10
    )


def test_ballots_are_the_votes_and_name_the_camps(sample):
    crowd = sample_population(camps=opposite_camps(0.25))
    voted = simulate_votes(sample, crowd, 40, ballots=True)
    plain = simulate_votes(sample, crowd, 40)
    for outcome in ("a", "b", "tie"):
        counts = voted[f"human_{outcome}"][:]
        assert counts == plain[f"human_{outcome}"][:]
        assert counts == [sum(b["vote"] == outcome for b in row) for row in voted["ballots"]]
    assert validate(voted)["ballots"][:] == voted["ballots"][:]
    parts = split_votes(voted, "camp")
    assert list(parts) == ["majority", "minority"]
    minority = sum(np.nansum(v) for v in votes_of(parts["minority"])) / (40 * len(sample))
    assert_close(np.array([minority]), np.array([0.25]), 40 * len(sample))
    alone = true_shares(sample, sample_population(camps=(Camp(crowd.camps[1].mean, 1, 0.2),)))
    counts = np.stack(votes_of(parts["minority"]), 1)
    assert fits(counts, alone)


def test_everything_says_that_it_is_simulated(sample):
    assert not is_simulated(sample)
    crowd = sample_population()
    for ds in (
        simulate_votes(sample, crowd),
        annotate(sample, crowd),
        simulate_votes(annotate(sample, crowd), crowd),
    ):
        assert set(ds["source"]) == {"simulated:sample"}
    assert set(simulate_votes(simulated_comparisons(3), trial_population())["source"]) == {
        "simulated"
    }


# --- judges


def test_a_judge_without_faults_votes_as_the_people(sample, crowd):
    judge = PopulationJudge(crowd, **FAULTLESS)
    np.testing.assert_allclose(judge_shares(sample, judge), true_shares(sample, crowd), atol=1e-12)
    assert fits(judge.ask(by_order(sample))[:, :3], true_shares(sample, crowd))
    assert fits(judge.ask(by_order(sample, "b"))[:, [1, 0, 2]], true_shares(sample, crowd))


@pytest.mark.parametrize(
    "knobs",
    [
        dict(fidelity=0.5),
        dict(fidelity=0),
        dict(position_bias=0.6),
        dict(dispersion=0.4),
        dict(noise=0.7),
        dict(fidelity=0.3, position_bias=-0.2, dispersion=1.5, noise=0.2),
    ],
    ids=str,
)
def test_answers_follow_the_closed_form(sample, crowd, knobs):
    judge = PopulationJudge(crowd, **FAULTLESS | knobs, seed=3)
    assert fits(judge.ask(by_order(sample))[:, :3], judge_shares(sample, judge, "a"))
    assert fits(judge.ask(by_order(sample, "b"))[:, [1, 0, 2]], judge_shares(sample, judge, "b"))


def test_position_bias_and_noise_by_hand(sample):
    crowd = sample_population()
    m, sd = crowd.moments(*columns(sample))
    p = judge_shares(
        sample,
        PopulationJudge(crowd, fidelity=1, position_bias=0.4, dispersion=0.5, noise=0.3),
        "a",
    )
    v = np.sqrt((0.5 * sd) ** 2 + 0.3**2)
    np.testing.assert_allclose(p[:, 0], ndtr((m + 0.4 - crowd.threshold) / v), atol=1e-12)
    np.testing.assert_allclose(p[:, 1], ndtr((-m - 0.4 - crowd.threshold) / v), atol=1e-12)
    q = judge_shares(
        sample,
        PopulationJudge(crowd, fidelity=1, position_bias=0.4, dispersion=0.5, noise=0.3),
        "b",
    )
    np.testing.assert_allclose(q[:, 1], ndtr((-m + 0.4 - crowd.threshold) / v), atol=1e-12)


def test_more_position_bias_more_votes_for_the_first(sample, crowd):
    def first_rate(bias):
        a, b = (judge_shares(sample, PopulationJudge(crowd, 0.8, bias), o) for o in "ab")
        first, second = a[:, 0].sum() + b[:, 1].sum(), a[:, 1].sum() + b[:, 0].sum()
        return first / (first + second)

    rates = [first_rate(x) for x in (-0.5, 0, 0.5, 1)]
    assert np.all(np.diff(rates) > 0) and rates[1] == pytest.approx(0.5)


def test_fidelity_is_the_correlation_with_the_users_mean():
    "Over pairs whose mean differences vary by 1, as misjudgements do."
    ids = [f"{k:016x}" for k in range(20_000)]
    crowd = Population(camps=opposite_camps(0.1))
    mean = np.random.default_rng(0).normal(size=(len(ids), 1)) + np.array([[0.0, 0.0]])
    for fidelity in (0, 0.5, 0.8, 1):
        judge = PopulationJudge(crowd, fidelity, 0)
        error, turned = judge.misjudgements(ids, ["x"] * len(ids), ["y"] * len(ids))
        view = judge.views(mean, np.ones_like(mean), error, turned)[0][:, 0]
        assert np.corrcoef(view, mean[:, 0])[0, 1] == pytest.approx(
            fidelity, abs=5 / np.sqrt(len(ids))
        )
        assert_close(np.array([np.mean(turned < 0)]), np.array([(1 - fidelity) / 2]), len(ids))


def test_without_fidelity_the_direction_is_independent_of_people():
    "Even where camps are skewed. Over judges, its lead on every pair is zero on average; with fidelity it is not."
    ds = simulated_comparisons(15, population=trial_population(camps=skewed()))

    def leads(fidelity, n=200):
        crowd = trial_population(camps=skewed())
        x = np.array(
            [
                judge_shares(ds, PopulationJudge(crowd, fidelity, 0, 1, seed=k)) @ [1, -1, 0]
                for k in range(n)
            ]
        )
        return x.mean(0) / (x.std(0) / np.sqrt(n))

    assert np.abs(leads(0)).max() < 5
    assert np.abs(leads(0.9)).max() > 10


def skewed():
    return Camp((0.3, -0.3, 0.2), 0.85, 0.1, "many"), Camp((-1.7, 1.7, -1.1), 0.15, 0.1, "few")


def test_without_dispersion_the_judge_is_of_one_mind(sample, crowd):
    judge = PopulationJudge(crowd, dispersion=0)
    assert set(np.unique(judge_shares(sample, judge, "a").round(12))) <= {0, 1}
    votes = judge.ask(by_order(sample))
    assert np.all(votes[:, :3].max(1) == 4000)
    np.testing.assert_allclose(votes[:, :3] / 4000, judge_shares(sample, judge, "a"), atol=1e-12)


def test_the_whole_road_collects_what_the_closed_form_says(sample):
    judge = PopulationJudge(sample_population(camps=opposite_camps(0.2)))
    votes = ask_both_orders(sample, judge, n_votes=2000, progress=False).votes
    assert fits(votes[:, 0, :3], judge_shares(sample, judge, "a"))
    assert fits(votes[:, 1, :3][:, [0, 1, 2]], judge_shares(sample, judge, "b"))


# --- comparisons without texts


def test_rows_of_a_trial_are_comparisons():
    ds = simulated_comparisons(20, 3)
    assert len(ds) == 60 and len(set(ds["group"])) == 20 and len(set(ds["pair_id"])) == 60
    assert validate(ds)["pair_id"][:] == ds["pair_id"][:]
    assert is_simulated(ds) and np.array(ds["features_a"][:]).shape == (60, 7)
    assert simulated_comparisons(20, 3).to_dict() == ds.to_dict()
    assert not set(simulated_comparisons(20, 3, seed=1)["group"]) & set(ds["group"])
    np.testing.assert_allclose(
        true_shares(ds, trial_population()),
        np.stack([ds[f"true_{o}"][:] for o in ("a", "b", "tie")], 1),
        atol=1e-9,
    )


def test_a_trial_has_the_quadrants_and_differences_that_were_asked_for():
    ds = simulated_comparisons(
        4000, 1, plural=0.25, alike=0.75, variety=0, minor=0.5, alike_scale=0.1
    )
    q, f = trial_population().gaps(ds)
    quadrant = np.array(ds["quadrant"][:])
    assert_close(
        np.array(
            [np.mean(["plural" in x for x in quadrant]), np.mean(["alike" in x for x in quadrant])]
        ),
        np.array([0.25, 0.75]),
        4000,
    )

    def size(name):
        rows = quadrant == name
        return np.array([np.abs(q[rows]).mean(), np.sqrt((f[rows] ** 2).sum(1).mean())])

    np.testing.assert_allclose(size("single_alike"), size("single_distinct") * 0.1, rtol=0.1)
    np.testing.assert_allclose(
        size("plural_distinct") / size("single_distinct"), [0.5, 2], rtol=0.1
    )
    np.testing.assert_allclose(size("plural_distinct")[1], np.sqrt(2), rtol=0.1)


def test_a_blind_reward_model_sees_what_users_see():
    exact, blurred = simulated_comparisons(50, blur=0), simulated_comparisons(500, blur=0.3)
    for s in "ab":
        np.testing.assert_allclose(
            np.array(exact[f"features_{s}"][:]),
            np.c_[exact[f"quality_{s}"][:], np.array(exact[f"tastes_{s}"][:])],
        )
        off = np.array(blurred[f"features_{s}"][:])[:, 1:] - np.array(blurred[f"tastes_{s}"][:])
        assert off.std() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    "population",
    [trial_population(), trial_population(camps=skewed()), trial_population().panel(20)],
    ids=["crowd", "camps", "panel"],
)
def test_judges_of_trials_answer_by_columns_as_by_texts(population):
    ds = simulated_comparisons(12, population=population)
    knowing = population.knowing(ds)
    judge = PopulationJudge(population, 0.6)
    np.testing.assert_allclose(
        true_shares(ds.remove_columns(["tastes_a", "tastes_b"]), knowing),
        true_shares(ds, population),
        atol=1e-12,
    )
    answers = PopulationJudge(knowing, 0.6).ask(by_order(ds))[:, :3]
    assert fits(answers, judge_shares(ds, judge, "a"))
    assert fits(
        np.stack(votes_of(judge_comparisons(ds, judge, 4000), "judge"), 1), judge_shares(ds, judge)
    )
    np.testing.assert_allclose(
        np.stack(votes_of(judge_comparisons(ds, judge, None), "judge"), 1),
        judge_shares(ds, judge),
        atol=1e-6,
    )
    assert set(draw_labels(judge_comparisons(ds, judge))["label"]) <= {0, 0.5, 1}


def test_swapping_a_trial_swaps_all_its_columns():
    ds = simulated_comparisons(10)
    swapped = swap_sides(ds)
    for c in ("quality", "tastes", "features", "true"):
        assert swapped[f"{c}_a"][:] == ds[f"{c}_b"][:]
    population = trial_population()
    np.testing.assert_allclose(
        judge_shares(swapped, PopulationJudge(population))[:, [1, 0, 2]],
        judge_shares(ds, PopulationJudge(population)),
        atol=1e-12,
    )


# --- errors


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: Population(camps=(Camp(CROWD_MEAN, 0.5), Camp(CROWD_MEAN, 0.4))),
            "`weight`: want weights of the camps that sum to 1, got 0.9",
        ),
        (
            lambda: Population(camps=(Camp(CROWD_MEAN, 1.5), Camp(CROWD_MEAN, -0.5))),
            r"`weight`: want a number in \[0, 1\], got 1.5",
        ),
        (
            lambda: Population(camps=(Camp(CROWD_MEAN, 1, -1),)),
            "`spread`: want a number >= 0, got -1",
        ),
        (
            lambda: Population(camps=(Camp(CROWD_MEAN, 0.5), Camp((1, 2), 0.5))),
            "`mean`: want as many tastes in each camp",
        ),
        (
            lambda: Population(camps=opposite_camps(), mean=(0,) * 5),
            "`camps`: want either camps, or `mean` and `spread`",
        ),
        (lambda: Population(spread=-0.1), "`spread`: want a number >= 0, got -0.1"),
        (lambda: Population(mood=float("nan")), "`mood`: want a number >= 0, got nan"),
        (lambda: Population(threshold=-1), "`threshold`: want a number >= 0, got -1"),
        (lambda: Population().panel(0), "`n`: want a number >= 1, got 0"),
        (
            lambda: simulate_votes(load_sample(), sample_population().panel(5), n=6),
            "`n`: want at most the 5 users of the panel, got 6. Ask fewer",
        ),
        (
            lambda: simulate_votes(load_sample(), sample_population(), n=0),
            "`n`: want at least one vote a pair, got 0",
        ),
        (
            lambda: PopulationJudge(Population(), fidelity=1.1),
            r"`fidelity`: want a number in \[0, 1\], got 1.1",
        ),
        (
            lambda: PopulationJudge(Population(), dispersion=-1),
            "`dispersion`: want a number >= 0, got -1",
        ),
        (lambda: PopulationJudge(Population(), noise=-1), "`noise`: want a number >= 0, got -1"),
        (
            lambda: judge_shares(load_sample(), PopulationJudge(Population()), "c"),
            "`order`: want one of",
        ),
        (lambda: simulated_comparisons(0), "`n_prompts`: want a number >= 1, got 0"),
        (lambda: simulated_comparisons(blur=-1), "`blur`: want a number >= 0, got -1"),
        (lambda: simulated_comparisons(alike=1.2), r"`alike`: want a number in \[0, 1\], got 1.2"),
        (
            lambda: judge_comparisons(
                simulated_comparisons(2), PopulationJudge(trial_population()), 5
            ),
            "`n_votes`: want an even number",
        ),
        (
            lambda: true_shares(simulated_comparisons(2), sample_population()),
            "`mean`: want one number for each of the 6 features",
        ),
        (
            lambda: PopulationJudge(trial_population()).ask(by_order(simulated_comparisons(2))),
            "`response`: want a text with a meaning",
        ),
    ],
)
def test_bad_settings_say_what_is_wanted(make, message):
    with pytest.raises(ContractError, match=message):
        make()


def test_features_are_kept_and_cannot_be_changed_by_accident():
    with pytest.raises(ValueError):
        taste_features("Some words.")[0] = 1
