"Intervals over prompts and people, and of proportions."

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plurality_nb.evaluation.bootstrap import MIN_GROUPS, mean_measure, rate_interval
from plurality_nb.evaluation.people import people_spreads
from plurality_nb.evaluation.tables import PairRows, tabulate
from plurality_nb.votes.shares import Votes

PAIRS = 120


def column_of(ballots):
    return pd.Series(ballots, dtype=object).to_numpy(copy=True)


def rows_of_panel(people, leaning, seed=0, named=True):
    "Three votes on each pair, by members of a panel who lean to A or to B; 0 for new people."
    rng = np.random.default_rng(seed)
    voter = np.arange(3 * PAIRS).reshape(PAIRS, 3)
    if people:
        voter = np.argsort(rng.random((PAIRS, people)), axis=1)[:, :3]
    lean = leaning * rng.normal(size=voter.max() + 1)
    is_a = rng.normal(size=(PAIRS, 3)) + lean[voter] > 0
    a = is_a.sum(1).astype(float)
    ballots = [tuple((str(v), "ab"[not x]) for v, x in zip(*both)) for both in zip(voter, is_a)]
    return PairRows(
        index=np.arange(PAIRS),
        group=np.arange(PAIRS) // 3,
        slice=np.full(PAIRS, None),
        ballots=column_of(ballots if named else [()] * PAIRS),
        weight=np.full(PAIRS, np.nan),
        votes=Votes(a, 3 - a, 0 * a),
        deltas={},
    )


def leads(part, codes):
    return {("votes", "lead"): mean_measure(part.lead, codes)}


def interval_of(rows):
    return tabulate(rows, None, leads, 400).iloc[0]


@pytest.mark.slow
def test_intervals_of_a_panel_cover_the_truth_and_those_over_prompts_do_not():
    covered = {True: 0, False: 0}
    for seed in range(40):
        for named in covered:
            row = interval_of(rows_of_panel(4, 0.5, seed, named))
            covered[named] += row.low <= 0 <= row.high
    assert covered[False] <= 24 and covered[True] >= 34


def test_new_people_and_unnamed_people_leave_the_interval_as_it_was():
    named = interval_of(rows_of_panel(0, 0.5))
    unnamed = interval_of(rows_of_panel(0, 0.5, named=False))
    assert (named.low, named.high, named.se) == (unnamed.low, unnamed.high, unnamed.se)
    assert (named.resampled, named.people) == ("prompts and people", 3 * PAIRS)
    assert unnamed.resampled == "prompts" and np.isnan(unnamed.people)
    assert unnamed.panel_ratio > 0 and np.isnan(named.panel_ratio)


def test_one_person_cannot_stand_for_others():
    rows = rows_of_panel(3, 0.5)
    votes = Votes(np.ones(PAIRS), np.zeros(PAIRS), np.zeros(PAIRS))
    rows = replace(rows, ballots=column_of([(("ann", "a"),)] * PAIRS), votes=votes)
    assert interval_of(rows).resampled == "prompts"


def test_one_person_who_recurs_among_others_is_not_said_to_be_covered():
    rows = rows_of_panel(0, 0.5)
    ballots = rows.ballots.copy()
    for pair in (0, 50):
        ballots[pair] = (("ann", ballots[pair][0][1]), *ballots[pair][1:])
    rows = replace(rows, ballots=ballots)
    assert interval_of(rows).resampled == "prompts"


def test_people_with_votes_nobody_else_gave_are_no_error():
    rows = rows_of_panel(3, 0.5)
    rows.ballots[: PAIRS - 1] = None
    assert np.isfinite(interval_of(rows).low)


def test_all_ties_and_fractional_votes_are_no_error():
    rows = rows_of_panel(5, 0.5)
    quarters = np.full(PAIRS, 0.25)
    row = interval_of(replace(rows, votes=Votes(quarters, quarters, 10 * quarters)))
    assert row.value == 0 and np.isnan(row.low) and row.reason


def test_a_statistic_that_is_undefined_without_somebody_is_left_out():
    from plurality_nb.evaluation.people import named_votes

    rows = rows_of_panel(3, 0.5)
    votes = named_votes(rows.ballots)
    assert not people_spreads(
        lambda removed: dict(x=np.full(len(removed), np.nan)), votes, rows.codes
    )


@pytest.mark.parametrize("groups", [5, 10, 14])
def test_there_is_no_interval_with_few_groups(groups):
    assert groups < MIN_GROUPS
    right = np.arange(groups) % 2
    assert np.isnan(rate_interval(right, np.ones(groups), np.arange(groups))["low"])


def test_proportions_have_width_where_all_are_right_and_cover_the_truth():
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(200):
        chance = rng.beta(9, 1, 15)
        right = rng.random((15, 2)) < chance[:, None]
        groups = np.repeat(np.arange(15), 2)
        got = rate_interval(right.ravel(), np.ones(30), groups, n_boot=200, seed=seed)
        assert 0 <= got["low"] < got["high"] <= 1
        covered.append(got["low"] <= 0.9 <= got["high"])
    assert np.mean(covered) > 0.91
