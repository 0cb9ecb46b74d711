"Scores of likeness held against people, on sets that nothing was fitted to."

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plurality_nb.errors import ContractError
from plurality_nb.evaluation.yardsticks import (
    measure_likeness,
    plain_scores,
    read_yardsticks,
    yardstick_of_pairs,
)

DATA = Path(os.environ.get("PLURALITY_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.mark.parametrize(
    ("row", "alike"),
    [
        (dict(alike=1), 1),
        (dict(ratings=[-1, 2, 1, 0]), 1),
        (dict(ratings=[-1, 1]), 0),
        (dict(gold="contradiction"), 0),
    ],
)
def test_pairs_are_alike_by_label_ratings_or_entailment(row, alike):
    assert yardstick_of_pairs([dict(a="x", b="y") | row]).alike.tolist() == [alike]


@pytest.mark.parametrize(
    "row", [dict(), dict(gold="neutral"), dict(label=1)], ids=["nothing", "neutral", "label"]
)
def test_rows_without_an_answer_are_no_yardstick(row):
    with pytest.raises(ContractError, match="none such"):
        yardstick_of_pairs([dict(a="x", b="y") | row])


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (dict(alike=5), "row 2: `alike`: want 0 or 1, got 5"),
        (dict(alike=0.7), "row 2: `alike`: want 0 or 1, got 0.7"),
        (dict(b=None, alike=1), "row 2: `b`: want text, got None"),
        (dict(a=3, alike=1), "row 2: `a`: want text, got 3"),
        (dict(ratings=["x"]), "row 2: `ratings`: want a list of numbers"),
    ],
)
def test_what_is_no_answer_is_named_by_its_row(row, named):
    good = dict(a="x", b="y", alike=1)
    with pytest.raises(ContractError, match=named):
        yardstick_of_pairs([good, dict(a="x", b="y") | row])


def test_unrated_equal_and_empty_pairs_are_left_out():
    rows = [dict(a="x", b="y", ratings=[2]), dict(a="x", b="z", ratings=[])]
    rows += [dict(a="x", b="x ", alike=1), dict(a="", b="x", alike=0)]
    assert len(yardstick_of_pairs(rows)) == 1


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        (
            "r.jsonl",
            '{"a":"x","b":"y","ratings":[1]}\n\n{"a":"x","b":"z","ratings":[5]}\n',
            "middle",
        ),
        ("b.jsonl", '{"a":"x","b":"y","alike":1}\nno json\n', "row 2"),
        ("e.jsonl", '{"a":"x","b":"","alike":1}\n', "none such"),
        ("d.jsonl.gz", "abc", "gzip"),
    ],
)
def test_files_that_cannot_measure_say_why(tmp_path, name, text, named):
    (tmp_path / name).write_text(text)
    with pytest.raises(ContractError, match=named):
        read_yardsticks(tmp_path / name)


@pytest.mark.parametrize("name", ["p.csv", "p.json", "p.parquet"])
def test_pairs_are_read_from_any_kind_of_file(tmp_path, name):
    table = pd.DataFrame(dict(a=["x", "y"], b=["z", "w"], alike=[1, 0]))
    write = dict(csv=table.to_csv, json=table.to_json, parquet=table.to_parquet)[name[2:]]
    write(tmp_path / name, **({"orient": "records"} if name == "p.json" else {"index": False}))
    assert read_yardsticks(tmp_path / name)["p"].alike.sum() == 1


def test_a_packed_file_is_read_and_sampled_by_seed(tmp_path):
    path = tmp_path / "pairs.jsonl.gz"
    with gzip.open(path, "wt") as file:
        for number in range(50):
            row = dict(a=f"text {number}", b=f"word {number}", alike=number % 2)
            file.write(json.dumps(row) + "\n")
    first, again = (read_yardsticks(path, most=10, seed=1)["pairs"] for _ in range(2))
    assert len(first) == 10
    pd.testing.assert_frame_equal(first, again)
    assert set(first.a) != set(read_yardsticks(path, most=10, seed=2)["pairs"].a)


def test_areas_do_not_depend_on_the_scale_of_a_score():
    rng = np.random.default_rng(0)
    alike = rng.integers(0, 2, 120)
    table = pd.DataFrame(
        dict(a="", b="", prompt="", alike=alike, graded=alike * 1.0, group=range(120))
    )
    score = alike + rng.normal(size=120)
    scores = {"plain": score, "stretched": np.exp(3 * score), "turned": -score}
    measured = measure_likeness(dict(made=table), {k: dict(made=v) for k, v in scores.items()}, 20)
    area = measured[measured.statistic == "area"].set_index("score").value
    assert area["plain"] == pytest.approx(area["stretched"])
    assert area["plain"] == pytest.approx(1 - area["turned"])
    assert set(measured.statistic) == {"area", "spearman"}


def test_plain_scores_are_symmetric():
    a, b = ["a dog runs", "", "x"], ["the dog ran away", "a", "x"]
    first, second = plain_scores(a, b), plain_scores(b, a)
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-6)


@pytest.mark.longest
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most", "area", "spearman"),
    [("lewidi_paraphrase", 500, 0.9, 0.78), ("breaking_nli", 500, 0.95, None)],
)
def test_would_tie_is_as_good_as_a_cosine_where_it_was_not_fitted(name, most, area, spearman):
    path = DATA / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"needs {path.name}, which does not come with the project")
    from plurality_nb.taxonomy.indistinguishability import likeness_scores

    table = read_yardsticks(path, most)[name]
    texts = [table[column].tolist() for column in ("a", "b", "prompt")]
    scores = dict(likeness_scores(*texts, progress=False)) | plain_scores(*texts[:2])
    by_score = {key: {name: np.asarray(value, float)} for key, value in scores.items()}
    measured = measure_likeness({name: table}, by_score, n_boot=2)
    values = measured.set_index(["statistic", "score"]).value
    assert values["area", "would_tie"] >= area
    assert values["area", "would_tie"] >= values["area", "cosine"]
    if spearman:
        assert values["spearman", "would_tie"] >= spearman
