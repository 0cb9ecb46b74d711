"What `--lora` writes is read under a stranger's conditions: another folder, a moved base, the Hub, PEFT itself."

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import small_config, small_model, small_tokenizer
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from plurality_nb.data.trl import from_trl
from plurality_nb.errors import ContractError
from plurality_nb.rewards.classifier import Classifier
from plurality_nb.rewards.model import RewardModel
from plurality_nb.rewards.run import train_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def rows():
    return from_trl(
        dict(prompt=f"Q {i}", chosen=f"Good {i}", rejected=f"Bad {i}") for i in range(6)
    )


@pytest.fixture(scope="module")
def trained(rows, tmp_path_factory):
    "A folder with `base`, a plain language model, and `mine`, an adapter on it; and its rewards."
    folder = tmp_path_factory.mktemp("lora")
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_config(small_config("Llama"))
    for part in (base, small_tokenizer()):
        part.save_pretrained(folder / "base")
    settings = dict(max_steps=2, learning_rate=0.05, use_cpu=True, progress=False, objective="bt")
    before = os.getcwd()
    os.chdir(folder)  # `base` is given as a stranger would: relative
    try:
        trainer = train_model(rows, "base", "mine", lora=4, **settings)
    finally:
        os.chdir(before)
    here = Classifier(model=trainer.model.eval(), tokenizer=trainer.processing_class)
    return folder, here.rewards(rows, progress=False)


@pytest.fixture
def moved(trained, tmp_path, monkeypatch):
    "A copy of both in another place, with the original out of reach; a third folder to work in."
    folder, rewards = trained
    there = tmp_path / "there"
    shutil.copytree(folder, there)
    config = there / "mine" / "adapter_config.json"
    noted = json.loads(config.read_text())
    assert noted["base_model_name_or_path"] == str(folder / "base")
    gone = str(tmp_path / "gone" / "base")
    config.write_text(json.dumps(noted | dict(base_model_name_or_path=gone)))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return there, rewards


def assert_same(model, rows, rewards):
    np.testing.assert_allclose(model.rewards(rows, progress=False), rewards, atol=1e-5)


def test_from_another_folder(trained, rows, tmp_path, monkeypatch):
    folder, rewards = trained
    monkeypatch.chdir(tmp_path)
    assert np.ptp(rewards) > 0.01
    assert_same(RewardModel.load(folder / "mine"), rows, rewards)
    shutil.copytree(folder / "mine", "copied")
    model = RewardModel.load("copied")
    assert_same(model, rows, rewards)
    assert model.settings["base"]["weights"]
    assert model.groups == frozenset(rows["group"][:])


def test_on_another_machine(moved, rows):
    there, rewards = moved
    assert_same(RewardModel.load(there / "mine"), rows, rewards)  # its base is beside it
    (there / "base").rename(there / "elsewhere")
    with pytest.raises(ContractError, match=r"gone/base', which is no folder here. Give .*--base"):
        RewardModel.load(there / "mine")
    assert_same(RewardModel.load(there / "mine", base=there / "elsewhere"), rows, rewards)


def test_another_base_is_refused(moved):
    there, _ = moved
    weights = load_file(there / "base" / "model.safetensors")
    weights["model.norm.weight"] *= 1.5
    save_file(weights, there / "base" / "model.safetensors", metadata=dict(format="pt"))
    with pytest.raises(ContractError, match="which has others"):
        RewardModel.load(there / "mine", base=there / "base")
    with pytest.raises(ContractError, match="which is no folder here"):
        RewardModel.load(there / "mine")  # nor taken for the one beside it
    small_model("Bert").save_pretrained(there / "bert")
    with pytest.raises(ContractError, match=r"`(base|model)`"):
        RewardModel.load(there / "mine", base=there / "bert")


PUSHED = """
import json, sys
from datasets import load_from_disk
from plurality_nb.rewards.model import RewardModel
rows, base = load_from_disk(sys.argv[1]), sys.argv[2] or None
model = RewardModel.load("me/mine", device="cpu", base=base)
a, b = model.rewards(rows, progress=False)
print(json.dumps([a.tolist(), b.tolist(), model.identity["revision"]]))
"""


@pytest.mark.longest
@pytest.mark.slow
@pytest.mark.parametrize("given", ["org/base", ""])
def test_after_pushing_it(given, moved, rows, tmp_path):
    "The Hub's cache holds what was pushed, the adapter and its base, each by a commit."
    there, rewards = moved
    if not given:  # trained on a base of the Hub
        config = there / "mine" / "adapter_config.json"
        noted = json.loads(config.read_text()) | dict(base_model_name_or_path="org/base")
        config.write_text(json.dumps(noted))
    for name, folder in [("models--me--mine", "mine"), ("models--org--base", "base")]:
        commit = ("a" if folder == "mine" else "b") * 40
        shutil.copytree(there / folder, tmp_path / name / "snapshots" / commit)
        (tmp_path / name / "refs").mkdir()
        (tmp_path / name / "refs" / "main").write_text(commit)
    rows.save_to_disk(tmp_path / "rows")
    run = subprocess.run(
        [sys.executable, "-c", PUSHED, str(tmp_path / "rows"), given],
        capture_output=True,
        text=True,
        env=os.environ | dict(HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1"),
    )
    assert run.returncode == 0, run.stderr
    *got, revision = json.loads(run.stdout)
    np.testing.assert_allclose(got, rewards, atol=1e-5)
    assert revision == "a" * 40


def test_by_peft_alone_and_merged(trained, rows, tmp_path):
    from peft import PeftModel

    folder, rewards = trained
    base = AutoModelForSequenceClassification.from_pretrained(folder / "base", num_labels=1)
    theirs = PeftModel.from_pretrained(base, folder / "mine")
    tokenizer = RewardModel.load(folder / "mine").tokenizer
    theirs.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    assert_same(Classifier(model=theirs.eval(), tokenizer=tokenizer), rows, rewards)
    theirs.save_pretrained(tmp_path / "again")
    tokenizer.save_pretrained(tmp_path / "again")
    assert_same(RewardModel.load(tmp_path / "again"), rows, rewards)
    merged = theirs.merge_and_unload()
    for part in (merged, tokenizer):
        part.save_pretrained(tmp_path / "merged")
    assert_same(RewardModel.load(tmp_path / "merged"), rows, rewards)


def test_half_precision_is_close(trained, rows):
    folder, rewards = trained
    half = RewardModel.load(folder / "mine", dtype="bfloat16").rewards(rows, progress=False)
    np.testing.assert_allclose(half, rewards, atol=0.3)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b"123"), "adapter_model.safetens"),
        (lambda f: (f / "adapter_model.safetensors").unlink(), "an adapter with adapter_model"),
        (lambda f: (f / "adapter_config.json").write_text("{}"), "base_model_name_or_path"),
        (lambda f: (f / "adapter_config.json").write_text("{"), "base_model_name_or_path"),
    ],
)
def test_a_damaged_adapter_is_named(spoil, message, moved):
    there, _ = moved
    spoil(there / "mine")
    with pytest.raises(ContractError, match=message):
        RewardModel.load(there / "mine")


def test_an_adapter_is_not_trained_further(trained, rows, tmp_path):
    folder, _ = trained
    with pytest.raises(ContractError, match=r"a whole model to train, got .* an adapter"):
        train_model(rows, folder / "mine", tmp_path / "x", objective="bt", progress=False)
    with pytest.raises(ContractError, match="`base`: want an adapter as the model"):
        RewardModel.load(folder / "base", base="other")
