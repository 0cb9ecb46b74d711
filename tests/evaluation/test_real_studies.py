"What the scripts of the studies with real people and judges compute, where the answer is known."

import json
import os
import sys
from argparse import Namespace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from plurality_nb.evaluation.bootstrap import resample
from plurality_nb.evaluation.tables import rows_that_count
from plurality_nb.simulation.trials import simulated_comparisons, trial_population
from plurality_nb.simulation.users import simulate_votes
from plurality_nb.votes.shares import vote_split

SCRIPTS = Path(__file__).parents[1] / "benchmarks"
RESULTS = SCRIPTS / "results"
DATA = Path(os.environ.get("PLURALITY_DATA", Path(__file__).parents[3] / "shared" / "data"))
NAMES = ("crowds", "real_quadrants", "real_judges")


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        yield Namespace(**{name: __import__(name) for name in NAMES})
    for name in NAMES:
        sys.modules.pop(name, None)


def value_of(measure, codes):
    return resample({"": measure}, codes, 0)[""][0]


# -- juries


@pytest.mark.parametrize("a, b, tie, k", [(3, 2, 1, 2), (2, 2, 2, 3), (5, 0, 0, 4), (1, 4, 2, 7)])
def test_chances_of_a_jury_are_those_of_all_juries(scripts, a, b, tie, k):
    votes = [1] * a + [-1] * b + [0] * tie
    leads = [np.sign(sum(jury)) for jury in combinations(votes, k)]
    wanted = np.mean(np.array(leads) == 1), np.mean(np.array(leads) == -1)
    assert scripts.real_judges.lead_chances(a, b, tie, k) == pytest.approx(wanted)


def test_a_jury_of_all_is_their_majority_and_a_larger_one_as_well(scripts):
    for k in (6, 16):
        assert scripts.real_judges.lead_chances(4, 1, 1, k) == (1, 0)
        assert scripts.real_judges.lead_chances(2, 2, 2, k) == (0, 0)


def test_one_other_person_agrees_unless_two_differ(scripts):
    a, b = np.array([6.0, 3, 5, 0, 1]), np.array([0.0, 3, 1, 6, 0])
    agreement = scripts.real_judges.agreement_of_others(a, b, 1)
    assert agreement[:4] == pytest.approx(1 - vote_split(a, b)[:4])
    assert np.isnan(agreement[4])  # nobody else


def test_agreement_with_one_counts_even_juries_half(scripts):
    leads = np.array([[1.0, 0], [0, 0], [0.25, 0.5]])
    agreement = scripts.real_judges.agreement_with_one(
        leads, np.array([4, 4, 4]), np.array([2, 2, 0])
    )
    assert agreement == pytest.approx([4 / 6, 1 / 2, 0.25 + 0.125])


def test_drawn_juries_are_no_larger_than_what_there_is(scripts):
    votes = np.array([[9.0, 1], [4, 0], [3, 0]])
    drawn = scripts.real_judges.jury_votes(votes, 4, 0)
    assert drawn.sum(1).tolist() == [4, 1]
    assert (drawn <= votes.T).all()


def test_log_chances_average_over_the_splits_that_hold_a_pair_out(scripts):
    logs = scripts.real_judges.LogChances(3)
    logs.add(np.array([0, 1]), np.array([0.5, 0.2]))
    logs.add(np.array([0]), np.array([0.25]))
    means = logs.means
    assert means[0] == pytest.approx([np.log([0.5, 0.25]).mean(), np.log([0.5, 0.75]).mean()])
    assert means[1] == pytest.approx([np.log(0.2), np.log(0.8)])
    assert np.isnan(means[2]).all()


@pytest.mark.parametrize("a, b", [(6, 0), (3, 3), (5, 1)])
def test_the_loss_by_others_is_that_of_each_person_left_out(scripts, a, b):
    votes = [1] * a + [0] * b
    losses = []
    for i, vote in enumerate(votes):
        others = votes[:i] + votes[i + 1 :]
        share = (sum(others) + 0.5) / (len(others) + 1)
        losses.append(-np.log(share if vote else 1 - share))
    found = scripts.real_judges.loss_by_others(np.array([a]), np.array([b]))
    assert found == pytest.approx([np.mean(losses)])


# -- ceilings and controls


def beta_votes(pairs, voters, seed=0):
    "Votes for A and B where a pair's share is drawn evenly, with the true splits."
    rng = np.random.default_rng(seed)
    share = rng.random(pairs)
    a = rng.binomial(voters, share)
    return a, voters - a, 2 * share * (1 - share)


@pytest.mark.parametrize("voters", [4, 5, 9])
def test_the_ceiling_of_the_split_is_what_the_true_split_reaches(scripts, voters):
    a, b, true = beta_votes(20_000, voters)
    study = scripts.real_quadrants
    chance = 4 * study.falling(a, 2) * study.falling(b, 2) / study.falling(a + b, 4)
    observed, codes = vote_split(a, b), np.arange(len(a))
    ceiling = value_of(study.reliable(chance, observed, codes), codes)
    assert ceiling == pytest.approx(np.corrcoef(true, observed)[0, 1], abs=0.03)


def test_the_ceiling_is_missing_where_few_pairs_have_four_votes(scripts):
    product = np.r_[np.full(95, np.nan), np.ones(5)]
    study, codes = scripts.real_quadrants, np.arange(100)
    assert np.isnan(value_of(study.reliable(product, np.ones(100), codes), codes))


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_the_ceiling_of_prompts_is_zero_where_prompts_do_not_differ(scripts, spread):
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(400), 20)
    values = 0.4 + spread * rng.normal(size=400)[codes] + 0.2 * rng.normal(size=len(codes))
    ceilings = scripts.real_quadrants.prompt_ceilings(values, codes)
    found = value_of(ceilings["spread of prompts", "split"], codes)
    assert found == pytest.approx(spread, abs=0.02)


def test_ranks_give_spearmans_correlation(scripts):
    from scipy.stats import spearmanr

    rng = np.random.default_rng(2)
    x, y = rng.normal(size=50), np.round(rng.normal(size=50), 1)
    codes = np.arange(50)
    found = value_of(scripts.real_quadrants.rank_correlation(x, y, codes), codes)
    assert found == pytest.approx(spearmanr(x, y).statistic)


def test_thirds_hold_about_a_third_each(scripts):
    for values in (
        np.arange(90.0),
        np.r_[np.zeros(30), np.arange(60)],
        np.random.default_rng(0).random(99),
    ):
        low, high = scripts.real_quadrants.third_masks(values)
        assert not (low & high).any()
        assert 0.3 < low.mean() < 0.37 and 0.3 < high.mean() < 0.37


def test_a_simulated_crowd_follows_the_quadrants_only_as_far_as_told(scripts):
    study = scripts.real_quadrants
    ds = simulate_votes(simulated_comparisons(200, 4, seed=3), trial_population(), 5, seed=3)
    rows = rows_that_count(ds, None, "human", False, False, scored=False).rows
    bank = study.simulated_shares(0)
    plural = np.array([name.startswith("plural") for name in ds["quadrant"]])
    alike = np.array([name.endswith("alike") for name in ds["quadrant"]])
    effects = {}
    for strength in (1.0, 0.5, 0.0):
        facts = study.crowd_of_quadrants(ds, rows, bank, strength, 0)
        split, tie = facts["split"], facts["tie"]
        effects[strength] = (
            np.nanmean(split[plural]) - np.nanmean(split[~plural]),
            tie[alike].mean() - tie[~alike].mean(),
        )
    assert effects[1.0][0] > 0.15 and effects[1.0][1] > 0.3
    assert all(0.2 * one < half < 0.8 * one for one, half in zip(effects[1.0], effects[0.5]))
    assert np.abs(effects[0.0]).max() < 0.06


# -- lines


def test_a_stopped_run_goes_on_with_what_has_no_line(scripts, tmp_path):
    study, path = scripts.real_quadrants, tmp_path / "lines.jsonl"
    assert study.finished(path, "part") == set()
    study.keep(dict(part="one", table=[]), path, append=True)
    study.keep(dict(part="two"), path, append=True)
    assert study.finished(path, "part") == {"one", "two"}


def test_a_part_of_the_study_of_judges_runs_from_its_command(
    scripts, tmp_path, monkeypatch, capsys
):
    if not (DATA / "cobbler_votes.jsonl.gz").exists():
        pytest.skip("no cobbler_votes.jsonl.gz in PLURALITY_DATA")
    monkeypatch.setenv("PLURALITY_DATA", str(DATA))
    monkeypatch.setattr(scripts.real_judges, "RESULTS", tmp_path / "lines.jsonl")
    arguments = ["real_judges.py", "--part", "agreement", "--limit", "200", "--n-boot", "20"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--append"])
    scripts.real_judges.main()
    scripts.real_judges.main()  # has a line
    (line,) = map(json.loads, (tmp_path / "lines.jsonl").read_text().splitlines())
    values = {row["what"]: row["value"] for row in line["table"] if row["statistic"] == "agreement"}
    assert line["pairs"] == 200 and "--append" in line["command"]
    assert 0.5 < values["judges 1"] < values["judges 16"] < values["people 5"] < 0.9


@pytest.mark.parametrize("name", ["real_quadrants", "real_judges"])
def test_committed_lines_say_how_they_were_made_and_hold_no_texts(name):
    lines = [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text().splitlines()]
    assert lines

    def strings(value):
        if isinstance(value, dict):
            return [text for part in value.values() for text in strings(part)]
        if isinstance(value, list):
            return [text for part in value for text in strings(part)]
        return [value] if isinstance(value, str) else []

    for line in lines:
        assert {"command", "seed", "seconds", "processor_seconds", "versions"} <= set(line)
        assert max(map(len, strings(line))) < 90
