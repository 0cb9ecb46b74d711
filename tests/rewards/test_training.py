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
    length = [len(a) + len(b) for a, b in zip(ready["response_a"], ready["response_b"])]
    ds = take(ready, np.argsort(length)[:64])
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
    assert len(got) == 30 and np.std(want) > 0.01
    np.testing.assert_allclose(got, want, atol=1e-6 if dtype == torch.float64 else 1e-3, rtol=0)
    if dtype == torch.float64:
        before = dict(small_model(kind).to(dtype).named_parameters())
        for (name, a), (_, b) in zip(
            ours.model.named_parameters(), theirs.model.named_parameters()
        ):
            assert (a - b).norm() <= 1e-5 * b.norm().clamp(min=1e-3), name
        assert (
            max(
                float((b - before[n]).detach().abs().max())
                for n, b in theirs.model.named_parameters()
            )
            > 1e-3
        )


@pytest.mark.parametrize(
    "objective", ["bt", "margin", "signed_margin", "votes", "posterior", "smoothing"]
)
def test_the_cut_makes_no_difference(objective, ready, tokenizer, tmp_path):
    "Budgets, accumulation, sharing, and which response is called A."
    ds = take(add_margins(ready, "signed") if objective == "signed_margin" else ready, range(48))
    run = lambda data, size=16, **kwargs: losses(
        train(
            tmp_path,
            data,
            tokenizer,
            objective=objective,
            max_steps=3,
            per_device_train_batch_size=size,
            **kwargs,
        )
    )
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
    want = losses(
        train(tmp_path, ds, tokenizer, max_steps=-1, num_train_epochs=1, learning_rate=0.0)
    )
    got = losses(
        train(
            tmp_path,
            ds,
            tokenizer,
            max_steps=-1,
            num_train_epochs=1,
            learning_rate=0.0,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=4,
        )
    )
    np.testing.assert_allclose(got, want, atol=1e-6)
    whole = train(
        tmp_path, ds, tokenizer, max_steps=1, learning_rate=0.0, per_device_train_batch_size=41
    )
    assert losses(whole)[0] == pytest.approx((32 * want[0] + 9 * want[1]) / 41, abs=1e-5)


def test_rows_without_votes_train_on_their_label(ready, tokenizer, tmp_path):
    mixed = take(ready, range(100)).map(
        lambda row, i: (
            dict(judge_a=None, judge_b=None, judge_tie=None, margin=None) if i % 2 else {}
        ),
        with_indices=True,
    )
    assert mixed["margin"][1] is None
    got = losses(train(tmp_path, mixed, tokenizer, missing="label"))
    want = losses(
        train(
            tmp_path,
            with_columns(mixed, margin=np.nan_to_num(np.array(mixed["margin"][:], dtype=float))),
            tokenizer,
        )
    )
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
    found = trainer.evaluate()
    trainer.save_model(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    scored = RewardModel.load(tmp_path / "m").score(people, progress=False)
    d = np.subtract(scored["reward_a"][:], scored["reward_b"][:])
    share = (np.array(people["human_a"][:]) + np.array(people["human_tie"][:]) / 2) / 20
    assert found["eval_spearman_people"] == pytest.approx(
        spearmanr([*d, *-d], np.round([*share, *(1 - share)], 6)).statistic, abs=1e-6
    )
    rows = [
        (1 if r["label"] else -1, r["margin"], x)
        for r, x in zip(people, d)
        if r["label"] is not None
    ]
    assert found["eval_accuracy"] == pytest.approx(np.mean([s * x > 0 for s, _, x in rows]))
    assert found["eval_loss"] == pytest.approx(
        np.mean([np.log1p(np.exp(m - s * x)) for s, m, x in rows]), abs=1e-5
    )
    assert found["eval_margins_met"] == pytest.approx(np.mean([s * x >= m for s, m, x in rows]))


def test_the_saved_model_is_transformers_own_and_knows_its_prompts(ready, tokenizer, tmp_path):
    ds = take(ready, range(90))
    trainer = train(tmp_path / "run", ds, tokenizer, eval_dataset=take(ready, range(90, 120)))
    trainer.evaluate()
    trainer.save_model(tmp_path / "m")
    trainer.create_model_card()
    card = (tmp_path / "run" / "README.md").read_text()
    assert "| objective | margin |" in card and "spearman people" in card and "TRL" in card
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m")
    model = RewardModel.load(tmp_path / "m")
    assert (
        model.groups == frozenset(ds["group"][:])
        and model.settings["objective"] == "margin"
        and model.settings["pairs"] == 90
    )
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


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_been(ready, tmp_path):
    "Killed by SIGKILL between two checkpoints; bit for bit."
    code = f"""
import sys, torch
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
torch.set_num_threads(1)
from small_models import small_model, small_tokenizer
from datasets import load_from_disk
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer
out, resume = sys.argv[1], sys.argv[2] == "resume"
model = small_model("Qwen3", attention_dropout=0.1)  # draws random numbers in every step
args = MarginConfig(out, max_steps=14, per_device_train_batch_size=16, learning_rate=1e-3, logging_steps=1, save_steps=5, report_to="none", use_cpu=True, disable_dropout=False, seed=3)
trainer = MarginTrainer(model, args, load_from_disk({str(tmp_path / 'ds')!r}), processing_class=small_tokenizer())
trainer.train(resume_from_checkpoint=resume)
import json
print(json.dumps([[s["loss"], s["grad_norm"]] for s in trainer.state.log_history if "loss" in s]))
"""
    ready.save_to_disk(tmp_path / "ds")
    run = lambda out, how: subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / out), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | dict(TQDM_DISABLE="1"),
    )
    whole, killed = run("whole", "fresh"), run("killed", "fresh")
    until = time.monotonic() + 120
    while not (tmp_path / "killed" / "checkpoint-5" / "trainer_state.json").exists():
        assert time.monotonic() < until and killed.poll() is None, killed.communicate()[1]
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    killed.communicate()
    again, (out, err) = run("killed", "resume"), whole.communicate(timeout=200)
    assert whole.returncode == 0, err
    curve = json.loads(out.splitlines()[-1])
    out, err = again.communicate(timeout=200)
    assert again.returncode == 0, err
    assert len(curve) == 14 and json.loads(out.splitlines()[-1]) == curve


def test_two_processes_are_one(ready, tmp_path):
    "Losses, metrics and weights; the last batch of an epoch is filled up with pairs that must not count."
    ready.select(range(41)).save_to_disk(tmp_path / "ds")
    (tmp_path / "run.py").write_text(f"""
import json, sys, torch
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from small_models import small_model, small_tokenizer
from datasets import load_from_disk
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer
out, size = sys.argv[1], int(sys.argv[2])
ds = load_from_disk({str(tmp_path / 'ds')!r})
args = MarginConfig(out, num_train_epochs=2, per_device_train_batch_size=size, per_device_eval_batch_size=size, max_tokens_per_microbatch=300, learning_rate=1e-3, optim="adamw_torch", logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True, seed=3)
trainer = MarginTrainer(small_model("Qwen3").double(), args, ds, ds, small_tokenizer())
trainer.train()
found = trainer.evaluate()
if trainer.is_world_process_zero():
    logs = [[s[k] for k in ("loss", "accuracy", "chosen_reward", "margins_met")] for s in trainer.state.log_history if "loss" in s]
    weights = torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
    json.dump(dict(world=trainer.accelerator.num_processes, logs=logs, found={{k: v for k, v in found.items() if "second" not in k and "runtime" not in k}}, weights=weights.tolist()), open(out + ".json", "w"))
trainer.accelerator.wait_for_everyone()
trainer.accelerator.end_training()
""")
    env = os.environ | dict(OMP_NUM_THREADS="1")
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
    ]
    runs = [
        subprocess.Popen(
            [*launch, str(tmp_path / "run.py"), str(tmp_path / name), size],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for launch, name, size in [([sys.executable], "one", "16"), (torchrun, "two", "8")]
    ]
    for run in runs:
        _, err = run.communicate(timeout=300)
        assert run.returncode == 0, err[-3000:]
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert (one["world"], two["world"]) == (1, 2) and len(one["logs"]) == 6
    np.testing.assert_allclose(two["logs"], one["logs"], atol=1e-6)
    assert one["found"].keys() == two["found"].keys()
    np.testing.assert_allclose(list(two["found"].values()), list(one["found"].values()), atol=1e-6)
    np.testing.assert_allclose(two["weights"], one["weights"], atol=1e-8)


def test_lora_bf16_and_checkpointing(ready, tokenizer, tmp_path):
    from peft import LoraConfig

    lora = lambda: LoraConfig(
        task_type="SEQ_CLS", r=4, target_modules=["q_proj", "v_proj"], modules_to_save=["score"]
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
    assert (
        len(short.train_dataset) < len(ready)
        and f"{len(ready) - len(short.train_dataset)} dropped" in caplog.text
    )
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
    best = max(
        s["eval_spearman_people"] for s in trainer.state.log_history if "eval_spearman_people" in s
    )
    assert (
        trainer.state.best_metric
        == best
        == pytest.approx(trainer.evaluate()["eval_spearman_people"], abs=1e-6)
    )
