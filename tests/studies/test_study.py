"A whole study: killed, resumed, changed, failing in parts, and run from the shell."

import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import fields
from importlib.resources import files

import pytest
from chat_server import ChatServer, name_of, reply
from small_models import small_model, small_tokenizer

from plurality_nb.cli.exploring import ExploreSourceOptions, load_explored
from plurality_nb.cli.scoring import ReadingOptions
from plurality_nb.data.arrow import take
from plurality_nb.data.catalog import SOURCES
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.judges.collect import collect_votes
from plurality_nb.reports.exploration import Exploration
from plurality_nb.simulation.users import (
    PopulationJudge,
    annotate,
    sample_population,
    simulate_votes,
)
from plurality_nb.studies import config as configuration
from plurality_nb.studies import run as study

DATA = """
[[people]]
name = "in"
data = "people_in.parquet"
limit = 40
held_out = 3
[[people]]
name = "out"
data = "people_out.parquet"
domain = "out"
held_out = 3
[[pairs]]
data = "pairs.parquet"
[statistics]
n_boot = 40
positive_control = false
against = ["bt"]
"""
PROBE = (
    DATA
    + """
[training]
settings = {max_steps = 30}
[[ways]]
name = "keen"
[[arms]]
objective = "bt"
[[arms]]
objective = "margin"
"""
)


@pytest.fixture
def data(tmp_path):
    "A study's data: people's votes in two domains, and pairs of which some are on the same prompts."
    import numpy as np

    crowd = sample_population()
    sample = take(load_sample(), np.random.default_rng(0).permutation(256))
    voted = simulate_votes(sample, crowd, n=20)
    for name, ds in dict(
        pairs=annotate(sample, crowd).select(range(110)),
        people_in=voted.select(range(100, 150)),
        people_out=voted.select(range(150, 190)),
        recorded=collect_votes(sample, PopulationJudge(crowd), progress=False),
    ).items():
        save_comparisons(ds, tmp_path / f"{name}.parquet")
    return tmp_path


def write_study(folder, text, name="study.toml"):
    (folder / name).write_text(text)
    return configuration.load_study(folder / name)


def run(*args, **kwargs):
    return study.run_study(*args, progress=False, **kwargs)


def explored_models(report):
    "What the command on a report's page opens: name to scored comparisons."
    command, explore, *scored = shlex.split(report["explore"])
    assert (command, explore) == ("plurality", "explore")
    return load_explored(scored, [], ExploreSourceOptions(), ReadingOptions())


def stages(ran):
    return {i.split()[0] for i in ran.made}


def test_the_template_names_every_setting_and_only_such(tmp_path):
    text = (files("plurality_nb") / "resources" / "study.toml").read_text()
    for table in (
        configuration.Study,
        configuration.Pairs,
        configuration.People,
        configuration.JudgeSettings,
        configuration.Way,
        configuration.Arm,
        configuration.Training,
        configuration.Reference,
        configuration.Statistics,
    ):
        for f in fields(table):
            assert f.name in text, (table.__name__, f.name)
    settings = configuration.load_study(configuration.write_template(tmp_path / "s.toml"))
    assert {s.data.partition(":")[0] for s in (*settings.people, *settings.pairs)} <= set(SOURCES)
    with pytest.raises(ContractError, match="a file that does not exist yet"):
        configuration.write_template(tmp_path / "s.toml")


CHAT_STUDY = (
    "seeds = [3]\n"
    + DATA
    + """
[judge]
model = "chat:m"
votes = 4
settings = {{base_url = "{url}", concurrency = 8, ties = false}}
[[ways]]
mode = "binary"
[[ways]]
mode = "crowd"
[[ways]]
mode = "crowd"
name = "crowd with examples"
examples = 2
[[arms]]
objective = "bt"
[[arms]]
objective = "margin"
[[references]]
model = "base"
[training]
model = "base"
settings = {{max_steps = 6, per_device_train_batch_size = 16, learning_rate = 1e-3, eval_steps = 2, use_cpu = true}}
"""
)
RUN = "from plurality_nb.cli.app import main; main()"
# Kills its own process in the third step of a training, when the checkpoint of step 2 is written.
RUN_AND_DIE_TRAINING = f"""
import os, signal
from plurality_nb.rewards.trainer import MarginTrainer
train = MarginTrainer.training_step
def train_or_die(self, *args):
    if self.state.global_step == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return train(self, *args)
MarginTrainer.training_step = train_or_die
{RUN}
"""
DEADLINE = 1800  # seconds, for a process that hangs; nothing waits for a time to pass


class Victim:
    "Answers like a judge, and kills the process that asks as soon as it has asked so often."

    def __init__(self, questions):
        self.last = questions
        self.numbers = itertools.count(1)  # the server answers in threads
        self.process = None
        self.known = threading.Event()  # set when there is a process to kill

    def answer(self, body, handler):
        if next(self.numbers) == self.last:
            self.known.wait(DEADLINE)
            self.process.kill()
        number = int(name_of(body), 16)
        if "Reply with one letter" in body["messages"][-1]["content"]:
            return reply(*["AB"[number % 2]] * body.get("n", 1), to=body)
        return reply(f"A={number % 11} B={10 - number % 11}", to=body)


@pytest.mark.longest
@pytest.mark.slow(seconds=80)
def test_a_killed_study_ends_as_an_undisturbed_one(data, one_thread):
    "Killed while the judge is asked, and again while a model is trained."
    small_model("Qwen3").save_pretrained(data / "base")
    small_tokenizer().save_pretrained(data / "base")
    env = os.environ | dict(OPENAI_API_KEY="none", OMP_NUM_THREADS="1")

    def start(program, out):
        return subprocess.Popen(
            [sys.executable, "-c", program, "study", "run", "study.toml", "--out", out],
            cwd=data,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(process):
        out, err = process.communicate(timeout=DEADLINE)
        return process.returncode, out, err

    victim = Victim(questions=21)
    with ChatServer(victim.answer) as server:
        write_study(data, CHAT_STUDY.format(url=server.url))
        victim.process = start(RUN, "killed")
        victim.known.set()
        code, _, err = finish(victim.process)
        assert code == -signal.SIGKILL, err
        assert not (data / "killed" / "votes" / "binary.parquet").exists()

        code, _, err = finish(start(RUN_AND_DIE_TRAINING, "killed"))
        assert code == -signal.SIGKILL, err
        models = data / "killed" / "models"
        assert list(models.rglob("*.run/checkpoint-*/trainer_state.json"))

        asked = len(server.bodies)
        code, out, err = finish(start(RUN, "killed"))
        assert code == 0, err
        assert "votes binary: skipped" in err
        assert "difference from bt" in out
        assert asked == len(server.bodies)
        # nothing was paid for twice but what was under way
        assert asked <= len({name_of(body) for body in server.bodies}) + 8
        code, _, err = finish(start(RUN, "whole"))
        assert code == 0, err
    for name in ("summary.csv", "correlation.csv", "differences.csv"):
        assert (data / "killed" / name).read_bytes() == (data / "whole" / name).read_bytes(), name
    for left_over in ("*.run", "*.begun", "*.tmp"):
        assert not list((data / "killed").rglob(left_over))


@pytest.mark.longest
@pytest.mark.slow(seconds=35)
def test_a_changed_setting_redoes_what_depends_on_it(data):
    whole = run(write_study(data, PROBE), data / "out")
    assert len(whole.made) == len(study.study_steps(write_study(data, PROBE)))
    assert not whole.failed
    for change, redone in [
        (("n_boot = 40", "n_boot = 41"), {"correlate"}),
        (
            ('domain = "out"', 'domain = "out"\nlimit = 30'),
            {"load", "taxonomy", "votes", "score", "correlate"},
        ),  # the pairs stay the same, and so do the models
        (
            ("max_steps = 30", "max_steps = 30, lr = 0.005"),
            {"train", "score", "correlate"},
        ),
        (
            ('name = "keen"', 'name = "keen"\nmodel = "recorded:recorded.parquet"'),
            {"votes"},
        ),  # the same votes, from a file
        (
            ('model = "recorded:recorded.parquet"', "[judge]\nvotes = 4"),
            {"votes", "margins", "train", "score", "correlate"},
        ),
    ]:
        changed = write_study(data, (data / "study.toml").read_text().replace(*change))
        plan = study.plan_study(changed, data / "out", progress=False)
        assert "report" in {stage for stage, why in zip(plan.stage, plan.why) if why}
        ran = run(changed, data / "out", only="correlate")
        assert stages(ran) == redone, change
        assert set(ran.made) <= {
            f"{s} {n}" for s, n, w in zip(plan.stage, plan.step, plan.why) if w
        }  # the plan cannot know what comes out the same
        assert not run(changed, data / "out", only="correlate").made
    assert stages(run(changed, data / "out")) == {"report"}
    # what a file holds counts, not where it lies or when it was written
    shutil.copytree(data, data.with_name("elsewhere"))
    moved = data.with_name("elsewhere")
    assert not run(configuration.load_study(moved / "study.toml"), moved / "out").made
    save_comparisons(
        load_comparisons(moved / "people_out.parquet").select(range(30)),
        moved / "people_out.parquet",
    )
    ran = run(configuration.load_study(moved / "study.toml"), moved / "out")
    assert "votes keen" not in ran.made
    assert "load people/out" in ran.made


@pytest.mark.longest
@pytest.mark.slow
def test_a_full_model_begun_with_other_settings_begins_anew(data, monkeypatch, one_thread):
    from plurality_nb.rewards.trainer import MarginTrainer

    small_model("Qwen3").save_pretrained(data / "base")
    small_tokenizer().save_pretrained(data / "base")
    text = PROBE.replace(
        "settings = {max_steps = 30}",
        'model = "base"\ntune = false\nsettings = {max_steps = 4, save_steps = 2, per_device_train_batch_size = 8, use_cpu = true}',
    )
    step, done = MarginTrainer.training_step, []

    def dies(self, *args):
        if len(done) == 3:
            raise RuntimeError("the power went")
        done.append(1)
        return step(self, *args)

    monkeypatch.setattr(MarginTrainer, "training_step", dies)
    with pytest.raises(
        study.StudyError,
        match=r"train bt/seed-0: RuntimeError: the power went\. What was done is kept",
    ):
        run(write_study(data, text), data / "out", only="train")
    monkeypatch.setattr(
        MarginTrainer, "training_step", lambda self, *args: (done.append(1), step(self, *args))[1]
    )
    assert stages(
        run(
            write_study(data, text.replace("max_steps = 4", "max_steps = 3")),
            data / "out",
            only="train",
        )
    ) == {"train"}
    assert len(done) == 3 + 2 * 3  # nothing of the first run
    assert sorted(p.name for p in (data / "out" / "models").rglob("seed-0*")) == [
        "seed-0",
        "seed-0",
    ]


@pytest.mark.slow(seconds=20)
def test_a_failed_arm_stops_or_lets_the_others_finish(data):
    text = PROBE + '[[ways]]\nname = "lost"\nmodel = "recorded:nowhere.parquet"\n'
    with pytest.raises(study.StudyError, match=r"votes lost: .*No such file here"):
        run(write_study(data, text), data / "out")
    ran = run(write_study(data, text), data / "out", keep_going=True)
    assert not ran.skipped  # the first run stopped before its first step
    assert {i.split()[0] for i in ran.made} >= {"load", "taxonomy", "votes"}
    assert "No such file here" in ran.failed["votes lost"]
    assert ran.failed["train margin/lost/seed-0"].endswith("waits for votes lost")
    assert set(ran.summary.way) == {"", "keen"}
    assert ran.report.exists()
    shutil.copy(data / "recorded.parquet", data / "nowhere.parquet")
    repaired = run(write_study(data, text), data / "out")
    assert not repaired.failed
    assert "train margin/keen/seed-0" in repaired.skipped
    assert set(repaired.summary.way) == {"", "keen", "lost"}


def test_no_prompt_that_is_evaluated_or_shown_is_learned_from(data):
    run(
        write_study(data, PROBE.replace("held_out = 3", "held_out = 20", 1)),
        data / "out",
        only="train",
    )
    people = load_comparisons(data / "out" / "people" / "in.parquet", merge=False)
    assert people["use"][:].count("example") == 20
    learned = {g for p in (data / "out").rglob("groups.txt") for g in p.read_text().split()}
    assert learned
    assert not learned & set(people["group"])
    assert set(
        load_comparisons(data / "out" / "taxonomy.parquet", merge=False)["pair_id"]
    ).isdisjoint(p for p, u in zip(people["pair_id"], people["use"]) if u == "example")


@pytest.fixture
def shell(monkeypatch, command_line, data):
    monkeypatch.chdir(data)

    return command_line


def test_the_study_from_the_shell(shell, data, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    code, out, err = shell("study", "init", "mine.toml")
    assert code == 0
    assert "wrote mine.toml" in err
    code, out, err = shell("study", "init", "mine.toml")
    assert code == 1
    assert "Give another name" in err
    code, out, err = shell("study", "run", "mine.toml", "--out", "o", "--dry-run")
    assert code == 0
    assert "questions  301,000" in out
    assert not (data / "o").exists()
    assert shell("study", "run", "mine.toml")[0] == 2
    assert shell("study", "run", "mine.toml", "--out", "o", "--only", "tables")[0] == 2
    with ChatServer(lambda body, h: reply(*["A"] * body.get("n", 1))) as server:
        write_study(
            data,
            PROBE
            + f'[judge]\nmodel = "chat:m"\nvotes = 4\nmax_questions = 60\nsettings = {{base_url = "{server.url}"}}\n',
        )
        assert shell("study", "run", "study.toml", "--out", "o", "--only", "taxonomy")[0] == 0
        assert not server.bodies
        code, out, err = shell("study", "run", "study.toml", "--out", "o", "--dry-run")
        n = len(load_comparisons(data / "o" / "pairs" / "pairs.parquet")) + len(
            load_comparisons(data / "o" / "taxonomy.parquet")
        )
        assert code == 0
        assert f"questions  {4 * n}" in out
        assert "tokens_in" in out
        assert "127.0.0.1" in out
        assert not server.bodies
        code, out, err = shell("study", "run", "study.toml", "--out", "o")
        # two votes a request
        assert code == 1
        assert "`max_questions`: want enough for" in err
        assert "Traceback" not in err
        assert len(server.bodies) == 30
        (data / "study.toml").write_text(
            (data / "study.toml").read_text().replace("max_questions = 60", "")
        )
        code, out, err = shell("study", "run", "study.toml", "--out", "o")
        assert code == 0, err
        assert len(server.bodies) == 2 * n, err
        assert "difference from bt" in out, err
        assert "report: " in out, err
    monkeypatch.chdir(data)  # as the shell's
    opened = explored_models(json.loads((data / "o" / "report.json").read_text()))
    assert len(opened) == 2
    assert len(Exploration(opened)) == len(next(iter(opened.values())))
    code, out, err = shell("study", "run", "study.toml", "--out", "o")
    assert code == 0
    assert "0 steps done" in err
    write_study(
        data,
        (data / "study.toml").read_text()
        + '[[ways]]\nname = "lost"\nmodel = "recorded:nowhere.parquet"\n',
    )
    code, out, err = shell("study", "run", "study.toml", "--out", "o", "--keep-going")
    assert code == 1
    assert "failed: votes lost" in err
    assert "difference from bt" in out
    (data / "study.toml").write_text(PROBE + "[jugde]\nvotes = 4")
    code, out, err = shell("study", "run", "study.toml", "--out", "o")
    assert code == 1
    assert "Did you mean `judge`?" in err
