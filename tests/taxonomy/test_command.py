"The command `plurality taxonomy`."

import json

import pandas as pd
import pytest

from plurality_nb.cli.app import main

ROWS = [
    dict(prompt="Capital of Norway?", response_a="Oslo.", response_b="It is Oslo."),
    dict(
        prompt="Write a haiku.",
        response_a="Snow on the old roof",
        response_b="Rain upon the sea",
    ),
    dict(prompt="Capital of Peru?", response_a="Lima.", response_b="Quito."),
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    "Runs the command on three pairs; returns its exit code."
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def run_command(*options):
        arguments = ["plurality", "taxonomy", str(pairs), "--out", str(out), *options]
        monkeypatch.setattr("sys.argv", arguments)
        try:
            main()
        except SystemExit as stop:
            return stop.code or 0
        return 0

    return run_command


def test_quadrants_and_what_they_rest_on_are_written(run, tmp_path, capsys):
    assert run("--base-rate", "0.8", "--alike-at", "0.4") == 0
    printed = capsys.readouterr().out
    assert "share of pairs within 0.1 of a threshold" in printed
    assert "overall" in printed
    labelled = pd.read_json(tmp_path / "out.jsonl", lines=True)
    assert labelled.quadrant.notna().all()
    assert labelled.quadrant[2] == "single_distinct"
    note = json.loads((tmp_path / "out.jsonl.json").read_text())
    assert "0.8" in json.dumps(note)
    assert "classifier" in json.dumps(note)


def test_wrong_options_are_explained(run, capsys):
    assert run("--base-rate", "7") == 2
    assert "want a share between 0 and 1" in capsys.readouterr().err
    assert run("--prompts", "magic") == 1
    assert "`judge`" in capsys.readouterr().err
