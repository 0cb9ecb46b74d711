"Votes for the trainers of other tools."

import json
from pathlib import Path

import numpy as np
import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import read_settings, save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.simulation.population import Population, opposite_camps
from plurality_nb.simulation.users import simulate_votes
from plurality_nb.votes.exporting import EXPORT_TOOLS, to_preferences


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([1, 1, 1], 12)
    columns = {f"prob_{outcome}": shares[:, k] for k, outcome in enumerate(["a", "b", "tie"])}
    counts = {f"human_{outcome}": [6 - k] * 12 for k, outcome in enumerate(["b", "a", "tie"])}
    return with_columns(load_sample().select(range(12)), **columns, **counts)


def texts(row):
    if "messages" in row:
        return row["messages"][-1]["content"], row["rejected_response"]
    return row["chosen"][0]["content"], row["rejected"][0]["content"]


@pytest.mark.parametrize("tool", EXPORT_TOOLS)
def test_the_side_with_more_votes_is_chosen_whichever_is_a(tool, pairs):
    rows = to_preferences(pairs, "predicted", tool, scale=2.0)
    turned = to_preferences(swap_sides(pairs), "predicted", tool, scale=2.0)
    for pair, row, other in zip(pairs, rows, turned, strict=True):
        sides = pair["response_a"], pair["response_b"]
        a_wins = pair["prob_a"] > pair["prob_b"]
        assert texts(row) == texts(other) == (sides if a_wins else sides[::-1])
        assert row["margin"] == pytest.approx(2 * abs(pair["prob_a"] - pair["prob_b"]), abs=1e-5)
        assert row["tie_share"] == pytest.approx(pair["prob_tie"], abs=1e-5)
        assert row["chosen_share"] >= 0.5


@pytest.mark.parametrize("copies", [2, 5, 20])
def test_copies_have_the_shares_of_the_votes(copies, pairs):
    rows = to_preferences(pairs, "predicted", copies=copies)
    assert "margin" not in rows.column_names
    chosen = np.array([texts(row)[0] for row in rows]).reshape(-1, copies)
    for pair, of_pair in zip(pairs, chosen, strict=True):
        share = pair["prob_a"] + pair["prob_tie"] / 2
        assert abs((of_pair == pair["response_a"]).mean() - share) <= 0.5 / copies + 1e-6


def test_predicted_votes_are_taken_only_when_they_are_asked_for(pairs):
    margins = to_preferences(pairs, "human")["margin"][:]
    assert set(np.round(margins, 4)) == {round(1 / 15, 4)}
    with pytest.raises(ContractError, match=r"`judge_a`: want votes"):
        to_preferences(pairs, "judge")


@pytest.mark.parametrize(
    "shares, left", [([0.4, 0.4, 0.2], 0), ([0.5, 0.3, 0.2], 1), ([0, 0, 1], 0)]
)
def test_pairs_without_a_choice_are_left_out_and_told(shares, left, caplog):
    names = [f"prob_{outcome}" for outcome in ("a", "b", "tie")]
    known = {
        name: [share, 0.9 - 0.4 * k]
        for k, (name, share) in enumerate(zip(names, shares, strict=True))
    }
    rows = to_preferences(with_columns(load_sample().select(range(2)), **known), "predicted")
    assert len(rows) == left + 1
    assert ("leaves out 1 of 2 rows" in caplog.text) == (not left)


@pytest.mark.parametrize("wrong", [dict(tool="verl"), dict(copies=0), dict(scale=-1.0)])
def test_wrong_settings_are_named(wrong, pairs):
    with pytest.raises(ContractError, match=f"`{next(iter(wrong))}`: want"):
        to_preferences(pairs, "predicted", **wrong)


def test_labels_and_margins_follow_predicted_votes_when_asked(
    command_line, monkeypatch, tmp_path, pairs
):
    monkeypatch.chdir(tmp_path)
    save_comparisons(pairs, "scored.parquet")
    for stage, out in [("draw-labels --how majority", "labelled"), ("margin --scale 2", "done")]:
        source = dict(labelled="scored", done="labelled")[out]
        line = f"{stage} --votes predicted --out {out}.parquet".split()
        code, _, err = command_line(line[0], f"{source}.parquet", *line[1:])
        assert code == 0, err
    done = load_comparisons("done.parquet")
    leads = np.array(pairs["prob_a"][:]) - np.array(pairs["prob_b"][:])
    np.testing.assert_allclose(done["margin"][:], 2 * np.abs(leads), rtol=1e-4)
    assert done["label"][:] == (leads > 0).astype(float).tolist()
    assert set(done["label_source"][:]) == {"predicted_majority"}
    code, _, err = command_line(*"margin sample --votes predicted --out x.parquet".split())
    assert code == 1
    assert "--objective crowd" in err


@pytest.fixture
def run(monkeypatch, command_line, tmp_path):
    monkeypatch.chdir(tmp_path)
    return command_line


def written(name):
    return [json.loads(line) for line in Path(f"{name}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("tool", EXPORT_TOOLS)
@pytest.mark.parametrize("copies", [1, 4])
def test_the_command_writes_what_the_function_makes(tool, copies, run, pairs):
    save_comparisons(pairs, "scored.parquet")
    line = f"export scored.parquet --tool {tool} --votes predicted --copies {copies} --scale 2"
    code, _, err = run(*line.split(), "--out", "pairs.jsonl")
    assert code == 0, err
    wanted = to_preferences(pairs, "predicted", tool, 2.0, copies)
    assert written("pairs") == [dict(row) for row in wanted]
    assert f"{len(wanted)} rows for {tool}: {', '.join(wanted.column_names)}" in err
    assert read_settings("pairs.jsonl")["export"]["copies"] == copies


def test_an_export_is_read_back_with_its_margins(run, pairs):
    save_comparisons(pairs, "scored.parquet")
    code, _, err = run(*"export scored.parquet --votes predicted --out pairs.jsonl".split())
    assert code == 0, err
    leads = np.abs(np.array(pairs["prob_a"][:]) - np.array(pairs["prob_b"][:]))
    np.testing.assert_allclose(load_comparisons("pairs.jsonl")["margin"][:], leads, rtol=1e-4)


@pytest.mark.parametrize(
    "line, code, said",
    [
        ("--votes judge --out x.jsonl", 1, "There are votes of: human"),
        ("--tool verl --out x.jsonl", 2, "openrlhf"),
        ("--copies 0 --out x.jsonl", 2, "--copies"),
        ("--out x.xlsx", 1, "`--out`"),
        ("--out mine.jsonl", 1, "mine.jsonl"),
        ("--out scored.parquet --overwrite", 1, "not an input's"),
        ("--where country=NO --out x.jsonl", 1, "country"),
    ],
)
def test_the_command_stops_before_it_writes(line, code, said, run, pairs):
    save_comparisons(pairs, "scored.parquet")
    Path("mine.jsonl").write_text("{}\n")
    got, _, err = run("export", "scored.parquet", *line.split())
    assert (got, said in err) == (code, True), err
    assert Path("mine.jsonl").read_text() == "{}\n" and not Path("x.jsonl").exists()


def test_some_peoples_votes_are_exported(run):
    crowd = Population(camps=opposite_camps(0.5, spread=0.0), mood=0.1)
    voted = simulate_votes(load_sample().select(range(20)), crowd, 9, ballots=True)
    save_comparisons(voted, "voted.parquet")
    chosen = []
    for camp in ("majority", "minority"):
        line = f"export voted.parquet --where camp={camp} --out {camp}.jsonl"
        assert run(*line.split())[0] == 0
        chosen.append({str(row["chosen"]) for row in written(camp)})
    assert chosen[0] != chosen[1]
