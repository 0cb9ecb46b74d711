"The command line as a script would use it: exit codes, streams, files."
import json
import sys

import pytest

from plurality_nb import cli
from plurality_nb.comparisons import swap_sides
from plurality_nb.sources import load_comparisons, read_settings, save_comparisons


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    "Runs a command in a scratch folder: exit code, stdout, stderr."
    monkeypatch.chdir(tmp_path)

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["plurality", *map(str, args)])
        code = 0
        try:
            cli.main()
        except SystemExit as e:
            code = e.code or 0
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def test_the_road_and_what_its_files_say(run, tmp_path):
    steps = ["vote sample --judge population --votes 4 --limit 60 --out v.parquet", "draw-labels v.parquet --how majority --out l.parquet",
             "margin l.parquet --kind signed --scale 2 --out m.parquet", "train m.parquet --objective signed_margin --out model",
             "score m.parquet --model model --out s.parquet", "score m.parquet --model random --out r.jsonl"]
    for step in steps:
        code, out, err = run(*step.split())
        assert code == 0, err
    assert "were" not in out and "trained on the prompts" not in err
    settings = read_settings("s.parquet")
    assert settings["vote"]["votes"] == 4 and settings["margin"]["scale"] == 2 and settings["score"]["model"] == "model"
    assert settings["score"]["settings"]["data"]["label"]["how"] == "majority"
    note = json.loads((tmp_path / "s.parquet.json").read_text())
    assert note["command"] == "plurality score m.parquet --model model --out s.parquet" and len(note["inputs"]) == 2
    assert all(len(i["sha256"]) == 64 for i in note["inputs"])

    code, out, err = run(*"correlate s.parquet r.jsonl --votes judge --by written_quadrant --include-seen --n-boot 50 --baseline random --json".split())
    # 'random' is a file's model here and a baseline as well
    assert code == 0, err
    found = json.loads(out)
    assert {r["model"] for r in found["correlation"]} == {"model", "random", "longer response"}
    assert {r["model"] for r in found["differences"]} == {"model"}

    save_comparisons(swap_sides(load_comparisons("s.parquet", merge=False)), "swapped.parquet", settings)
    _, again, _ = run(*"correlate swapped.parquet r.jsonl --votes judge --by written_quadrant --include-seen --n-boot 50 --baseline random --json".split())
    for a, b in zip(found["correlation"], json.loads(again)["correlation"]):
        assert a["value"] == pytest.approx(b["value"], abs=1e-12) and a["low"] == pytest.approx(b["low"], abs=1e-12)

    code, out, err = run(*"report s.parquet r.jsonl --votes judge --by written_quadrant --include-seen --n-boot 50 --out page.html".split())
    assert code == 0 and out.strip() == "page.html" and "<svg" in (tmp_path / "page.html").read_text()


def test_seen_prompts_are_said_and_left_out(run, caplog):
    for step in ["vote sample --judge population --limit 40 --out v.parquet", "draw-labels v.parquet --out l.parquet", "train l.parquet --objective bt --out model"]:
        assert run(*step.split())[0] == 0
    code, _, err = run(*"score l.parquet --model model --out s.parquet".split())
    assert code == 0 and "was trained on the prompts of" in err
    code, _, err = run(*"correlate s.parquet --votes judge --by none --n-boot 0".split())
    assert code == 0 and "seen; a model was trained on the prompts it has seen" in caplog.text


def test_exit_codes_and_messages(run, tmp_path):
    assert run("--help")[0] == 0
    assert run("score")[0] == 2
    assert run("margin", "sample", "--kind", "wide", "--out", "x.parquet")[0] == 2
    code, out, err = run("score", "nowhere.csv", "--model", "random", "--out", "x.parquet")
    assert code == 1 and out == "" and "No such file here" in err and "Traceback" not in err
    code, _, err = run("score", "sample", "--model", "random", "--out", "x.xlsx")
    assert code == 1 and "`path`: want a name that ends in" in err
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError):
        run("--debug", "inspect", "nowhere.csv")
    assert run("inspect", "nowhere.csv")[0] == 1


def test_lenient_loading_leaves_a_reject_file(run, real, tmp_path):
    path = real("pandalm_testset_part.json")
    code, _, err = run("score", path, "--model", "longer response", "--out", "s.parquet")
    assert code == 1 and all(f"row {i}: `response" in err for i in (97, 98, 100, 101, 102))
    code, _, err = run("score", path, "--model", "longer response", "--lenient", "--out", "s.parquet")
    assert code == 0 and "40 with an empty response" in err
    rejects = [json.loads(l) for l in (tmp_path / "s.parquet.rejects.jsonl").open()]
    assert [r["row"] for r in rejects] == [97, 98, 100, 101, 102] and {r["reason"] for r in rejects} == {"`response1` is not text", "`response2` is not text"}
    code, out, _ = run("inspect", path, "--lenient", "--json")
    facts = json.loads(out)
    assert (facts["read"], facts["kept"], facts["empty"]) == (568, 511, 40) and facts["votes"]["overall"]["pairs"] == 511
