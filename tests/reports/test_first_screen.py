"The report's sentence and its pairs, on tables and comparisons that a reader would not try."

import numpy as np
import pandas as pd
import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.reports.contradictions import (
    count_undecided,
    find_contradictions,
    rank_pairs,
    show_pairs,
)
from plurality_nb.reports.findings import state_answer, state_findings
from plurality_nb.reports.sections import ReportInput, report_sections
from plurality_nb.simulation.users import sample_population, simulate_votes

SLICES = ["single_distinct", "single_alike", "plural_distinct", "plural_alike"]


def row(model, value, low, high, place="overall", **more):
    facts = dict(model=model, quadrant=place, statistic="spearman", value=value, low=low, high=high)
    return facts | dict(n=200, groups=200, tie_rate=0.1, split=0.2, se=0.1) | more


def slices(model, *intervals):
    return [row(model, sum(i) / 2, *i, place) for place, i in zip(SLICES, intervals)]


def answer(rows, models=("m",), **how):
    return state_answer(list(models), pd.DataFrame(rows), **how)


@pytest.mark.parametrize("prompts", [5, 40, 99])
@pytest.mark.parametrize("ends", [(0.1, 0.5), (-0.5, -0.1)])
def test_few_prompts_conclude_nothing(prompts, ends):
    text = answer([row("m", sum(ends) / 2, *ends, groups=prompts)])
    assert text.startswith(f"{prompts} prompts are too few to say whether m")
    assert "m follows" not in text and "goes against" not in text


def test_no_quadrants_and_one_model_make_one_clause():
    assert answer([row("m", 0.3, 0.1, 0.5)]) == "m (0.30 [0.10, 0.50]) follows people."


def test_an_unknown_value_is_said_and_is_no_number():
    text = answer([row("m", np.nan, np.nan, np.nan)])
    assert text == "Whether m follows people cannot be measured on these pairs."
    lone = answer([row("m", 0.3, np.nan, np.nan)])
    assert "cannot be measured" in lone and "nan" not in lone


def compared(value, low, groups=200, **more):
    "The first sentence on m and a baseline, and the finding."
    bound = dict(baseline="bt", verdict="cannot tell", p=np.nan, detectable=np.nan)
    differences = pd.DataFrame([row("m", value, low, low, groups=groups, **bound, **more)])
    rows = [row("m", 0.3, 0.1, 0.5)]
    finding = state_findings(["m"], pd.DataFrame(rows), differences)[-1]
    return answer(rows, differences=differences), finding


@pytest.mark.parametrize(
    "value, groups, reason, said",
    [
        (np.nan, 200, "undefined on these pairs", "undefined on these pairs"),
        (0.1, 200, "every resample gives the same value", "every resample gives the same value"),
        (0.1, 7, "fewer than 15 prompts", "there are too few prompts"),
        (0.1, 200, "", "no interval was asked for"),
    ],
)
def test_why_models_cannot_be_compared_is_what_the_table_says(value, groups, reason, said):
    for text in compared(value, np.nan, groups, reason=reason):
        assert text.endswith(f"m cannot be compared with bt: {said}.")
        assert "nan" not in text


def test_where_no_quadrant_differs_from_chance_it_is_said_once():
    rows = [row("m", 0.02, -0.1, 0.14), *slices("m", *[(-0.2, 0.2)] * 4)]
    text = answer(rows)
    assert text.endswith("; m cannot be told from chance in any slice.")
    assert len(text) < 130 and "“" not in text


@pytest.mark.parametrize("chance", [1, 2, 3])
def test_quadrants_at_chance_are_named_where_others_are_not(chance):
    intervals = [(-0.1, 0.2)] * chance + [(0.2, 0.4)] * (4 - chance)
    text = answer([row("m", 0.2, 0.1, 0.3), *slices("m", *intervals)])
    assert text.count("“") == chance and "in any slice" not in text


def test_overlapping_intervals_rank_no_quadrant():
    rows = [row("m", 0.3, 0.2, 0.4), *slices("m", (0.1, 0.4), (0.2, 0.5), (0.15, 0.6), (0.1, 0.3))]
    assert "in no slice is m shown to do worse" in answer(rows)
    apart = [row("m", 0.3, 0.2, 0.4), *slices("m", (0.5, 0.6), (0.2, 0.3), (0.3, 0.55), (0.4, 0.6))]
    assert "m is lower in “single, alike”" in answer(apart)


@pytest.mark.parametrize("low, high, text", [(0.6, 1.4, "cannot tell"), (1.0, 1.7, "cannot tell")])
def test_a_slope_that_may_be_one_says_nothing_of_sureness(low, high, text):
    table = pd.DataFrame([row("m", 0.3, 0.1, 0.5)])
    scores = pd.DataFrame([row("m", 1.0, low, high) | dict(statistic="slope")])
    sentences = " ".join(state_findings(["m"], table, further=dict(scores=scores)))
    assert (
        text in sentences
        and "is too sure:" not in sentences
        and "not sure enough:" not in sentences
    )


@pytest.mark.parametrize("count, text", [(0, ""), (1, "1 of 200"), (200, "200 of 200")])
def test_equal_rewards_are_counted_in_the_sentence(count, text):
    sentence = answer([row("m", 0.3, 0.1, 0.5)], undecided=dict(m=count))
    assert ("undecided" in sentence) == bool(count) and text in sentence


@pytest.fixture(scope="module")
def voted():
    sample = load_sample().select(range(60))
    return simulate_votes(sample, sample_population(), 5)


def rewarded(voted, deltas):
    return with_columns(voted, reward_a=list(deltas), reward_b=[0.0] * 60, seen=[False] * 60)


def leads(voted):
    return np.array(voted["human_a"][:]) - np.array(voted["human_b"][:])


@pytest.mark.parametrize("decided", [0, 3, 30])
def test_pairs_with_equal_rewards_are_no_contradictions(voted, decided):
    against = -np.sign(leads(voted)).astype(float)
    against[decided:] = 0
    found = find_contradictions(rank_pairs(dict(m=rewarded(voted, against))))
    has_majority = leads(voted) != 0
    assert len(found.pairs) == has_majority[:decided].sum()
    assert found.undecided == has_majority[decided:].sum()
    assert not (found.pairs.delta == 0).any()
    assert count_undecided(dict(m=rewarded(voted, against)))["m"] == (against == 0).sum()


@pytest.mark.parametrize("decided", [0, 3])
def test_the_page_says_where_a_model_takes_no_side(voted, decided):
    against = -np.sign(leads(voted)).astype(float)
    against[decided:] = 0
    models = dict(m=rewarded(voted, against))
    table = pd.DataFrame([row("m", 0.0, -0.1, 0.1, level=0.95)])
    provenance = dict(command="", seed=0, versions={}, inputs=[], settings={})
    sections = {
        s.heading: s for s in report_sections(ReportInput(models, table, provenance=provenance))
    }
    last = sections["Summary"].blocks[-1]
    about = last.about if decided else last.text
    assert "takes no side: both responses have the same reward" in about
    assert ("on no pair" in about) == (decided == 0)
    assert len(sections["Pairs"].blocks[0].pairs) == 60
    anchors = [
        p.anchor
        for s in ("Summary", "Pairs")
        for b in sections[s].blocks
        for p in getattr(b, "pairs", [])
    ]
    assert len(anchors) == len(set(anchors))


def test_pairs_without_a_majority_are_read_out(voted):
    votes = {f"human_{x}": [2, *voted[f"human_{x}"][1:]] for x in "ab"}
    even = with_columns(voted, **votes)
    models = dict(m=rewarded(even, np.sign(leads(even)).astype(float)))
    ranked = rank_pairs(models)
    assert not ranked.opposed.any()
    texts = [pair.facts for pair in show_pairs(models, ranked)]
    assert sum("chose neither, 2 each" in t and "rewards both alike" in t for t in texts) == 1
    assert not any("nan" in text for text in texts)
