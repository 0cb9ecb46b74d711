"Standard streams, `convert`, and how data are read by commands that once read files as they were."

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.simulation.users import sample_population, simulate_votes

HEAD = "prompt,response_a,response_b,left,right\n"
MAP = ["--map", "human_a=left,human_b=right"]


@pytest.fixture
def give(monkeypatch):
    "Puts bytes on stdin."

    def set_stdin(content):
        content = content if isinstance(content, bytes) else content.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return set_stdin


def rated(n=12):
    return HEAD + "".join(f"Is {k} odd?,Yes {k},No,{k % 4},{3 - k % 4}\n" for k in range(n))


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def parquet_bytes():
    save_comparisons(
        load_comparisons([dict(prompt="Tea?", chosen="Yes", rejected="No")]), "x.parquet"
    )
    return Path("x.parquet").read_bytes()


LINE = json.dumps(dict(prompt="Tea?", chosen="Yes", rejected="No"))
KINDS = {
    "csv": "prompt,chosen,rejected\nTea?,Yes,No\n",
    "tsv": "prompt\tchosen\trejected\nTea?\tYes\tNo\n",
    "semicolons": "prompt;chosen;rejected\nTea?;Yes;No\n",
    "jsonl": f"{LINE}\n",
    "json": f" [{LINE}]",
    "gzip": gzip.compress(LINE.encode()),
}


@pytest.mark.parametrize("kind", [*KINDS, "parquet"])
def test_stdin_may_be_any_kind_of_file(run, give, kind):
    give(KINDS[kind] if kind in KINDS else parquet_bytes())
    code, out, err = run("convert", "-", "--out", "-")
    assert code == 0, err
    (row,) = rows_of(out)
    assert {row["response_a"], row["response_b"]} == {"Yes", "No"}
    assert "stdin" in err


def test_pipes_join_commands_and_give_what_files_give(run, give):
    Path("rated.csv").write_text(rated())
    assert run("convert", "rated.csv", *MAP, "--out", "c.jsonl")[0] == 0
    assert run("draw-labels", "c.jsonl", "--votes", "human", "--out", "l.jsonl")[0] == 0
    give(rated())
    code, out, _ = run("convert", "-", *MAP, "--out", "-")
    assert code == 0 and rows_of(out) == rows_of(Path("c.jsonl").read_text())
    give(out)
    code, out, err = run("draw-labels", "-", "--votes", "human", "--out", "-")
    assert code == 0, err
    assert rows_of(out) == rows_of(Path("l.jsonl").read_text())
    assert not [path for path in Path().iterdir() if "std" in path.name]


@pytest.mark.parametrize(
    "command",
    [
        "vote - --judge population --votes 2 --out -",
        "score - --model random --out -",
        "margin - --votes human --out -",
        "select - --n 4 --voted --by random --out -",
        "export - --out -",
    ],
)
def test_only_rows_go_to_stdout(run, give, command):
    ds = simulate_votes(load_sample().select(range(10)), sample_population(), 5)
    save_comparisons(ds, "people.jsonl")
    give(Path("people.jsonl").read_bytes())
    code, out, err = run(*command.split())
    assert code == 0, err
    assert rows_of(out) and "stdin" in err


def test_a_failure_writes_nothing_to_stdout(run, give):
    broken = json.dumps(dict(prompt="Tea?", chosen=3, rejected="No"))
    for content in ("nonsense\n", f"{LINE}\n{broken}\n", ""):
        give(content)
        code, out, err = run("convert", "-", "--out", "-")
        assert (code, out) == (1, ""), content
        assert err.startswith("error: ")


@pytest.mark.parametrize(
    "command, option",
    [
        ("train sample --out -", "--out"),
        ("report sample --model random --out -", "--out"),
        ("demo --out -", "--out"),
        ("vote sample --judge chat:m --out -", "--store"),
        ("vote sample --judge local:smollm2 --out -", "--store"),
        ("correlate - -", "DATA"),
    ],
)
def test_what_is_no_stream_is_refused_before_the_work(run, give, tmp_path, command, option):
    give(f"{LINE}\n")
    code, out, err = run(*command.split())
    assert code == 2 and option in err and not out
    assert not list(tmp_path.iterdir())


def test_rows_set_aside_are_said_to_be_lost(run, give):
    broken = json.dumps(dict(prompt="Tea?", chosen=3, rejected="No"))
    give(f"{LINE}\n{broken}\n")
    code, out, err = run("convert", "-", "--lenient", "--out", "-")
    assert code == 0 and len(rows_of(out)) == 1
    assert "are not kept with --out -" in err


def test_scored_files_and_reports_read_stdin(run, give):
    save_comparisons(
        simulate_votes(load_sample().select(range(10)), sample_population(), 5), "p.jsonl"
    )
    assert run("score", "p.jsonl", "--model", "random", "--out", "s.jsonl")[0] == 0
    give(Path("s.jsonl").read_bytes())
    code, out, err = run(*"correlate - --by none --n-boot 0".split())
    assert code == 0 and "overall" in out, err


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.jsonl.gz"])
def test_convert_changes_the_file_and_nothing_else(run, name):
    ds = simulate_votes(load_sample().select(range(10)), sample_population(), 5)
    save_comparisons(ds, "people.jsonl", dict(label=dict(how="draw")))
    code, _, err = run("convert", "people.jsonl", "--out", name)
    assert code == 0, err
    before, after = load_comparisons("people.jsonl"), load_comparisons(name)
    assert before.column_names == after.column_names and before[:] == after[:]
    note = json.loads(Path(f"{name}.json").read_text())
    assert note["settings"] == dict(label=dict(how="draw"))
    code, _, err = run("convert", "people.jsonl", "--out", "people.jsonl")
    assert code == 1 and "No input is overwritten" in err


def test_stages_take_maps_and_parts(run):
    Path("rated.csv").write_text(rated(60))
    for command in [
        "draw-labels rated.csv --votes human",
        "margin rated.csv --kind decisiveness --votes human",
    ]:
        code, _, err = run(*command.split(), *MAP, "--part", "test", "--out", "o.parquet")
        assert code == 0, err
        assert 0 < len(load_comparisons("o.parquet")) < 20
    code, _, err = run(*"draw-labels rated.csv --votes human --out x.parquet".split())
    assert code == 1  # without the map there are no votes


def test_training_takes_maps_and_limits(run):
    Path("mine.csv").write_text(
        "question,good,bad\n" + "".join(f"Is {k} odd?,Yes {k},No\n" for k in range(30))
    )
    train = "train mine.csv --objective bt --map prompt=question,chosen=good,rejected=bad"
    code, out, err = run(*train.split(), "--limit", "20", "--out", "model")
    assert code == 0, err
    assert "pairs                20" in out


def votes_a_row(pairs):
    "Five people vote on each of some pairs, a row a vote."
    return [
        dict(prompt=f"Tea, {i}?", response_a="Yes", response_b="No", annotator=f"p{k}", vote=vote)
        for i in range(pairs)
        for k, vote in enumerate(["A", "A", "B", "B", "tie"])
    ]


@pytest.mark.parametrize("option, rows", [("", 2), ("--merge", 2), ("--no-merge", 10)])
@pytest.mark.parametrize("command", ["draw-labels", "margin --kind decisiveness"])
def test_a_stage_merges_the_rows_of_a_foreign_file(run, command, option, rows):
    Path("long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in votes_a_row(2)))
    reading = f"--votes human --annotators-are people {option} --out o.parquet"
    code, _, err = run(*command.split(), "long.jsonl", *reading.split())
    assert code == 0, err
    made = load_comparisons("o.parquet", merge=False)
    assert len(made) == rows
    if rows == 2:
        assert [made[f"human_{o}"][:] for o in ("a", "b", "tie")] == [[2, 2], [2, 2], [1, 1]]


def test_so_does_training(run):
    Path("long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in votes_a_row(20)))
    train = "train long.jsonl --objective votes --votes human --annotators-are people --out model"
    code, out, err = run(*train.split())
    assert code == 0, err
    assert "pairs                20" in out


def test_a_stage_leaves_what_an_earlier_one_wrote_as_it_is(run):
    row = dict(prompt="Tea?", response_a="Yes", response_b="No", human_a=2, human_b=1)
    Path("twice.jsonl").write_text(f"{json.dumps(row)}\n" * 2)
    assert run(*"convert twice.jsonl --no-merge --out ours.jsonl".split())[0] == 0
    for option, rows in [("", 2), ("--merge", 1)]:
        command = f"draw-labels ours.jsonl --votes human --out o.parquet {option}"
        assert run(*command.split())[0] == 0
        assert len(load_comparisons("o.parquet", merge=False)) == rows


def test_so_do_statistics_of_rewards_that_somebody_else_gave(run):
    rows = [row | dict(reward_a=0.3, reward_b=0.1) for row in votes_a_row(6)]
    Path("long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = run(*"correlate long.jsonl --n-boot 20 --json".split())
    assert code == 0, err
    overall = json.loads(out)["correlation"][0]
    assert (overall["n"], overall["groups"]) == (6, 6)
