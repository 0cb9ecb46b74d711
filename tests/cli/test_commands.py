"What holds for every command: files that are missing, names in messages, work that was not done."

import importlib
import json
import re
from pathlib import Path

import pytest
import typer

from plurality_nb import __version__
from plurality_nb.cli import app
from plurality_nb.data.build import with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import read_settings, save_comparisons
from plurality_nb.simulation.users import sample_population, simulate_votes

FAULTS = Path(__file__).parents[1] / "faults"


@pytest.fixture
def run(monkeypatch, command_line, tmp_path):
    monkeypatch.chdir(tmp_path)
    return command_line


def rated(n, **columns):
    "The first pairs of the sample with people's votes and rewards."
    ds = simulate_votes(load_sample().select(range(n)), sample_population(), 7)
    numbers = [float(k % 5) for k in range(n)]
    return with_columns(ds, reward_a=numbers, reward_b=numbers[::-1], seen=[False] * n, **columns)


def test_no_command_escapes_the_trials_of_outputs(monkeypatch):
    monkeypatch.syspath_prepend(str(FAULTS))
    tried = {
        name.removesuffix(" sheet") for name in importlib.import_module("break_outputs").COMMANDS
    }
    program = typer.main.get_command(app.commands)
    known = set()
    for name, command in program.commands.items():
        inner = getattr(command, "commands", {"": command})
        known |= {f"{name} {sub}".strip() for sub in inner}
        assert all(isinstance(one, app.CheckedCommand) for one in inner.values()), name
    # `explore` serves until it is stopped; notes are all it writes, as tests of the panel hold.
    assert known - {"explore"} == tried


@pytest.mark.parametrize(
    "command, option",
    [
        ("inspect gone.csv", "DATA"),
        ("taxonomy gone.csv --out x.parquet", "DATA"),
        ("vote gone.csv --judge chat:m --out x.xlsx", "DATA"),
        ("vote sample --judge recorded:gone.parquet --out x.parquet", "--judge"),
        ("vote sample --judge population --people gone.csv --out x.parquet", "--people"),
        ("vote sample --judge chat:m --examples gone.csv --out x.parquet", "--examples"),
        ("calibrate sample --rated gone.parquet --out x.xlsx", "--rated"),
        ("draw-labels gone.parquet --out x.parquet", "DATA"),
        ("margin gone.parquet --out gone.parquet", "DATA"),
        ("train gone.parquet --out m", "DATA"),
        ("train sample --exclude gone.parquet --out m", "--exclude"),
        ("train sample --model base --eval gone.parquet --out m", "--eval"),
        ("score gone.parquet --model nowhere --out x.parquet", "DATA"),
        ("select sample --votes-from gone.csv --out x.csv", "--votes-from"),
        ("correlate gone.parquet", "SCORED..."),
        ("report gone.csv --model nowhere", "DATA..."),
        ("store show gone.sqlite", "STORE"),
        ("store merge gone.sqlite --out x.sqlite", "STORES..."),
        ("study run gone.toml --out x --dry-run", "CONFIG"),
    ],
)
def test_a_missing_file_is_named_first(run, tmp_path, command, option):
    code, out, err = run(*command.split())
    assert code == 1
    assert err.startswith(f"error: `{option}`: want")
    assert "gone." in err and "No such file here" in err
    assert not out and not list(tmp_path.iterdir())


def test_the_version(run):
    assert run("--version")[:2] == (0, f"plurality_nb {__version__}\n")


def test_errors_name_options(run):
    for command, option in [
        ("vote sample --judge population --votes 3 --limit 4 --out x.parquet", "--votes"),
        ("vote sample --judge nobody --limit 4 --out x.parquet", "--judge"),
        ("vote sample --judge population --limit 4 --out x.xlsx", "--out"),
        ("inspect sample --format odd", "--format"),
        ("select sample --n 4 --by random --out x.parquet/y.csv", ""),
    ]:
        Path("x.parquet").touch()
        code, _, err = run(*command.split())
        assert code == 1 and f"`{option or '--out'}`: want" in err, err


def test_a_column_keeps_its_name(run):
    Path("rows.jsonl").write_text(json.dumps(dict(prompt="Tea?", response_a="Yes", response_b=3)))
    _, _, err = run("inspect", "rows.jsonl")
    assert "`response_b`" in err and "row" in err


@pytest.mark.parametrize(
    "rows, statistic", [(1, "spearman"), (4, "accuracy"), (6, "spearman"), (9, "log_loss")]
)
def test_too_few_prompts_are_said_in_the_terminal(run, rows, statistic):
    save_comparisons(rated(rows), "s.parquet", dict(score=dict(model="mine", settings={})))
    code, out, err = run(
        *f"correlate s.parquet --by none --n-boot 40 --statistic {statistic}".split()
    )
    assert code == 0, err
    # the model's row or, of few models, that of all pairs
    shown = next(line for line in out.splitlines() if line.startswith(("overall", "mine")))
    assert "]" not in shown.replace("[none]", "")
    if rows < 5:
        assert "–" in shown and "1.00" not in shown
        assert "fewer than 5 prompts, too few for a value: overall" in out
    else:
        assert "too few for an interval: overall" in out
    code, out, _ = run(*"correlate s.parquet --by none --n-boot 40 --json".split())
    table = json.loads(out)["correlation"]
    assert all(row["reason"] for row in table)
    assert all(row["low"] is None for row in table)
    assert rows >= 5 or all(row["value"] is None for row in table)


def test_a_small_slice_among_large_ones_is_said(run):
    ds = rated(60)
    slices = ["few" if k < 3 else "some" if k < 10 else "many" for k in range(60)]
    save_comparisons(with_columns(ds, kind=slices), "s.parquet")
    _, out, _ = run(*"correlate s.parquet --by kind --n-boot 40".split())
    assert "too few for a value: few" in out
    assert "too few for an interval: some" in out
    rows = [re.split(r"\s{2,}", line) for line in out.splitlines()[1:]]
    slices, values = (next(row for row in rows if row[0] == name) for name in ("kind", "random"))
    by_slice = dict(zip(slices, values, strict=True))
    assert by_slice["few"] == "–"
    assert by_slice["some"].endswith("[none]")
    assert "[" in by_slice["many"] and "[none]" not in by_slice["many"]


def test_there_is_no_interval_without_variation(run):
    ds = rated(30)
    shares = [a + tie / 2 for a, tie in zip(ds["human_a"], ds["human_tie"])]
    save_comparisons(with_columns(ds, reward_a=shares, reward_b=[3.5] * 30), "s.parquet")
    _, out, _ = run(*"correlate s.parquet --by none --n-boot 40".split())
    assert "1.00 [none]" in out
    assert "every resample gives the same value" in out


def test_the_report_says_it_as_well(run):
    save_comparisons(rated(3), "s.parquet", dict(score=dict(model="mine", settings={})))
    code, _, err = run(*"report s.parquet --by none --n-boot 20 --out page.html".split())
    assert code == 0, err
    numbers = json.loads(Path("page.json").read_text())
    assert all(row["value"] is None and row["reason"] for row in numbers["correlation"])
    assert "too few for a value" in Path("page.html").read_text()
    assert any("cannot be measured" in sentence for sentence in numbers["findings"])


def test_what_was_not_done_is_no_success(run, tmp_path):
    bare = load_sample().select(range(6))
    save_comparisons(bare, "bare.parquet")
    for command in [
        "draw-labels bare.parquet --out x.parquet",
        "draw-labels bare.parquet --votes human --how majority --out x.parquet",
        "margin bare.parquet --out x.parquet",
        "margin bare.parquet --kind constant --votes human --out x.parquet",
    ]:
        code, _, err = run(*command.split())
        assert code == 1 and ("none for 6 pairs" in err or "got none" in err), (command, err)
        assert not (tmp_path / "x.parquet").exists()
    few = with_columns(bare, judge_a=[2.0] + [None] * 5, judge_b=[1.0] + [None] * 5)
    save_comparisons(with_columns(few, judge_tie=[0.0] + [None] * 5), "few.parquet")
    code, _, err = run("draw-labels", "few.parquet", "--out", "x.parquet")
    assert code == 0 and "warning: no label for 5 of 6 pairs" in err


def test_ties_are_votes(run):
    rows = [
        dict(prompt=f"{k}?", response_a="a", response_b=f"b{k}", human_a=0, human_b=0, human_tie=3)
        for k in range(6)
    ]
    Path("ties.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = run(*"report ties.jsonl --model random --by none".split())
    assert code == 1 and "only ties, 18 of them, on 6 pairs" in err


def test_overwrite_frees_a_foreign_name_but_no_input(run, tmp_path):
    Path("mine.csv").write_text("a,b\n1,2\n")
    score = "score sample --limit 5 --model random --out mine.csv"
    code, _, err = run(*score.split())
    assert code == 1 and "`--overwrite`" in err and Path("mine.csv").read_text() == "a,b\n1,2\n"
    assert run(*score.split(), "--overwrite")[0] == 0
    assert len(load_comparisons("mine.csv")) == 5
    Path("mine.csv").write_text(Path("mine.csv").read_text() + "\n")  # edited by hand
    code, _, err = run(*score.split())
    assert code == 1 and "was changed after a stage wrote it" in err
    code, _, err = run(*"score mine.csv --model random --out mine.csv --overwrite".split())
    assert code == 1 and "No input is overwritten" in err


@pytest.mark.parametrize("value", ["[]", '"x"', "3", '{"score": 1}', '{"score": {"model": 3}}'])
@pytest.mark.parametrize("key", ["settings", "columns"])
def test_broken_notes_are_named(run, key, value):
    save_comparisons(rated(12), "s.parquet", dict(score=dict(model="mine", settings={})))
    note = json.loads(Path("s.parquet.json").read_text())
    Path("s.parquet.json").write_text(json.dumps(note | {key: json.loads(value)}))
    before = Path("s.parquet").read_bytes()
    for command in ["correlate s.parquet --by none --n-boot 0", "inspect s.parquet"]:
        code, _, err = run(*command.split())
        assert code in (0, 1) and "(--debug shows where)" not in err, (command, err)
        if code:
            assert "s.parquet" in err, err
    assert Path("s.parquet").read_bytes() == before


def test_a_full_disk_is_said_before_the_work(run, tmp_path, monkeypatch):
    from collections import namedtuple

    from plurality_nb.data import outputs

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(outputs.shutil, "disk_usage", lambda _: usage(10, 10, 0))
    code, _, err = run(*"vote sample --judge population --out v.parquet".split())
    assert code == 1 and "bytes of free space" in err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("full", ["v.parquet", "other", "other/votes.sqlite"])
def test_so_is_one_that_is_full_under_the_store(full, run, tmp_path, monkeypatch):
    from collections import namedtuple

    from plurality_nb.data import outputs

    (tmp_path / "other").mkdir()
    usage = namedtuple("usage", "total used free")
    is_full = tmp_path if full == "v.parquet" else tmp_path / "other"
    room = {is_full.resolve(): 0}
    monkeypatch.setattr(
        outputs.shutil,
        "disk_usage",
        lambda path: usage(1, 1, room.get(Path(path).resolve(), 2**40)),
    )
    vote = "vote sample --judge chat:m --base-url http://127.0.0.1:9/v1 --out v.parquet --store"
    code, _, err = run(*vote.split(), "other/votes.sqlite")
    named = "--out" if full == "v.parquet" else "--store"
    assert code == 1 and f"`{named}`: want" in err and "bytes of free space" in err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_open_store_needs_room_as_well(tmp_path, monkeypatch):
    from collections import namedtuple

    from plurality_nb.data import outputs
    from plurality_nb.errors import ContractError
    from plurality_nb.judges.store import VoteStore

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(outputs.shutil, "disk_usage", lambda _: usage(10, 10, 0))
    with pytest.raises(ContractError, match=r"`store`: want .* bytes of free space"):
        VoteStore(tmp_path / "votes.sqlite", {})
    assert not list(tmp_path.iterdir())


def test_settings_of_a_foreign_note_are_not_read():
    assert read_settings("nowhere.parquet") == {}


def test_groups_pass_from_command_to_command_and_near_prompts_are_left_out(run, caplog):
    talk = [dict(role="user", content="Name a colour."), dict(role="assistant", content="Blue.")]
    longer = [*talk, dict(role="user", content="Why do so many people like just this one?")]
    changed = [*talk, dict(role="user", content=longer[2]["content"].replace("one", "colour"))]
    rows = [
        dict(prompt=prompt, response_a="Yes", response_b="No", human_a=3, human_b=1)
        for prompt in [talk[:1], longer, changed, *(f"Name {n} towns." for n in range(5))]
    ]
    Path("talks.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    save_comparisons(load_comparisons(rows[1:2]), "people.parquet")
    for grouping, groups in [("first-turn", 6), ("near", 7), ("exact", 8)]:
        caplog.clear()
        asked = "vote talks.jsonl --judge population --votes 2 --out t.parquet --group-by"
        assert run(*asked.split(), grouping)[0] == 0
        assert (f"8 prompts are {groups} groups" in caplog.text) is (groups < 8)
        assert run(*"draw-labels t.parquet --votes human --out l.parquet".split())[0] == 0
        assert len(set(load_comparisons("l.parquet")["group"])) == groups
    train = "train l.parquet --objective bt --exclude people.parquet --out m"
    for option, pairs in [("", 6), (" --no-exclude-near", 7)]:
        caplog.clear()
        code, out, _ = run(*f"{train}{option}".split())
        assert code == 0 and f"pairs                {pairs}" in out
        assert ("1 of them as near-duplicates" in caplog.text) is (pairs == 6)


REPEATED = [
    ("vote sample --judge population --judge chat:m --out v.jsonl", "--judge", "once for each"),
    ("vote sample --judge chat:m --judge=chat:m --out v.jsonl", "--judge", "once for each"),
    ("inspect sample --seed 1 --seed 2", "--seed", "Keep one"),
    ("inspect sample --map a=b --limit 3 --map c=d", "--map", "Keep one"),
    ("vote sample --n-votes 4 --judge population --votes 6 --out v.jsonl", "votes", "Keep one"),
]


@pytest.mark.parametrize("line, option, remedy", REPEATED)
def test_an_option_of_one_value_is_not_given_twice(run, tmp_path, line, option, remedy):
    code, _, err = run(*line.split())
    plain = " ".join(err.replace("│", " ").split())
    assert code == 2 and "want it once, got it 2 times" in plain
    assert option in plain and remedy in plain
    assert not [*tmp_path.iterdir()]


def test_lists_and_flags_may_be_given_twice(run):
    code, _, err = run(*"inspect sample --no-merge --no-merge --limit 3".split())
    assert code == 0, err
    code, _, err = run(*"report a.jsonl --where age=1 --where age=2 --out r.html".split())
    assert "once" not in err


def test_why_a_rate_is_not_known_is_said(run):
    run(*"vote sample --limit 20 --judge population --votes 2 --out v.jsonl".split())
    code, out, err = run(*"vote sample --limit 20 --judge recorded:v.jsonl --out w.jsonl".split())
    assert code == 0, err
    assert out.count("not known: the votes do not say which response was shown first") == 2


@pytest.mark.parametrize("name, ordered", [("reward:m", False), ("chat:m", True)])
def test_rates_of_fractional_votes_are_explained_plainly(name, ordered, capsys):
    from types import SimpleNamespace

    import numpy as np

    from plurality_nb.cli.messages import print_facts
    from plurality_nb.cli.voting import why_unknown
    from plurality_nb.evaluation.disagreement import order_effects

    votes = np.array([[[0.7, 0.3, 0, 0], [0.7, 0.3, 0, 0]]] * 3)
    if ordered:
        votes = np.array([[[0, 0, 1.0, 0], [0, 0, 1.0, 0]]] * 3)
    effects = order_effects(votes, ordered=ordered)
    print_facts(
        dict(order=effects), False, why_unknown(SimpleNamespace(name=name, ordered=ordered))
    )
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines()[2:])
    reasons = [lines["first_rate"], lines["flip_rate"]]
    if ordered:
        assert "every vote is a tie" in reasons[0] and "no pair has a winner" in reasons[1]
    else:
        assert all("scores each response by itself" in reason for reason in reasons)


CELLS = ["prompt", "response_a", "response_b", "judge_a", "judge_b"]


def write_cells(path, separator, rows, encoding="utf-8"):
    lines = [separator.join(cells) for cells in [CELLS, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding=encoding)


@pytest.mark.parametrize(
    "name, separator, encoding",
    [("x.tsv", "\t", "utf-8"), ("x.csv", ";", "utf-8-sig"), ("x.csv", "\t", "utf-16")],
)
def test_tables_of_spreadsheets_are_read(run, tmp_path, name, separator, encoding):
    comma = separator == ";"
    votes = ["2,5", "1,5"] if comma else ["2.5", "1.5"]
    rows = [[f"question {k}", "1,5", "a, or b", *votes] for k in range(12)]
    write_cells(tmp_path / name, separator, rows, encoding)
    code, _, err = run("inspect", name)
    assert code == 0 and "12 rows, 12 pairs kept" in err
    code, _, err = run("convert", name, "--out", "read.jsonl")
    assert code == 0, err
    pair = json.loads((tmp_path / "read.jsonl").read_text().splitlines()[0])
    assert {pair["response_a"], pair["response_b"]} == {"1,5", "a, or b"}  # texts stay as they are
    assert {pair["judge_a"], pair["judge_b"]} == {2.5, 1.5}
    ask = ["report", name, "--model", "longer response", "--votes", "judge", "--by", "none"]
    code, _, err = run(*ask, "--n-boot", "20", "--out", "page.html")
    assert code == 0, err
    assert (tmp_path / "page.html").exists()


def test_a_comma_in_numbers_is_not_guessed_at_where_it_could_mean_thousands(run, tmp_path):
    write_cells(tmp_path / "x.csv", ",", [["q", "a", "b", '"2,500"', "1"]])
    code, _, err = run("inspect", "x.csv")
    assert code == 1
    assert "`judge_a`: want a finite number >= 0, got '2,500'" in err
    assert "by semicolons, and two thousand as 2000" in err


def test_what_a_margin_lacks_is_said(run, tmp_path):
    rows = [[f"question {k}", "a", "b", "3", "1"] for k in range(6)]
    write_cells(tmp_path / "x.csv", ",", rows)
    margin = "margin {} --kind signed --out m.parquet --overwrite"
    code, _, err = run(*margin.format("x.csv").split())
    assert code == 1
    assert "`label`: want a label in at least one row" in err and "got none in 6 rows" in err
    assert "`plurality draw-labels`" in err and "`--kind decisiveness`" in err
    assert "votes: `plurality vote`" not in err  # they are there
    assert run(*"draw-labels x.csv --out l.jsonl".split())[0] == 0
    assert run(*margin.format("l.jsonl").split())[0] == 0
    labelled = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    few = [dict(pair, label=None, label_source=None) for pair in labelled[1:]]
    lines = [json.dumps(pair) for pair in [labelled[0], *few]]
    (tmp_path / "few.jsonl").write_text("\n".join(lines) + "\n")
    code, _, err = run(*margin.format("few.jsonl").split())
    assert code == 0
    assert "no margin for 5 of 6 pairs. 5 have no label, which this `--kind` needs" in err


def test_ties_that_controls_leave_out_are_said(run, tmp_path):
    write_cells(tmp_path / "x.csv", ",", [[f"question {k}", "a", "b", "3", "1"] for k in range(6)])
    assert run(*"draw-labels x.csv --out l.jsonl".split())[0] == 0
    pairs = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    tied = [dict(pair, label=0.5) for pair in pairs[2:]]
    lines = [json.dumps(pair) for pair in [*pairs[:2], *tied]]
    (tmp_path / "few.jsonl").write_text("\n".join(lines) + "\n")
    code, _, err = run(*"margin few.jsonl --kind permuted --out m.parquet".split())
    assert code == 0
    assert "no margin for 4 of 6 pairs. 4 have a tie as label" in err
