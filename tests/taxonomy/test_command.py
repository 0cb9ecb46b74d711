"The command `plurality taxonomy`."

import json

import pandas as pd
import pytest

from plurality_nb.cli.app import main
from plurality_nb.data.loading import load_comparisons
from plurality_nb.taxonomy.quadrants import label_taxonomy, uncertain_rows, without_doubtful

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
    options = ["--base-rate", "0.8", "--alike-at", "0.4", "--alike-as", "same_meaning"]
    assert run(*options) == 0
    printed = capsys.readouterr().out
    assert "share of pairs within 0.1 of a threshold" in printed
    assert "overall" in printed
    labelled = pd.read_json(tmp_path / "out.jsonl", lines=True)
    assert labelled.quadrant.notna().all()
    assert labelled.quadrant[2] == "single_distinct"
    note = json.loads((tmp_path / "out.jsonl.json").read_text())
    assert "0.8" in json.dumps(note)
    assert "classifier" in json.dumps(note)
    assert "same_meaning" in json.dumps(note)


def test_wrong_options_are_explained(run, capsys):
    assert run("--base-rate", "7") == 2
    assert "want a share between 0 and 1" in capsys.readouterr().err
    assert run("--prompts", "magic") == 1
    assert "`judge`" in capsys.readouterr().err


def test_both_senses_of_alike_and_doubt_are_written(run, tmp_path):
    assert run() == 0
    by_tie = pd.read_json(tmp_path / "out.jsonl", lines=True)
    assert run("--alike-as", "same_meaning") == 0
    by_meaning = pd.read_json(tmp_path / "out.jsonl", lines=True)
    same = pytest.approx(by_meaning.same_meaning.tolist(), abs=1e-4)
    assert by_meaning.indistinguishability.tolist() == same
    assert by_tie.indistinguishability.tolist() != same
    assert by_tie.same_meaning.tolist() == same
    assert by_tie.same_meaning[0] > 0.5 > by_tie.same_meaning[2]
    assert by_tie.doubtful.dtype == bool


def test_the_likeness_of_responses_is_held_against_people(tmp_path, monkeypatch, capsys):
    rated = [
        dict(a=f"The {thing} is {word}.", b=f"The {thing} is {other}.", alike=int(other == "big"))
        for thing in ("dog", "shop", "tree")
        for word, other in (("large", "big"), ("large", "small"))
    ]
    folder = tmp_path / "sets"
    folder.mkdir()
    (folder / "rated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rated))
    (folder / "other.json").write_text("[]")
    out = tmp_path / "areas.csv"
    arguments = ["plurality", "taxonomy", str(folder), "--out", str(out), "--evaluate"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    printed = capsys.readouterr()
    assert "cosine" in printed.out
    assert "other.json is no yardstick" in printed.err
    areas = pd.read_csv(out)
    assert set(areas.score) >= {"would_tie", "same_meaning", "cosine", "characters", "bm25"}


@pytest.mark.parametrize(
    ("data", "out", "message"),
    [(".", "areas.jsonl", "want a .csv"), ("nowhere", "areas.csv", "want a file or folder")],
)
def test_wrong_use_of_evaluate_is_explained(tmp_path, monkeypatch, capsys, data, out, message):
    monkeypatch.chdir(tmp_path)
    arguments = ["plurality", "taxonomy", data, "--out", out, "--evaluate"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_own_columns_and_half_labelled_tables_keep_what_they_know(run, tmp_path):
    rows = [
        dict(
            prompt=f"Say {n}.",
            response_a=f"I say {n}.",
            response_b="No, never.",
            same_meaning="yes",
        )
        for n in range(3)
    ]
    own = tmp_path / "own.jsonl"
    own.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ds = load_comparisons(own)
    assert ds["own_same_meaning"][:] == ["yes"] * 3
    labelled = label_taxonomy(ds, progress=False).map(
        lambda row, index: dict(doubtful=None if index else True), with_indices=True
    )
    assert uncertain_rows(labelled).pairs["overall"] == 3
    assert uncertain_rows(labelled).doubtful["overall"] == 1
    assert len(without_doubtful(labelled)) == 2


def test_pairs_of_another_encoding_are_read_as_the_options_say(tmp_path, monkeypatch, capsys):
    data, out = tmp_path / "pairs.csv", tmp_path / "areas.csv"
    data.write_bytes("a,b,alike\nUn café.,Un thé.,0\nUn café.,Un petit café.,1\n".encode("cp1252"))
    line = f"plurality taxonomy {data} --out {out} --evaluate".split()
    for options, code in (([], 1), (["--encoding", "cp1252"], 0)):
        monkeypatch.setattr("sys.argv", [*line, *options])
        with pytest.raises(SystemExit) as stop:
            main()
        assert (stop.value.code or 0) == code
        assert code == 0 or "--encoding cp1252" in capsys.readouterr().err
