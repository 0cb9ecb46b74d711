"Classifiers as reward models: what else is scored, and how, makes no difference."

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from small_models import DECODERS, ENCODERS, small_model, small_tokenizer

from plurality_nb.data.arrow import take
from plurality_nb.data.build import from_rows
from plurality_nb.data.checks import check_row
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.models.tokens import prompt_text
from plurality_nb.rewards.classifier import Classifier
from plurality_nb.rewards.model import RewardModel, score
from plurality_nb.rewards.saving import write_training


@pytest.fixture(scope="module")
def rows():
    "Some prompts in several rows; a conversation; empty and equal responses."
    ds = load_sample().select(range(12))
    rows = [{k: r[k] for k in ("prompt", "response_a", "response_b")} for r in ds]
    talk = [
        dict(role="user", content="Hello?"),
        dict(role="assistant", content="Hi."),
        *rows[1]["prompt"],
    ]
    more = [
        rows[0] | dict(response_a="No."),
        rows[0] | dict(response_b=""),
        rows[3] | dict(response_a=rows[3]["response_b"]),
        rows[1] | dict(prompt=talk),
    ]
    return from_rows([check_row(r) for r in [*more, *rows]])


def classifier(kind, side="right", **kwargs):
    tokenizer = small_tokenizer(encoder=kind in ENCODERS)
    tokenizer.padding_side = side
    return Classifier(model=small_model(kind), tokenizer=tokenizer, **kwargs)


def plain(model, rows, side):
    "One text after the other, as the tokenizer alone has it."
    tokenizer, rewards = model.tokenizer, []
    for row in rows:
        if tokenizer.chat_template:
            talk = [*row["prompt"], dict(role="assistant", content=row[side])]
            inputs = tokenizer.apply_chat_template(talk, return_tensors="pt", return_dict=True)
        else:
            inputs = tokenizer([prompt_text(row["prompt"])], [row[side]], return_tensors="pt")
            if model.model.config.type_vocab_size <= 1:
                inputs.pop("token_type_ids", None)
        with torch.no_grad():
            rewards.append(model.model(**inputs).logits.item())
    return np.array(rewards)


@pytest.mark.parametrize("side", [pytest.param("left", marks=pytest.mark.slow), "right"])
@pytest.mark.parametrize("kind", DECODERS + ENCODERS)
def test_rewards_are_those_of_one_text_after_the_other(kind, side, rows):
    model = classifier(kind, side)
    assert model.form == ("pair" if kind in ENCODERS else "chat")
    a, b = model.rewards(rows, progress=False)
    assert model.share == (kind in DECODERS)
    assert np.std(a) > 0.1
    for got, column in ((a, "response_a"), (b, "response_b")):
        np.testing.assert_allclose(got, plain(model, rows, column), atol=1e-5)
    for kwargs in (dict(max_tokens=1), dict(max_tokens=10**6), dict(share=False)):
        np.testing.assert_allclose(
            classifier(kind, side, **kwargs).rewards(rows, progress=False), [a, b], atol=1e-5
        )
    order = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_allclose(
        model.rewards(take(rows, order), progress=False), [a[order], b[order]], atol=1e-5
    )


def test_windows_of_pairs_keep_the_order(rows, monkeypatch):
    model = classifier("Qwen3")
    want = model.rewards(rows, progress=False)
    monkeypatch.setattr("plurality_nb.rewards.classifier._PAIRS_PACKED_TOGETHER", 3)
    np.testing.assert_allclose(model.rewards(rows, progress=False), want, atol=1e-5)


def test_pairs_that_are_too_long_have_no_reward(rows):
    model = classifier("Qwen3", max_length=100)
    scored = model.score(rows, progress=False)
    lost = [r is None for r in scored["reward_a"]]
    assert any(lost)
    assert not all(lost)
    assert len(scored) == len(rows)


def test_a_model_that_cannot_share_says_so_and_is_read_plainly(rows, caplog):
    model = classifier("Bloom")
    got = model.rewards(rows, progress=False)
    assert not model.share
    assert "BloomForSequenceClassification reads each response by itself" in caplog.text
    np.testing.assert_allclose(got[0], plain(model, rows, "response_a"), atol=1e-5)


def test_what_is_no_reward_model_is_refused(tmp_path):
    model, tokenizer = small_model("Qwen3", num_labels=3), small_tokenizer()
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "three")
    with pytest.raises(ContractError, match="a reward model, with one label, got 3 labels"):
        RewardModel.load(tmp_path / "three")
    with pytest.raises(ContractError, match="a reward model that transformers can load"):
        score(load_sample(), tmp_path / "nothing")


def test_an_adapter_is_a_reward_model(rows, tmp_path):
    from peft import LoraConfig, get_peft_model

    small_model("Qwen3").save_pretrained(tmp_path / "base")
    base = type(small_model("Qwen3")).from_pretrained(tmp_path / "base")
    model = get_peft_model(
        base,
        LoraConfig(
            task_type="SEQ_CLS",
            r=4,
            target_modules=["q_proj"],
            modules_to_save=["score"],
            init_lora_weights=False,
        ),
    )
    torch.nn.init.normal_(model.base_model.model.score.modules_to_save["default"].weight)
    model.save_pretrained(tmp_path / "adapter")
    small_tokenizer().save_pretrained(tmp_path / "adapter")
    want = Classifier(model=model, tokenizer=small_tokenizer()).rewards(rows, progress=False)
    got = RewardModel.load(tmp_path / "adapter").rewards(rows, progress=False)
    np.testing.assert_allclose(got, want, atol=1e-5)
    without_adapter = classifier("Qwen3").rewards(rows, progress=False)
    assert np.abs(np.subtract(want[0], without_adapter[0])).max() > 0.1


def test_a_model_of_the_hub_brings_its_prompts(rows, tmp_path):
    "A cache as the hub's client lays it out, read in a process that may not go online."
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = tmp_path / "models--me--rm" / "snapshots" / commit
    for m in (small_model("Llama"), small_tokenizer()):
        m.save_pretrained(snapshot)
    write_training(snapshot, dict(objective="votes"), rows["group"][:3])
    (tmp_path / "models--me--rm" / "refs").mkdir()
    (tmp_path / "models--me--rm" / "refs" / "main").write_text(commit)
    code = """
import json
from plurality_nb.rewards.model import RewardModel
model = RewardModel.load('me/rm', device='cpu')
print(json.dumps([model.name, model.identity['revision'], model.settings, sorted(model.groups)]))
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | dict(HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1"),
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [
        "me/rm",
        commit,
        dict(objective="votes"),
        sorted(set(rows["group"][:3])),
    ]


def test_the_tokenizer_may_know_better_how_much_a_model_reads():
    tokenizer = small_tokenizer(encoder=True)
    tokenizer.model_max_length = 510
    model = small_model("Bert", max_position_embeddings=512)
    assert Classifier(model=model, tokenizer=tokenizer).max_length == 510
    assert classifier("Bert").max_length == 2048
