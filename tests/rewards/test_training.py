"`MarginTrainer` against TRL's own trainer, against itself in several processes, and against runs that were never killed."

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import small_model, small_tokenizer
from transformers import AutoModelForSequenceClassification
from trl import RewardConfig, RewardTrainer

from plurality_nb.data.arrow import take
from plurality_nb.data.build import with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.sample import load_sample
from plurality_nb.data.trl import to_trl
from plurality_nb.errors import ContractError
from plurality_nb.judges.collect import collect_votes
from plurality_nb.judges.registry import load_judge
from plurality_nb.rewards.model import RewardModel
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.votes.margins import add_margins, draw_labels

SETTINGS = dict(
    learning_rate=1e-3,
    logging_steps=1,
    report_to="none",
    use_cpu=True,
    disable_tqdm=False,
    save_strategy="no",
    seed=3,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def ready():
    ds = simulate_votes(
        add_margins(
            draw_labels(collect_votes(load_sample(), load_judge("population"), progress=False))
        ),
        sample_population(),
        n=20,
    )
    return take(ds, [label in (0, 1) for label in ds["label"]])


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


def train(
    folder,
    ds,
    tokenizer,
    model=None,
    eval_dataset=None,
    resume=None,
    peft_config=None,
    callbacks=None,
    **kwargs,
):
    settings = SETTINGS | dict(max_steps=4, per_device_train_batch_size=32) | kwargs
    trainer = MarginTrainer(
        model or small_model("Qwen3"),
        MarginConfig(str(folder), **settings),
        ds,
        eval_dataset,
        tokenizer,
        peft_config=peft_config,
        callbacks=callbacks,
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def losses(trainer):
    return [step["loss"] for step in trainer.state.log_history if "loss" in step]


def shortest_pairs(ds, count):
    length = [len(a) + len(b) for a, b in zip(ds["response_a"], ds["response_b"])]
    return take(ds, np.argsort(length)[:count])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, dtype",
    [
        ("Qwen3", torch.float64),
        ("Qwen3", torch.float32),
        ("Gemma3", torch.float64),
        ("Bert", torch.float64),
    ],
)
def test_thirty_steps_are_those_of_trl(kind, dtype, ready, tokenizer, tmp_path):
    "Four epochs: the pairs of each step have to be the same, too."
    ds = shortest_pairs(ready, 64)
    common = SETTINGS | dict(max_steps=30, optim="adamw_torch", center_rewards_coefficient=0.01)
    ours = MarginTrainer(
        small_model(kind).to(dtype),
        MarginConfig(
            str(tmp_path), per_device_train_batch_size=8, max_tokens_per_microbatch=400, **common
        ),
        ds,
        processing_class=tokenizer,
    )
    theirs = RewardTrainer(
        small_model(kind).to(dtype),
        RewardConfig(
            str(tmp_path),
            per_device_train_batch_size=4,
            gradient_accumulation_steps=2,
            bf16=False,
            gradient_checkpointing=False,
            **common,
        ),
        train_dataset=to_trl(ds),
        processing_class=tokenizer,
    )
    assert ours.data_collator.share == (kind != "Bert")
    for trainer in (ours, theirs):
        trainer.train()
    got, want = losses(ours), losses(theirs)
    assert len(got) == 30
    assert np.std(want) > 0.01
    np.testing.assert_allclose(got, want, atol=1e-6 if dtype == torch.float64 else 1e-3, rtol=0)
    if dtype == torch.float64:
        start = dict(small_model(kind).to(dtype).named_parameters())
        our_weights = dict(ours.model.named_parameters())
        their_weights = dict(theirs.model.named_parameters())
        for name, weights in their_weights.items():
            allowed = 1e-5 * weights.norm().clamp(min=1e-3)
            assert (our_weights[name] - weights).norm() <= allowed, name
        moved = [(w - start[name]).detach().abs().max() for name, w in their_weights.items()]
        assert max(moved) > 1e-3


OBJECTIVES_TO_CUT = ["margin", "votes"]
MORE_OBJECTIVES_TO_CUT = ["bt", "signed_margin", "posterior", "smoothing"]


@pytest.mark.parametrize(
    "objective",
    [
        *OBJECTIVES_TO_CUT,
        *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_OBJECTIVES_TO_CUT),
    ],
)
def test_the_cut_makes_no_difference(objective, ready, tokenizer, tmp_path):
    "Budgets, accumulation, sharing, and which response is called A."
    signed = objective == "signed_margin"
    ds = take(add_margins(ready, "signed") if signed else ready, range(48))

    def run(data, size=16, **kwargs):
        settings = dict(objective=objective, max_steps=3, per_device_train_batch_size=size)
        return losses(train(tmp_path, data, tokenizer, **settings, **kwargs))

    want = run(ds)
    for got in (
        run(ds, max_tokens_per_microbatch=300),
        run(ds, 4, gradient_accumulation_steps=4, prefix_sharing="off"),
        run(swap_sides(ds)),
    ):
        np.testing.assert_allclose(got, want, atol=1e-5)
    assert len(set(want)) == 3


def test_a_last_step_that_is_not_full_is_the_mean_of_its_pairs(ready, tokenizer, tmp_path):
    ds = take(ready, range(41))
    epoch = dict(max_steps=-1, num_train_epochs=1, learning_rate=0.0)
    want = losses(train(tmp_path, ds, tokenizer, **epoch))
    accumulated = dict(per_device_train_batch_size=8, gradient_accumulation_steps=4)
    got = losses(train(tmp_path, ds, tokenizer, **epoch, **accumulated))
    np.testing.assert_allclose(got, want, atol=1e-6)
    at_once = dict(max_steps=1, learning_rate=0.0, per_device_train_batch_size=41)
    (whole,) = losses(train(tmp_path, ds, tokenizer, **at_once))
    assert whole == pytest.approx((32 * want[0] + 9 * want[1]) / 41, abs=1e-5)


def test_rows_without_votes_train_on_their_label(ready, tokenizer, tmp_path):
    no_votes = dict(judge_a=None, judge_b=None, judge_tie=None, margin=None)
    mixed = take(ready, range(100)).map(lambda row, i: no_votes if i % 2 else {}, with_indices=True)
    assert mixed["margin"][1] is None
    got = losses(train(tmp_path, mixed, tokenizer, missing="label"))
    margin = np.nan_to_num(np.array(mixed["margin"][:], dtype=float))
    want = losses(train(tmp_path, with_columns(mixed, margin=margin), tokenizer))
    np.testing.assert_allclose(got, want, atol=1e-6)
    with pytest.raises(ContractError, match="50 without a margin of 100 rows"):
        train(tmp_path, mixed, tokenizer, missing="raise")
    assert len(train(tmp_path, mixed, tokenizer).train_dataset) == 50


def test_evaluation_counts_what_people_say(ready, tokenizer, tmp_path):
    "Against an independent computation, with rows that have no label or margin, in batches that do not come out even."
    from scipy.stats import spearmanr

    people = take(ready, range(45)).map(
        lambda row, i: dict(label=None, margin=None) if i % 3 == 0 else {}, with_indices=True
    )
    trainer = train(
        tmp_path,
        take(ready, range(60, 120)),
        tokenizer,
        eval_dataset=people,
        per_device_eval_batch_size=16,
        max_tokens_per_microbatch=500,
    )
    measures = trainer.evaluate()
    trainer.save_model(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    scored = RewardModel.load(tmp_path / "m").score(people, progress=False)
    a_minus_b = np.subtract(scored["reward_a"][:], scored["reward_b"][:])
    share = (np.array(people["human_a"][:]) + np.array(people["human_tie"][:]) / 2) / 20
    both_orders = spearmanr([*a_minus_b, *-a_minus_b], np.round([*share, *(1 - share)], 6))
    assert measures["eval_spearman_people"] == pytest.approx(both_orders.statistic, abs=1e-6)
    labelled = np.array([label is not None for label in people["label"]])
    sign = np.array([1 if label else -1 for label in people["label"]])[labelled]
    delta = sign * a_minus_b[labelled]
    margin = np.array(people["margin"][:], dtype=float)[labelled]
    loss = np.mean(np.log1p(np.exp(margin - delta)))
    assert measures["eval_accuracy"] == pytest.approx(np.mean(delta > 0))
    assert measures["eval_loss"] == pytest.approx(loss, abs=1e-5)
    assert measures["eval_margins_met"] == pytest.approx(np.mean(delta >= margin))


def test_the_saved_model_is_transformers_own_and_knows_its_prompts(ready, tokenizer, tmp_path):
    ds = take(ready, range(90))
    trainer = train(tmp_path / "run", ds, tokenizer, eval_dataset=take(ready, range(90, 120)))
    trainer.evaluate()
    trainer.save_model(tmp_path / "m")
    trainer.create_model_card()
    card = (tmp_path / "run" / "README.md").read_text()
    for text in ("| objective | margin |", "spearman people", "TRL"):
        assert text in card
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m")
    model = RewardModel.load(tmp_path / "m")
    assert model.groups == frozenset(ds["group"][:])
    assert model.settings["objective"] == "margin"
    assert model.settings["pairs"] == 90
    scored = model.score(ready, progress=False)
    assert [bool(s) for s in scored["seen"]] == [g in model.groups for g in ready["group"]]
    row = ready[100]
    ids = tokenizer.apply_chat_template(
        [*row["prompt"], dict(role="assistant", content=row["response_a"])],
        return_tensors="pt",
        return_dict=True,
    )
    with torch.no_grad():
        assert theirs(**ids).logits.item() == pytest.approx(scored["reward_a"][100], abs=1e-5)


KILLED_RUN = """
import json, sys, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads(1)
from small_models import small_model, small_tokenizer
from datasets import load_from_disk
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer
out, resume = sys.argv[1], sys.argv[2] == "resume"
model = small_model("Qwen3", attention_dropout=0.1)  # draws random numbers in every step
args = MarginConfig(
    out,
    max_steps=14,
    per_device_train_batch_size=16,
    learning_rate=1e-3,
    logging_steps=1,
    save_steps=5,
    report_to="none",
    use_cpu=True,
    disable_dropout=False,
    seed=3,
)
trainer = MarginTrainer(model, args, load_from_disk({ds!r}), processing_class=small_tokenizer())
trainer.train(resume_from_checkpoint=resume)
logs = [step for step in trainer.state.log_history if "loss" in step]
print(json.dumps([[step["loss"], step["grad_norm"]] for step in logs]))
"""


@pytest.mark.longest
@pytest.mark.slow(seconds=30)
def test_a_run_that_was_killed_goes_on_as_if_nothing_had_been(ready, tmp_path):
    "Killed by SIGKILL between two checkpoints; bit for bit."
    tests, ds = str(Path(__file__).parents[1]), str(tmp_path / "ds")
    code = KILLED_RUN.format(tests=tests, ds=ds)
    ready.save_to_disk(ds)

    def run(out, how):
        return subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / out), how],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | dict(TQDM_DISABLE="1"),
        )

    def curve(process):
        out, err = process.communicate()
        assert process.returncode == 0, err
        return json.loads(out.splitlines()[-1])

    whole, killed = run("whole", "fresh"), run("killed", "fresh")
    while not (tmp_path / "killed" / "checkpoint-5" / "trainer_state.json").exists():
        assert killed.poll() is None, killed.communicate()[1]
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    killed.communicate()
    again = run("killed", "resume")
    want = curve(whole)
    assert len(want) == 14
    assert curve(again) == want


TWO_PROCESSES = """
import json, sys, torch
sys.path.insert(0, {tests!r})
from small_models import small_model, small_tokenizer
from datasets import load_from_disk
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer
out, size = sys.argv[1], int(sys.argv[2])
ds = load_from_disk({ds!r})
args = MarginConfig(
    out,
    num_train_epochs=2,
    per_device_train_batch_size=size,
    per_device_eval_batch_size=size,
    max_tokens_per_microbatch=300,
    learning_rate=1e-3,
    optim="adamw_torch",
    logging_steps=1,
    save_strategy="no",
    report_to="none",
    use_cpu=True,
    disable_tqdm=True,
    seed=3,
)
trainer = MarginTrainer(small_model("Qwen3").double(), args, ds, ds, small_tokenizer())
trainer.train()
measures = trainer.evaluate()
if trainer.is_world_process_zero():
    logs = [step for step in trainer.state.log_history if "loss" in step]
    shown = ("loss", "accuracy", "chosen_reward", "margins_met")
    weights = torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
    result = dict(
        world=trainer.accelerator.num_processes,
        logs=[[step[name] for name in shown] for step in logs],
        measures={{k: v for k, v in measures.items() if "second" not in k and "runtime" not in k}},
        weights=weights.tolist(),
    )
    json.dump(result, open(out + ".json", "w"))
trainer.accelerator.wait_for_everyone()
trainer.accelerator.end_training()
"""


@pytest.mark.longest
@pytest.mark.slow(seconds=30)
def test_two_processes_are_one(ready, tmp_path):
    """Losses, metrics and weights.

    The last batch of an epoch is filled up with pairs that must not count."""
    tests, ds = str(Path(__file__).parents[1]), str(tmp_path / "ds")
    ready.select(range(41)).save_to_disk(ds)
    script = tmp_path / "run.py"
    script.write_text(TWO_PROCESSES.format(tests=tests, ds=ds))
    torchrun = "-m torch.distributed.run --standalone --nproc_per_node 2".split()
    runs = [
        subprocess.Popen(
            [sys.executable, *launch, str(script), str(tmp_path / name), size],
            env=os.environ | dict(OMP_NUM_THREADS="1"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for launch, name, size in [([], "one", "16"), (torchrun, "two", "8")]
    ]
    for run in runs:
        _, err = run.communicate()
        assert run.returncode == 0, err[-3000:]
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert (one["world"], two["world"]) == (1, 2)
    assert len(one["logs"]) == 6
    np.testing.assert_allclose(two["logs"], one["logs"], atol=1e-6)
    assert one["measures"].keys() == two["measures"].keys()
    measures = [list(run["measures"].values()) for run in (two, one)]
    np.testing.assert_allclose(*measures, atol=1e-6)
    np.testing.assert_allclose(two["weights"], one["weights"], atol=1e-8)


@pytest.mark.longest
@pytest.mark.slow
def test_lora_bf16_and_checkpointing(ready, tokenizer, tmp_path):
    from peft import LoraConfig

    def lora():
        targets = ["q_proj", "v_proj"]
        return LoraConfig(
            task_type="SEQ_CLS", r=4, target_modules=targets, modules_to_save=["score"]
        )

    want = losses(train(tmp_path, ready, tokenizer, peft_config=lora(), prefix_sharing="off"))
    trainer = train(tmp_path, ready, tokenizer, peft_config=lora(), gradient_checkpointing=True)
    assert trainer.data_collator.share
    np.testing.assert_allclose(losses(trainer), want, atol=1e-5)
    got = losses(train(tmp_path, ready, tokenizer, bf16=True))
    full = losses(train(tmp_path, ready, tokenizer))
    np.testing.assert_allclose(got, full, atol=0.05)
    assert got != full


def test_what_trl_takes(ready, tokenizer, tmp_path):
    "Rows in TRL's own form, tokenised rows, and a stream."
    rows = to_trl(ready)
    want = losses(train(tmp_path, ready, tokenizer))
    np.testing.assert_allclose(losses(train(tmp_path, rows, tokenizer)), want, atol=1e-6)
    stream = train(tmp_path, rows.to_iterable_dataset(), tokenizer)
    assert len(losses(stream)) == 4
    plain = rows.remove_columns("margin")
    assert len(losses(train(tmp_path, plain, tokenizer, objective="bt"))) == 4
    with pytest.raises(ContractError, match="rows with `margin` for the objective 'margin'"):
        train(tmp_path, plain, tokenizer)


def test_long_pairs(ready, tokenizer, tmp_path, caplog):
    short = train(tmp_path, ready, tokenizer, max_length=110, max_steps=1)
    assert len(short.train_dataset) < len(ready)
    assert f"{len(ready) - len(short.train_dataset)} dropped" in caplog.text
    assert len(short.groups) < len(set(ready["group"]))
    with pytest.raises(ContractError, match="`max_length`: want pairs of up to 110 tokens"):
        train(tmp_path, ready, tokenizer, max_length=110, long_pairs="error")


def test_early_stopping_and_the_best_model(ready, tokenizer, tmp_path):
    from transformers import EarlyStoppingCallback

    trainer = train(
        tmp_path,
        take(ready, range(100)),
        tokenizer,
        eval_dataset=take(ready, range(100, 150)),
        callbacks=[EarlyStoppingCallback(2)],
        max_steps=40,
        learning_rate=0.05,
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="steps",
        save_steps=2,
        load_best_model_at_end=True,
        metric_for_best_model="spearman_people",
        greater_is_better=True,
    )
    assert trainer.state.global_step < 40
    name = "eval_spearman_people"
    best = max(step[name] for step in trainer.state.log_history if name in step)
    assert trainer.state.best_metric == best
    assert trainer.evaluate()[name] == pytest.approx(best, abs=1e-6)
