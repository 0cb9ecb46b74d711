"Of the columns that this package writes nothing is said when its files are read again."

import shlex

import pandas as pd
import pytest

from plurality_nb.data.grouping import regroup
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.simulation.trials import (
    judge_comparisons,
    simulated_comparisons,
    trial_population,
)
from plurality_nb.simulation.users import (
    PopulationJudge,
    annotate,
    sample_population,
    simulate_votes,
)
from plurality_nb.taxonomy.quadrants import label_taxonomy
from plurality_nb.votes.margins import add_margins, draw_labels
from plurality_nb.votes.selection import select_pairs

PEOPLE = sample_population()


def voted():
    return simulate_votes(load_sample().select(range(24)), PEOPLE, 6, ballots=True)


def labelled_own():
    row = dict(prompt="Which tea?", response_a="Assam", response_b="A stone")
    choice = dict(prompt="Which tea?", chosen="Assam", rejected="A stone", label="A", source=7)
    return [load_comparisons([choice]), load_comparisons([row | dict(vote="A", annotator="kim")])]


MADE = {
    "votes of users": voted,
    "labels of users": lambda: annotate(voted(), PEOPLE),
    "trials": lambda: simulated_comparisons(6),
    "judged": lambda: judge_comparisons(
        simulated_comparisons(6), PopulationJudge(trial_population())
    ),
    "labels": lambda: draw_labels(voted(), "human"),
    "margins": lambda: add_margins(draw_labels(voted(), "human"), votes="human"),
    "selected": lambda: select_pairs(label_taxonomy(voted()), 8, by="random", voted=True),
    "grouped": lambda: regroup(voted(), "near"),
    "own label": lambda: labelled_own()[0],
    "own vote": lambda: labelled_own()[1],
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_nothing_is_said_of_what_we_wrote(name, kind, tmp_path, caplog):
    made = MADE[name]()
    save_comparisons(made, tmp_path / f"made.{kind}")
    caplog.clear()
    again = load_comparisons(tmp_path / f"made.{kind}")
    assert not caplog.text and again.column_names == made.column_names


COMMANDS = """
vote sample --judge population --votes 4 --limit 40 --out voted.jsonl
taxonomy voted.jsonl --out quadrants.csv
draw-labels quadrants.csv --votes judge --out labels.parquet
margin labels.parquet --votes judge --out margins.jsonl
score margins.jsonl --model "longer response" --out scored.csv
select scored.csv -n 10 --by random --out chosen.parquet
select scored.csv -n 10 --by random --out sheet.csv
calibrate people.jsonl --rated people.jsonl --out calibrated.jsonl
"""


def test_nothing_is_said_of_what_commands_wrote(command_line, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    save_comparisons(simulate_votes(load_sample(), PEOPLE, 6), "people.csv")
    judged = "vote people.csv --judge population --votes 4 --out people.jsonl"
    for command in (judged, *COMMANDS.strip().splitlines()):
        caplog.clear()
        code, _, err = command_line(*shlex.split(command))
        assert code == 0, (command, err)
        assert "looks like" not in caplog.text and "may belong" not in caplog.text, command
    sheet = pd.read_csv("sheet.csv", dtype=str).assign(vote="a", annotator="kim")
    sheet.to_csv("filled.csv", index=False)
    back = "select scored.csv --votes-from filled.csv --out back.jsonl"
    assert command_line(*back.split())[0] == 0
    for path in sorted(tmp_path.glob("*.*")):
        if path.suffix in (".csv", ".jsonl", ".parquet") and path.stem != "sheet":
            caplog.clear()
            load_comparisons(path)
            said = [record.message for record in caplog.records]
            assert not [text for text in said if "counted as people" not in text], path


@pytest.mark.parametrize("column", ["annotator", "true_tie", "judge_share_raw"])
def test_in_foreign_files_such_columns_are_told(column, caplog):
    row = dict(prompt="Which tea?", response_a="Assam", response_b="A stone")
    load_comparisons([row | {column: 0.5}])
    assert f"`{column}`: looks like votes and is not used" in caplog.text


def test_votes_that_somebody_added_to_our_file_are_told(tmp_path, caplog):
    save_comparisons(voted(), tmp_path / "made.jsonl")
    table = pd.read_json(tmp_path / "made.jsonl", lines=True, dtype=False)
    table.assign(annotator="kim", winner="A").to_json(
        tmp_path / "added.jsonl", orient="records", lines=True
    )
    caplog.clear()
    load_comparisons(tmp_path / "added.jsonl")
    assert "`winner`, `annotator`: looks like votes and is not used" in caplog.text
