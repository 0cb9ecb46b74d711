"The numbers of the first screen are those of the committed results."

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def study_line(pairs, features, data="ukp", votes="people"):
    wanted = dict(kind="size", data=data, features=features, votes=votes, trained=pairs)
    results = ROOT / "tests" / "benchmarks" / "results" / "votes_help.jsonl"
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    return [line for line in lines if wanted.items() <= line.items()][-1]


def short(number, sign=""):
    "As the first screen writes numbers below one."
    return f"{number:{sign}.3f}".replace("0.", ".").replace("-.000", ".000")


@pytest.mark.parametrize(
    ("pairs", "features", "method", "more"),
    [
        (1000, "smollm2_length", "votes", {}),
        (100, "smollm2_length", "votes", {}),
        (3000, "smollm2_length", "votes", {}),
        (1000, "smollm2_length", "signed margin", {}),
        (1000, "smollm2_length", "margin", {}),
        (1000, "minilm", "signed margin", {}),
        (1000, "minilm_length", "signed margin", {}),
        (300, "minilm_length", "votes", dict(data="cobbler", votes="judges")),
        (1000, "minilm_length", "votes", dict(data="cobbler", votes="judges")),
    ],
)
def test_gains_are_those_of_the_study(pairs, features, method, more):
    found = study_line(pairs, features, **more)["differences"][f"{method} - bt"]
    value, low, high = found["spearman"][:3]
    assert f"{short(value, '+')} [{short(low)}, {short(high)}]" in README


@pytest.mark.parametrize("features", ["minilm", "minilm_length", "smollm2_length"])
def test_levels_are_those_of_the_study(features):
    line = study_line(1000, features)
    assert short(line["levels"]["bt"]["spearman"][0]) in README


def test_what_length_and_votes_reach_is_said():
    line = study_line(1000, "minilm")
    assert f"({short(line['levels']['longer response']['spearman'][0])})" in README
    best = study_line(1000, "smollm2_length")
    reached = best["levels"]["bt"]["spearman"][0] + best["differences"]["votes - bt"]["spearman"][0]
    assert f"to {short(reached)}" in README


def test_what_a_small_judge_costs_is_said():
    results = ROOT / "tests" / "benchmarks" / "results" / "votes_help.jsonl"
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    judged = [line for line in lines if line["kind"] == "judge"][-1]
    value, low, high = judged["differences"]["votes, smollm2 - bt"]["spearman"][:3]
    assert f"cost {short(value)} [{short(low)}, {short(high)}]" in README
    assert judged["judge"]["names_first"] == 1


def test_what_other_topics_would_give_is_said():
    low, high = study_line(1000, "smollm2_length")["splits"]["votes - bt"]
    assert f"[{short(low)}, {short(high)}]" in README
