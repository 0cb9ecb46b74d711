"What stands at the name of an output: only what is ours is replaced, and nothing that is read."

import json
import sys

import pytest

from plurality_nb.cli import app as cli
from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import check_save, save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.simulation.users import sample_population, simulate_votes

RATED = [
    dict(prompt=f"Tea {i}?", response_a="Yes, please.", response_b="No", human_a=3, human_b=1)
    for i in range(4)
]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    "Runs a command in a scratch folder: exit code, and what it said on stderr."
    monkeypatch.chdir(tmp_path)

    def call(command):
        monkeypatch.setattr(sys, "argv", ["plurality", *command.split()])
        code = 0
        try:
            cli.main()
        except SystemExit as e:
            code = e.code or 0
        return code, capsys.readouterr().err

    return call


@pytest.fixture
def refused(run, tmp_path, monkeypatch):
    "Asserts that a command is refused before it reads anything, and leaves every file as it is."

    def bytes_of():
        return {p: (p.is_symlink(), p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file()}

    def call(command, *words, argument="--out"):
        before = bytes_of()
        with monkeypatch.context() as patch:
            patch.setattr(
                "plurality_nb.data.loading.open_source",
                lambda *_: pytest.fail(f"{command} began to read"),
            )
            code, err = run(command)
        assert code == 1 and f"`{argument}`: want" in err and "Traceback" not in err, (command, err)
        assert all(w in err for w in words), (command, err)
        assert bytes_of() == before, command

    return call


@pytest.fixture
def rated(tmp_path):
    "Rows that somebody wrote by hand."
    path = tmp_path / "rated.json"
    path.write_text(json.dumps(RATED))
    return path


def model_folder(path):
    from plurality_nb.rewards.probe_model import Probe, ProbeModel

    return ProbeModel(probe=Probe(769), name="mine").save(path)


def test_training_leaves_folders_of_others_alone(refused, tmp_path):
    photos = tmp_path / "home" / "photos"
    photos.mkdir(parents=True)
    (photos / "one.jpg").write_text("a memory")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "config.json").write_text('{"kind": "probe"}')
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "link").symlink_to(model_folder(tmp_path / "model"))
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    model_folder(tmp_path / "kept")
    (tmp_path / "kept" / "scores.csv").write_text("mine")
    for model in ("probe", "base"):
        for out, why in [
            ("home", "a folder without a model"),
            ("home/photos", "a folder without"),
            ("site", "a folder without a model"),
            (".", "the folder that this runs in"),
            ("..", "or one around it"),
            (tmp_path.parent, "or one around it"),
            ("/", "or one around it"),
            ("notes", "notes': a file"),
            ("link", "a link to"),
            ("dangling", "a link to"),
            ("kept", "beside it scores.csv"),
        ]:
            refused(f"train sample --model {model} --out {out}", why, "Give another name")


def test_training_leaves_its_inputs_alone(refused, tmp_path):
    save_comparisons(load_sample(), model_folder(tmp_path / "model") / "data.jsonl")
    model_folder(tmp_path / "base")
    for command in [
        "train model/data.jsonl --out model",
        "train sample --exclude model/data.jsonl --out model",
        "train sample --model base --eval model/data.jsonl --out model",
        "train sample --model base --out base",
    ]:
        refused(command, "No input is overwritten")


def test_a_model_takes_the_place_of_an_earlier_one_or_of_nothing(run, tmp_path):
    (tmp_path / "model").mkdir()
    for _ in range(2):
        code, err = run("train sample --objective bt --missing drop --out model")
        assert (
            code == 1 and "`out`" not in err
        )  # the sample has no labels, and that is what is said
    for step in [
        "vote sample --judge population --votes 4 --limit 30 --out v.parquet",
        "draw-labels v.parquet --how majority --out l.parquet",
        *["train l.parquet --objective bt --out model"] * 2,
    ]:
        code, err = run(step)
        assert code == 0, err
    files = sorted(p.name for p in (tmp_path / "model").iterdir())
    assert files == sorted(json.loads((tmp_path / "model" / "plurality.json").read_text())["files"])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "l.parquet",
        "l.parquet.json",
        "model",
        "v.parquet",
        "v.parquet.json",
    ]


def test_a_model_from_before_files_were_listed_is_replaced(tmp_path):
    note = model_folder(tmp_path / "m") / "plurality.json"
    note.write_text(
        json.dumps({k: v for k, v in json.loads(note.read_text()).items() if k != "files"})
    )
    assert "files" in json.loads((model_folder(tmp_path / "m") / "plurality.json").read_text())


def test_checkpoints_do_not_go_into_a_folder_of_another(refused, tmp_path):
    from plurality_nb.rewards.run import check_training

    folder = tmp_path / "mine.run"
    folder.mkdir()
    check_training(tmp_path / "mine")
    (folder / ".run.json.12.tmp").write_text(
        "{"
    )  # killed as it began, or another process is just beginning
    check_training(tmp_path / "mine")
    (folder / "run.json").write_text('{"speed": "slow"}')
    for more in ("", " --restart"):
        refused(
            f"train sample --model base --out mine{more}", "mine.run': a folder of something else"
        )
    (folder / "run.json").write_text('{"model": "base", "lora": 0, "data": "x"}')
    (folder / "checkpoint-7").mkdir()
    check_training(tmp_path / "mine")
    with pytest.raises(ContractError, match="not an input's"):  # the model that it begins with
        check_training(tmp_path / "mine", [folder / "checkpoint-7"])
    (folder / "precious.txt").write_text("mine")
    refused("train sample --model base --out mine --restart", "also contains 'precious.txt'")
    assert (folder / "precious.txt").read_text() == "mine"


def test_an_output_below_a_file_is_refused_before_the_work(refused, tmp_path):
    (tmp_path / "file.txt").write_text("mine")
    refused("taxonomy sample --out file.txt/out.parquet", "below")
    refused("report sample --model random --out file.txt/r.html", "below")
    assert (tmp_path / "file.txt").read_text() == "mine"


def test_a_report_leaves_what_is_no_report_alone(refused, run, rated, tmp_path):
    refused(
        "report rated.json --model random --by none --out rated.html",
        "rated.json",
        "No input is overwritten",
    )
    (tmp_path / "own.html").write_text("<html>")
    (tmp_path / "plan.json").write_text('{"title": "mine"}')
    (tmp_path / "folder").mkdir()
    for out, why in [
        ("own.html", "a file of something else"),
        ("plan.html", "plan.json': a file of something else"),
        ("folder", "a folder"),
        (".", "a folder"),
        ("/dev/null", "a device"),
    ]:
        refused(f"report rated.json --model random --by none --out {out}", why)
    (tmp_path / "page.html.rejects.jsonl").write_text('{"mine": 1}\n')
    code, err = run("report rated.json --model random --by none --n-boot 0 --out page.html")
    assert code == 1 and "`--out`: want" in err and not (tmp_path / "page.html").exists()
    (tmp_path / "page.html.rejects.jsonl").unlink()
    for _ in range(2):
        code, err = run("report rated.json --model random --by none --n-boot 0 --out page.html")
        assert code == 0, err


def test_stages_leave_their_inputs_and_files_of_others_alone(refused, rated, tmp_path):
    save_comparisons(load_sample(), tmp_path / "ours.parquet")
    (tmp_path / "who.csv").write_text("user_id,age\n")
    (tmp_path / "linked.parquet").symlink_to(tmp_path / "ours.parquet")
    (tmp_path / "new.parquet.json").write_text('{"settings": {"mine": 1}}')
    stages = [
        "taxonomy {} --out {}",
        "vote {} --judge population --out {}",
        "calibrate {} --out {}",
        "draw-labels {} --out {}",
        "margin {} --out {}",
        "score {} --model random --out {}",
        "select {} --limit 3 --out {}",
    ]
    for stage in stages:
        refused(stage.format("ours.parquet", "ours.parquet"), "No input is overwritten")
        refused(stage.format("ours.parquet", "./x/../ours.parquet"), "No input is overwritten")
        refused(stage.format("sample", "who.csv"), "a file that no stage wrote")
        refused(stage.format("sample", "linked.parquet"), "a link to")
        refused(
            stage.format("sample", "new.parquet"), "new.parquet.json': a file of something else"
        )
    refused("calibrate sample --rated ours.parquet --out ours.parquet", "No input is overwritten")
    refused(
        "vote sample --judge recorded:ours.parquet --out ours.parquet", "No input is overwritten"
    )
    refused(
        "vote sample --judge population --examples ours.parquet --out ours.parquet",
        "No input is overwritten",
    )
    refused("score sample --model random --people who.csv --out who.csv", "No input is overwritten")
    refused("select sample --votes-from ours.parquet --out ours.parquet", "No input is overwritten")
    notes = tmp_path / "b.parquet.json"
    notes.write_text(json.dumps(RATED))
    refused("margin b.parquet.json --out b.parquet", "No input is overwritten")


def test_a_stage_takes_the_place_of_its_earlier_output(run, tmp_path):
    (tmp_path / "r.csv").touch()
    for seed in (1, 2):
        code, err = run(f"score sample --model random --seed {seed} --out r.csv")
        assert code == 0, err
    assert json.loads((tmp_path / "r.csv.json").read_text())["seed"] == 2


def test_a_file_that_broke_off_after_its_note_is_written_again(tmp_path, monkeypatch):
    from plurality_nb.data import outputs

    replace = outputs.os.replace

    def dies(source, target):
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs.os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        save_comparisons(load_sample(), tmp_path / "x.parquet")
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet.json"]
    assert len(load_comparisons(save_comparisons(load_sample(), tmp_path / "x.parquet"))) == 256


def test_the_interface_of_python_refuses_as_well(rated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ds = load_sample()
    with pytest.raises(ContractError, match="No input is overwritten"):
        save_comparisons(ds, save_comparisons(ds, "ours.jsonl"), inputs=("ours.jsonl",))
    with pytest.raises(ContractError, match="No input is overwritten"):
        read_comparisons(rated, strict=False, rejects=rated)
    (tmp_path / "mine.jsonl").write_text("[1]\n")
    with pytest.raises(ContractError, match="a file of something else"):
        read_comparisons("sample", strict=False, rejects="mine.jsonl")
    with pytest.raises(ContractError, match="a folder without a model"):
        (tmp_path / "d" / "sub").mkdir(parents=True)
        model_folder("d")
    check_save("mine.csv", [ds, None, "sample", ""])


def test_sheets_that_people_filled_in_are_kept(refused, run, tmp_path):
    import pandas as pd

    for seed in (0, 1):
        code, err = run(f"select sample -n 4 --by random --seed {seed} --out sheet.csv")
        assert code == 0, err
    sheet = pd.read_csv(tmp_path / "sheet.csv", dtype=str, keep_default_na=False)
    sheet.assign(vote=["", "", "", "a"]).to_csv(tmp_path / "sheet.csv", index=False)
    sheet.assign(mood="").to_csv(tmp_path / "more.csv", index=False)
    save_comparisons(load_sample(), tmp_path / "ours.csv")
    for out, why in [
        ("sheet.csv", "a sheet that somebody filled in"),
        ("more.csv", "something else"),
        ("ours.csv", "something else"),
    ]:
        refused(f"select sample -n 4 --by random --out {out}", why)
    refused("select sample --votes-from sheet.csv --out sheet.csv", "No input is overwritten")
    refused("select sample --limit 2 --out sheet.csv", "a file that no stage wrote")


def test_the_demo_and_a_study_leave_files_of_others_alone(refused, tmp_path):
    from plurality_nb.studies import run as study
    from plurality_nb.studies.config import load_study

    for name in ("forest.svg", "report.json", "margin.parquet"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text("mine")
        refused(f"demo --out {folder}", name)
    save_comparisons(
        simulate_votes(load_sample(), sample_population(), 5), tmp_path / "people" / "votes.parquet"
    )
    save_comparisons(load_sample(), tmp_path / "pairs.parquet")
    (tmp_path / "study.toml").write_text(
        'pairs = [{data = "pairs.parquet"}]\npeople = [{data = "people/votes.parquet", name = "votes"}]\n[[ways]]\nmodel = "population"\n[[arms]]\nobjective = "bt"\n'
    )
    refused("study run study.toml --out .", "No input is overwritten")
    settings = load_study(tmp_path / "study.toml")
    train = next(s for s in study.study_steps(settings) if s.stage == "train")
    for file in (
        "summary.csv",
        "report.html",
        "report.json",
        "taxonomy.parquet",
        f"{train.file}/mine.txt",
        "stages/summary.csv.json",
    ):
        mine = tmp_path / "out" / file
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")
        refused("study run study.toml --out out", file.partition("/mine")[0])
        with pytest.raises(ContractError, match="`out`: want"):
            study.run_study(settings, tmp_path / "out", progress=False)
        mine.rename(tmp_path / "set_aside")
        for parent in list(mine.parents)[: len(mine.relative_to(tmp_path).parts) - 1]:
            parent.rmdir()


def test_what_is_explored_does_not_overwrite(tmp_path):
    from plurality_nb.reports.explorer import Explorer

    for name, text in [
        ("list.json", "[1]"),
        ("other.json", '{"a": 1}'),
        ("data.parquet.json", '{"settings": {}}'),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises(ContractError, match="Fix the file or name another"):
            Explorer(load_sample(), notes=tmp_path / name)
        assert (tmp_path / name).read_text() == text
    with pytest.raises(ContractError, match="`out`: want"):
        Explorer(load_sample()).save(tmp_path / "data.parquet")
    assert (tmp_path / "data.parquet.json").read_text() == '{"settings": {}}' and not (
        tmp_path / "data.parquet"
    ).exists()
