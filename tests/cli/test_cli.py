"The command line as a script would use it: exit codes, streams, files."

import json

import pytest

from plurality_nb.cli import correlating
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.saving import read_settings, save_comparisons
from plurality_nb.evaluation.bootstrap import MIN_GROUPS


@pytest.fixture
def run(monkeypatch, command_line, tmp_path):
    "Runs a command in a scratch folder: exit code, stdout, stderr."
    monkeypatch.chdir(tmp_path)

    return command_line


def test_the_road_and_what_its_files_say(run, tmp_path):
    steps = [
        "vote sample --judge population --votes 4 --limit 60 --out v.parquet",
        "draw-labels v.parquet --how majority --out l.parquet",
        "margin l.parquet --kind signed --scale 2 --out m.parquet",
        "train m.parquet --objective signed_margin --out model",
        "score m.parquet --model model --out s.parquet",
        "score m.parquet --model random --out r.jsonl",
    ]
    for step in steps:
        code, out, err = run(*step.split())
        assert code == 0, err
    assert "were" not in out
    assert "trained on the prompts" not in err
    settings = read_settings("s.parquet")
    assert settings["vote"]["votes"] == 4
    assert settings["margin"]["scale"] == 2
    assert settings["score"]["model"] == "model"
    assert settings["score"]["settings"]["data"]["label"]["how"] == "majority"
    note = json.loads((tmp_path / "s.parquet.json").read_text())
    assert note["command"] == "plurality score m.parquet --model model --out s.parquet"
    assert len(note["inputs"]) == 2
    assert all(len(i["sha256"]) == 64 for i in note["inputs"])

    code, out, err = run(
        *"correlate s.parquet r.jsonl --votes judge --by written_quadrant --include-seen --n-boot 50 --baseline random --json".split()
    )
    # 'random' is a file's model here and a baseline as well
    assert code == 0, err
    found = json.loads(out)
    assert {r["model"] for r in found["correlation"]} == {"model", "random", "longer response"}
    assert {r["model"] for r in found["differences"]} == {"model", "longer response"}
    tested = [r for r in found["differences"] if r["p"] is not None]
    assert {r["model"] for r in tested} == {"model", "longer response"}
    assert all(0 < r["p"] <= r["p_holm"] <= 1 for r in tested)
    assert all(r["groups"] < MIN_GROUPS for r in found["differences"] if r["p"] is None)
    shared = {"model", "written_quadrant", "statistic", "value", "low", "high", "n", "groups"}
    assert all(
        shared <= set(found[k][0])
        for k in ["correlation", "scores", "ceilings", "matched", "differences"]
    )

    save_comparisons(
        swap_sides(load_comparisons("s.parquet", merge=False)), "swapped.parquet", settings
    )
    _, again, _ = run(
        *"correlate swapped.parquet r.jsonl --votes judge --by written_quadrant --include-seen --n-boot 50 --baseline random --json".split()
    )
    for a, b in zip(found["correlation"], json.loads(again)["correlation"]):
        assert a["value"] == pytest.approx(b["value"], abs=1e-12)
        assert a["low"] == pytest.approx(b["low"], abs=1e-12)

    code, out, err = run(
        *"report s.parquet r.jsonl --votes judge --by written_quadrant --include-seen --n-boot 50 --out page.html".split()
    )
    assert code == 0
    assert out.strip() == "page.html"
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_any_statistic_can_be_printed(run):
    from plurality_nb.evaluation import correlation, crowds, scores

    own = {"reliability", "votes_needed", "disattenuated"}
    every = {*correlation.STATISTICS, *scores.SCORES, *crowds.CROWD_SCORES, *own}
    assert set(correlating.Statistic.__args__) == every
    for step in [
        "vote sample --judge population --votes 4 --limit 40 --out v.parquet",
        "score v.parquet --model random --out s.parquet",
    ]:
        assert run(*step.split())[0] == 0
    common = "correlate s.parquet --votes judge --by none --n-boot 20 --baseline"
    for statistic, models, compared in [
        ("pearson", ["random", "noise ceiling"], "pearson"),
        ("log_loss", ["random", "noise ceiling"], "log_loss"),
        ("brier", ["votes", "noise ceiling"], "brier"),
        ("tempered_brier", ["random"], "tempered_brier"),
        ("slope", ["random"], "spearman"),
        ("votes_needed", ["noise ceiling"], "spearman"),
        ("disattenuated", ["random"], "spearman"),
        ("tied_auroc", ["random", "noise ceiling"], "spearman"),
        ("crowd_error", ["random"], "spearman"),
    ]:
        code, out, err = run(*common.split(), "random", "--statistic", statistic)
        assert code == 0, err
        levels = out.split("\n\ndifference of")[0]  # wrapped where the screen is narrow
        assert all(model in levels for model in models), out
        assert f"difference of {compared} from random" in out
    assert run("correlate", "s.parquet", "--statistic", "mode")[0] == 2


def test_seen_prompts_are_said_and_left_out(run, caplog):
    for step in [
        "vote sample --judge population --limit 40 --out v.parquet",
        "draw-labels v.parquet --out l.parquet",
        "train l.parquet --objective bt --out model",
    ]:
        assert run(*step.split())[0] == 0
    code, _, err = run(*"score l.parquet --model model --out s.parquet".split())
    assert code == 0
    assert "was trained on the prompts of" in err
    code, _, err = run(*"correlate s.parquet --votes judge --by none --n-boot 0".split())
    assert code == 0
    assert "seen; a model was trained on the prompts it has seen" in caplog.text


def test_exit_codes_and_messages(run, tmp_path):
    assert run("--help")[0] == 0
    assert run("score")[0] == 2
    assert run("margin", "sample", "--kind", "wide", "--out", "x.parquet")[0] == 2
    code, out, err = run("score", "nowhere.csv", "--model", "random", "--out", "x.parquet")
    assert code == 1
    assert out == ""
    assert "No such file here" in err
    assert "Traceback" not in err
    code, _, err = run("score", "sample", "--model", "random", "--out", "x.xlsx")
    assert code == 1
    assert "`--out`: want a name that ends in" in err
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError):
        run("--debug", "inspect", "nowhere.csv")
    assert run("inspect", "nowhere.csv")[0] == 1


def test_lenient_loading_leaves_a_reject_file(run, real, tmp_path):
    path = real("pandalm_testset_part.json")
    code, _, err = run("score", path, "--model", "longer response", "--out", "s.parquet")
    assert code == 1
    assert all(f"row {i}: `response" in err for i in (97, 98, 100, 101, 102))
    code, _, err = run(
        "score", path, "--model", "longer response", "--lenient", "--out", "s.parquet"
    )
    assert code == 0
    assert "40 with an empty response" in err
    rejects = [json.loads(line) for line in (tmp_path / "s.parquet.rejects.jsonl").open()]
    assert [r["row"] for r in rejects] == [97, 98, 100, 101, 102]
    assert {r["reason"] for r in rejects} == {"`response1` is not text", "`response2` is not text"}
    code, out, _ = run("inspect", path, "--lenient", "--json")
    facts = json.loads(out)
    assert [facts["loading"][k] for k in ("read", "kept", "empty")] == [568, 511, 40]
    assert facts["votes"]["human"]["pairs"] == 511


PEOPLE = [
    dict(
        prompt=f"Which tea {i}?",
        response_a="Assam.",
        response_b="Oolong.",
        ballots=[
            dict(annotator=f"u{i}", vote="a" if i % 3 else "tie", traits=dict(country="NO")),
            dict(annotator=f"v{i}", vote="b", traits=dict(country="IT")),
        ],
    )
    for i in range(6)
]


def test_inspect_restricts_and_splits_votes(run, tmp_path):
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(r) + "\n" for r in PEOPLE))

    def votes(*more):
        return json.loads(run("inspect", "p.jsonl", "--json", *more)[1])["votes"]["human"]

    assert votes()["votes"] == 12
    assert votes()["agreement"]["pairwise"] == 0
    assert votes("--where", "country=NO")["votes"] == 6
    assert votes("--where", "country=NO")["tie_rate"] == pytest.approx(1 / 3)
    assert votes("--where", "country=NO,IT", "--where", "annotator=u1,v2")["votes"] == 2
    code, out, err = run("inspect", "p.jsonl", "--split-by", "country")
    assert code == 0
    assert "Krippendorff" in out
    assert out.rstrip().splitlines()[-1].split()[:3] in (["IT", "6.0", "6.0"], ["NO", "6.0", "6.0"])
    code, out, err = run("inspect", "p.jsonl", "--where", "age=7")
    assert code == 1
    assert "want traits that the ballots have: ['annotator', 'country'], got 'age'" in err
    (tmp_path / "j.jsonl").write_text(
        (tmp_path / "p.jsonl").read_text().replace("NO", "Norway, north")
    )
    assert (
        json.loads(
            run(
                "inspect",
                "j.jsonl",
                "--json",
                "--where",
                "country=Norway, north",
                "--where",
                "country=IT",
            )[1]
        )["votes"]["human"]["votes"]
        == 12
    )
    assert run("inspect", "p.jsonl", "--where", "country")[0] == 2
    assert run("inspect", "p.jsonl", "--map", "x")[0] == 2
    code, out, err = run("select", "p.jsonl", "--where", "country=IT", "--out", "it.jsonl")
    assert code == 0
    assert sum(load_comparisons("it.jsonl")["human_b"]) == 6
    assert sum(load_comparisons("it.jsonl")["human_a"]) == 0
    assert read_settings("it.jsonl")["select"]["where"] == ["country=IT"]


def test_pairs_go_to_people_and_come_back(run, tmp_path):
    import csv

    assert run(*"vote sample --judge population --votes 4 --out v.parquet".split())[0] == 0
    code, out, err = run(*"select v.parquet -n 12 --out sheet.csv".split())
    assert code == 0, err
    assert "fill in `vote`" in err, err
    with open("sheet.csv", newline="") as sheet:
        rows = list(csv.DictReader(sheet))
    assert len(rows) == 12
    assert set(rows[0]) == {
        "pair_id",
        "inclusion",
        "prompt",
        "conversation",
        "response_a",
        "response_b",
        "vote",
        "annotator",
    }
    for r, vote in zip(rows, ["a", "b", "tie", ""] * 3):
        r |= dict(vote=vote, annotator="kim", annotator_country="NO")
    for name, table in {
        "kim.csv": rows,
        "bad.csv": [rows[0] | dict(vote="left")],
        "changed.csv": [rows[0] | dict(response_a="?")],
    }.items():
        with open(name, "w", newline="") as f:
            out = csv.DictWriter(f, rows[0])
            out.writeheader()
            out.writerows(table)
    assert json.loads(run("inspect", "kim.csv", "--json")[1])["voters"]["traits"] == dict(
        country=dict(values=1, ballots=dict(NO=9))
    )
    code, out, err = run(*"select v.parquet --votes-from kim.csv --out people.parquet".split())
    assert code == 0, err
    people, before = load_comparisons("people.parquet"), load_comparisons("v.parquet")
    assert len(people) == len(before)
    assert people["judge_a"][:] == before["judge_a"][:]
    assert people["domain"][:] == before["domain"][:]
    by_id = {r["pair_id"]: r for r in people if r["human_a"] is not None}
    assert len(by_id) == 9
    for r in rows:
        if r["vote"] == "":
            assert r["pair_id"] not in by_id
        else:
            got = by_id[r["pair_id"]]
            won = (
                "tie"
                if r["vote"] == "tie"
                else "a"
                if got["response_a"] == r[f"response_{r['vote']}"]
                else "b"
            )
            assert [got[f"human_{o}"] for o in ("a", "b", "tie")] == [
                float(won == o) for o in ("a", "b", "tie")
            ]
    code, out, err = run(*"select people.parquet -n 300 --by random --out rest.csv".split())
    assert code == 0
    assert f"only {len(before) - 9} pairs to choose from, 300 wanted" in err
    code, out, err = run(*"select v.parquet --votes-from bad.csv --out x.parquet".split())
    assert code == 1
    assert "row 0: `vote`: want one of" in err
    assert not (tmp_path / "x.parquet").exists()
    code, out, err = run(*"select v.parquet --votes-from changed.csv --out x.parquet".split())
    assert code == 1
    assert "The texts were changed" in err
    assert run(*"select sample -n 5 --out s.csv".split())[0] == 1
    assert run(*"select v.parquet -n 5 --by judge-model --out s.csv".split())[0] == 1


def test_own_columns_and_parts_from_the_shell(run, tmp_path):
    (tmp_path / "q.jsonl").write_text(
        "".join(json.dumps(dict(question=f"{i}?", good="yes", bad="no")) + "\n" for i in range(40))
    )
    code, _out, err = run("inspect", "q.jsonl")
    assert code == 1
    assert "--map prompt=question,chosen=good,rejected=bad" in err
    how = ["--map", "prompt=question,chosen=good,rejected=bad", "--json"]
    assert json.loads(run("inspect", "q.jsonl", *how)[1])["rows"] == 40
    parts = [
        json.loads(run("inspect", "q.jsonl", *how, "--part", p)[1])["rows"]
        for p in ("train", "validation", "test")
    ]
    assert sum(parts) == 40
    assert parts[0] > 20
    assert "hh_rlhf:harmless-base" in run("sources")[1]
    assert json.loads(run("formats", "--json")[1])["trl"] == ["chosen", "rejected"]


def test_voting_by_a_server_from_the_shell(run, tmp_path, monkeypatch, caplog):
    from chat_server import ChatServer, reply

    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    with ChatServer() as server:
        vote = f"vote sample --limit 10 --judge chat:m --base-url {server.url} --server-seed 1 --votes 4".split()
        code, out, err = run(*vote, "--dry-run", "--price-in", "1", "--price-out", "2", "--json")
        plan = json.loads(out)
        assert code == 0
        assert plan["questions"] == 40
        assert plan["cost"] > 0
        assert plan["host"] == server.url.split("/")[2]
        assert not server.bodies
        code, out, err = run(
            *vote, "--store", "v.sqlite", "--max-questions", "12", "--out", "v.parquet"
        )
        assert code == 0
        assert "stopped by --max-questions: 28 answers not asked for" in err
        assert "no votes for 7 of 10 pairs" in caplog.text
        code, out, err = run(
            *vote, "--store", "v.sqlite", "--out", "v.parquet", "--correct-order", "--json"
        )
        told = json.loads(out)
        assert code == 0
        assert told["stored"] == 12
        assert told["asked"] == 28
        rate = told["order"]["first_rate"]
        assert 0 <= rate["value"] <= 1 and rate["low"] is None  # ten prompts are too few
        how = read_settings("v.parquet")["vote"]
        assert how["identity"]["judge"] == "m"
        assert how["corrected"]
        assert how["host"] == plan["host"]
        whole = load_comparisons("v.parquet")
        assert all(
            abs(a + b + t - 4) < 1e-6
            for a, b, t in zip(whole["judge_a"], whole["judge_b"], whole["judge_tie"])
        )
        for i in (1, 2):
            assert (
                run(*vote, "--shard", f"{i}/2", "--store", f"{i}.sqlite", "--out", f"{i}.jsonl")[0]
                == 0
            )
        assert sum(len(load_comparisons(f"{i}.jsonl")) for i in (1, 2)) == 10
        code, out, err = run("store", "merge", "1.sqlite", "2.sqlite", "--out", "both.sqlite")
        assert code == 0
        assert "40 answers added" in err
        assert [
            r["answers"] for r in json.loads(run("store", "show", "both.sqlite", "--json")[1])
        ] == [40]
        asked = len(server.bodies)
        assert (
            run(*vote, "--store", "both.sqlite", "--out", "again.parquet", "--correct-order")[0]
            == 0
        )
        assert len(server.bodies) == asked
        assert load_comparisons("again.parquet")["judge_a"][:] == whole["judge_a"][:]
    assert server.keys == {"Bearer sk-secret-of-this-test"}
    assert not [p for p in tmp_path.iterdir() if b"sk-secret" in p.read_bytes()]
    crowd = [
        "vote",
        "sample",
        "--limit",
        "3",
        "--judge",
        "chat:m",
        "--mode",
        "crowd",
        "--no-ties",
        "--examples",
        "rated.jsonl",
        "--n-examples",
        "2",
        "--out",
        "crowd.parquet",
    ]
    (tmp_path / "rated.jsonl").write_text("".join(json.dumps(r) + "\n" for r in PEOPLE))
    # Examples make the prompt long: a server that counts few tokens for it would have cut it.
    answer = reply("A=7 B=3") | dict(usage=dict(prompt_tokens=900, completion_tokens=6))
    with ChatServer(lambda body, h: answer) as server:
        code, out, err = run(*crowd, "--base-url", server.url, "--votes", "6")
        assert code == 0, err
        assert len(server.bodies) == 6, err
        assert {len(b["messages"]) for b in server.bodies} == {5}, err
        assert load_comparisons("crowd.parquet")["judge_a"][:] == [3, 3, 3]
        assert server.bodies[0]["messages"][1]["content"].startswith("A=")
    code, out, err = run(*vote, "--retries", "0", "--out", "gone.parquet", "--seed", "3")
    assert code == 1
    assert "questions in a row got no answer" in err
    assert "Traceback" not in err
    assert not (tmp_path / "gone.parquet").exists()
    assert run(*vote)[0] == 2
    assert run(*vote, "--shard", "3/2", "--out", "x.parquet")[0] == 2
    for wrong, message in [
        (["--extra", "[1"], "`--extra`: want a JSON object"),
        (["--personas", "nowhere.txt"], "`--personas`: want a file"),
        (["--max-cost", "1"], "`--max-cost`: want prices"),
        (["--device", "cpu"], "`--device`: want a judge with such a setting, not chat"),
    ]:
        code, out, err = run(*vote, *wrong, "--out", "x.parquet")
        assert code == 1, err
        assert message in err, err


def test_votes_are_calibrated_by_people_from_the_shell(run, tmp_path):
    from plurality_nb.data.sample import load_sample
    from plurality_nb.judges.collect import collect_votes
    from plurality_nb.simulation.users import PopulationJudge, sample_population, simulate_votes

    crowd = sample_population()
    both = simulate_votes(
        collect_votes(load_sample(), PopulationJudge(crowd, dispersion=0.4)), crowd, 9
    )
    save_comparisons(both.select(range(150)), "rated.parquet")
    save_comparisons(
        both.select(range(150, 256)).remove_columns(["human_a", "human_b", "human_tie"]),
        "votes.parquet",
    )
    for method in ("logistic", "isotonic"):
        code, out, err = run(
            *f"calibrate votes.parquet --rated rated.parquet --method {method} --out c.parquet".split()
        )
        assert code == 0, err
        new, old = load_comparisons("c.parquet"), load_comparisons("votes.parquet")
        assert read_settings("c.parquet")["calibrate"]["method"] == method
        assert new["judge_a"][:] != old["judge_a"][:]
        assert all(
            abs(a + b + t - 10) < 1e-4
            for a, b, t in zip(new["judge_a"], new["judge_b"], new["judge_tie"])
        )
    code, out, err = run(*"calibrate rated.parquet --out c.parquet --json".split())
    told = json.loads(out)
    assert code == 0
    assert (
        told["disagreement before"]["ratio"]["value"]
        > told["disagreement after"]["ratio"]["value"]
        > 0
    )
    code, out, err = run(*"calibrate votes.parquet --out c.parquet".split())
    assert code == 1
    assert "`plurality select`" in err


@pytest.fixture
def base(tmp_path):
    from small_models import small_model, small_tokenizer

    small_model("Qwen3").save_pretrained(tmp_path / "base")
    small_tokenizer().save_pretrained(tmp_path / "base")
    return "base"


def test_a_full_model_is_trained_scored_and_correlated(run, base, tmp_path):
    for step in [
        "vote sample --judge population --votes 4 --limit 80 --out v.parquet",
        "draw-labels v.parquet --how majority --out l.parquet",
        "margin l.parquet --out m.parquet",
        "select m.parquet --part test --out people.parquet",
    ]:
        code, _, err = run(*step.split())
        assert code == 0, err
    code, out, err = run(
        *"train m.parquet --model base --eval people.parquet --exclude people.parquet --epochs 2 --batch-size 16 --lr 1e-3 --set warmup_steps=1,weight_decay=0.1 --out mine".split()
    )
    assert code == 0, err
    assert "wrote mine" in err
    assert "eval_spearman_judges" in out
    assert "{" not in out
    assert "step 4 of" in err
    assert "pairs per second" in err
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["base", "mine"]
    assert json.loads((tmp_path / "mine" / "trainer_state.json").read_text())[
        "log_history"
    ]  # learning curves for the report
    code, _, err = run(*"score m.parquet --model mine --out s.parquet".split())
    assert code == 0
    assert "was trained on the prompts of" in err
    settings = read_settings("s.parquet")["score"]["settings"]
    assert settings["objective"] == "margin"
    assert settings["command"].startswith("plurality train")
    assert settings["data"]["margin"]["kind"] == "decisiveness"
    assert len(settings["weights"]) == 16
    code, out, _ = run(*"correlate s.parquet --votes judge --by none --n-boot 0".split())
    assert code == 0
    assert "mine" in out
    code, out, err = run(
        *"train m.parquet --model base --lora 2 --max-steps 2 --batch-size 16 --out adapter".split()
    )
    assert code == 0, err
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size < (
        tmp_path / "base" / "model.safetensors"
    ).stat().st_size / 2
    for name in ("adapter", "base"):
        assert run(*f"score m.parquet --model {name} --out {name}.parquet".split())[0] == 0
    adapted, plain = (
        load_comparisons(f"{name}.parquet", merge=False) for name in ("adapter", "base")
    )
    assert adapted["reward_a"][:] != plain["reward_a"][:]
    assert any(adapted["seen"])
    assert not any(plain["seen"])
    assert run(*"train m.parquet --epochs 2 --out p".split())[0] == 1  # a probe has no epochs
    code, _, err = run(*"train m.parquet --model base --set no_such_setting=1 --out x".split())
    assert code == 1
    assert "no_such_setting" in err
    assert "Traceback" not in err


def test_a_killed_command_goes_on(run, base, tmp_path, monkeypatch):
    from plurality_nb.rewards.trainer import MarginTrainer

    for step in [
        "vote sample --judge population --votes 4 --limit 60 --out v.parquet",
        "draw-labels v.parquet --how majority --out l.parquet",
    ]:
        assert run(*step.split())[0] == 0
    command = "train l.parquet --model base --objective bt --max-steps 5 --batch-size 8 --save-steps 2 --out mine"
    step, done = MarginTrainer.training_step, []

    def dies(self, *args):
        if len(done) == 3:
            raise RuntimeError("the power went")
        done.append(1)
        return step(self, *args)

    monkeypatch.setattr(MarginTrainer, "training_step", dies)
    code, _, err = run(*command.split())
    assert code == 1
    assert "the power went" in err
    assert not (tmp_path / "mine").exists()
    (tmp_path / "mine.run" / "checkpoint-4").mkdir()  # broke off as it was written
    monkeypatch.setattr(
        MarginTrainer, "training_step", lambda self, *args: (done.append(1), step(self, *args))[1]
    )
    code, _, err = run(*command.replace("--max-steps 5", "--max-steps 6").split())
    assert code == 1
    assert "was begun with, got other max_steps" in err
    assert "--restart" in err
    code, _, err = run(*command.split())
    assert code == 0, err
    assert len(done) == 3 + 3  # from the checkpoint of step 2
    assert not (tmp_path / "mine.run").exists()
    assert (tmp_path / "mine" / "model.safetensors").exists()
    code, _out, err = run(*f"{command} --restart".split())
    assert code == 0
    assert len(done) == 6 + 5


def test_a_report_in_one_command_on_own_votes(run, tmp_path, caplog):
    import csv

    from plurality_nb.data.sample import load_sample
    from plurality_nb.simulation.users import sample_population, simulate_votes

    ds = simulate_votes(load_sample().select(range(48)), sample_population(), 5)
    with open("mine.csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["prompt", "response_a", "response_b", "left", "right"])
        out.writerows(
            [p[0]["content"], a, b, x, y]
            for p, a, b, x, y in zip(
                ds["prompt"], ds["response_a"], ds["response_b"], ds["human_a"], ds["human_b"]
            )
        )
        out.writerow(["Broken?", "a", "b", -1, 2])
    for step in [
        "select sample --limit 60 --seed 5 --out some.parquet",
        "vote some.parquet --judge population --votes 4 --out v.parquet",
        "draw-labels v.parquet --how majority --out l.parquet",
        "train l.parquet --objective bt --out my-probe",
    ]:
        code, _, err = run(*step.split())
        assert code == 0, err
    ask = "report mine.csv --map human_a=left,human_b=right --by none --n-boot 20".split()
    code, out, err = run(*ask, "--model", "my-probe", "--model", "random", "--out", "page.html")
    assert code == 0, err
    assert "49 rows, 48 pairs kept" in err
    assert "set aside: page.html.rejects.jsonl" in err
    assert "spearman correlation with people's share" in out
    assert "difference of spearman from my-probe" in out
    assert out.rstrip().endswith("page.html")
    page, note = (
        (tmp_path / "page.html").read_text(),
        json.loads((tmp_path / "page.json").read_text()),
    )
    assert "Rows that were not used" in page
    assert note["loading"]["rejected"] == {"`left` is not a whole number >= 0": 1}
    assert {r["model"] for r in note["correlation"]} == {
        "my-probe",
        "random",
        "longer response",
    }
    assert note["training"]["my-probe"]["objective"] == "bt"
    assert [len(i["sha256"]) for i in note["inputs"]] == [64, 64]
    assert note["left_out"]["seen"] > 0
    assert note["command"].startswith("plurality report mine.csv")
    first = (tmp_path / "page.html").read_bytes(), (tmp_path / "page.json").read_bytes()
    assert run(*ask, "--model", "my-probe", "--model", "random", "--out", "page.html")[0] == 0
    assert ((tmp_path / "page.html").read_bytes(), (tmp_path / "page.json").read_bytes()) == first
    for wrong, message in [
        ([*ask, "--model", "nowhere"], "No such folder here"),
        (["report", "mine.csv", "--model", "random"], "no vote"),
        (ask, "leave these out"),
        (["report", "v.parquet"], "has no rewards"),
        ([*ask, "--strict", "--model", "random"], "row 48: `left`"),
        (["report", "mine.csv", "--map", "human_a=west", "--model", "random"], "`west`"),
        ([*ask, "--model", "random", "--baseline", "best"], "`--baseline`: want one of"),
    ]:
        code, _, err = run(*wrong, "--out", "no.html")
        assert code == 1, (wrong, err)
        assert message in err, (wrong, err)
        assert "Traceback" not in err, (wrong, err)
    assert not [
        p
        for p in tmp_path.iterdir()
        if p.name.startswith(("no.html", ".", "no.json")) and not p.name.endswith("rejects.jsonl")
    ]


def test_a_report_says_so_where_a_model_has_no_reward_head(run, tmp_path):
    import transformers
    from small_models import small_config, small_tokenizer

    transformers.AutoModelForCausalLM.from_config(small_config("Qwen3")).save_pretrained(
        tmp_path / "headless"
    )
    small_tokenizer().save_pretrained(tmp_path / "headless")
    assert (
        run(*"vote sample --judge population --votes 4 --limit 20 --out v.parquet".split())[0] == 0
    )
    code, _, err = run(
        *"report v.parquet --votes judge --by none --n-boot 0 --model headless".split()
    )
    assert code == 1
    assert "Its head is missing" in err
    assert not list(tmp_path.glob("report.*"))


def test_a_report_on_a_baseline_loads_nothing_that_it_does_not_use(tmp_path):
    import subprocess
    import sys

    import numpy as np

    from plurality_nb.data.build import with_columns
    from plurality_nb.data.sample import load_sample
    from plurality_nb.simulation.users import sample_population, simulate_votes

    ds = simulate_votes(load_sample().select(range(40)), sample_population(), 5)
    scores = np.linspace(0, 1, len(ds))
    quadrants = ds["written_quadrant"][:]
    labels = dict(plurality=scores, indistinguishability=scores[::-1], quadrant=quadrants)
    save_comparisons(with_columns(ds, **labels), tmp_path / "rated.parquet")
    code = """
import sys
from plurality_nb.cli.app import main
sys.argv = ['plurality', *'report rated.parquet --model random --n-boot 20 --out r.html'.split()]
try:
    main()
finally:
    slow = ('torch', 'transformers', 'seaborn', 'sentence_transformers', 'sklearn')
    print([name for name in slow if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert (tmp_path / "r.html").exists(), done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
