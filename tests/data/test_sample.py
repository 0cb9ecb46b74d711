"The authored texts are what the docs say of them."

import re
from collections import Counter

import numpy as np
import pytest

from plurality_nb.data.sample import load_sample
from plurality_nb.data.schema import QUADRANTS
from plurality_nb.models.tokens import prompt_text
from plurality_nb.taxonomy.prompt_classifier import plurality_prompts


@pytest.fixture(scope="module")
def rows():
    return list(load_sample())


def test_enough_pairs_of_each_quadrant_in_many_domains(rows):
    assert Counter(r["written_quadrant"] for r in rows) == {q: 64 for q in QUADRANTS}
    for q in QUADRANTS:
        assert len({r["domain"] for r in rows if r["written_quadrant"] == q}) >= 10
        assert sum(len(r["prompt"]) > 1 for r in rows if r["written_quadrant"] == q) >= 5


def test_no_prompt_or_response_stands_twice(rows):
    assert len({r["group"] for r in rows}) == len(rows)
    texts = [r[f"response_{s}"] for r in rows for s in "ab"]
    assert len(set(texts)) == len(texts)


def test_no_templates(rows):
    "Responses to different prompts do not begin with the same five words."
    begin = [
        (r["pair_id"], " ".join(re.findall(r"\w+", r[f"response_{s}"].lower())[:5]))
        for r in rows
        for s in "ab"
    ]
    shared = [k for k, n in Counter(b for _, b in set(begin)).items() if n > 1]
    assert len(shared) <= 3, shared


def test_the_better_one_is_not_the_longer_one(rows):
    gap = np.array(
        [
            (r["quality_a"] - r["quality_b"]) * np.sign(len(r["response_a"]) - len(r["response_b"]))
            for r in rows
            if r["written_quadrant"] == "single_distinct"
        ]
    )
    assert 0.35 < np.mean(gap[gap != 0] > 0) < 0.65
    better_a = np.mean(
        [
            r["quality_a"] > r["quality_b"]
            for r in rows
            if r["written_quadrant"] == "single_distinct"
        ]
    )
    assert 0.35 < better_a < 0.65


def test_plurality_prompts(rows):
    p = plurality_prompts()
    assert len(p) >= 600 and p.prompt.is_unique and abs(p.plural.mean() - 0.5) < 0.03
    assert set(p.prompt).isdisjoint(prompt_text(r["prompt"]) for r in rows)
    length = p.groupby("plural").prompt.apply(lambda s: s.str.split().str.len().median())
    assert 0.6 < length[0] / length[1] < 1.67
