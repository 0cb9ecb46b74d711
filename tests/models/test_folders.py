"Folders of models, encoders and names: what is wrong is said, with the file that has it."

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import small_model, small_tokenizer
from transformers import AutoModelForSequenceClassification

from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.models.encoder import check_encoder, embed
from plurality_nb.models.folders import local_folder
from plurality_nb.models.weights import load_pretrained, weights_id
from plurality_nb.rewards.classifier import Classifier
from plurality_nb.rewards.model import RewardModel


def save(folder, kind="Llama", **kwargs):
    small_model(kind, **kwargs).save_pretrained(folder)
    small_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save(tmp_path_factory.mktemp("models") / "reward-model")


@pytest.mark.parametrize("name", ["reward-modle", "reward_model", "rewardmodel"])
def test_a_mistyped_folder_is_no_failed_connection(saved, name):
    with pytest.raises(ContractError, match=r"no such folder. Did you mean .*reward-model'"):
        RewardModel.load(saved.parent / name)


@pytest.mark.parametrize("name", ["./nowhere", "~/nowhere-at-all", "a/b/c", "/nowhere/at/all"])
def test_what_can_only_be_a_path_is_not_looked_for_on_the_hub(name):
    with pytest.raises(ContractError, match=r"no such folder. Look into"):
        local_folder(name)


def test_a_name_that_may_be_of_the_hub_says_that_nobody_asked_it(saved):
    code = """
from plurality_nb.rewards.model import RewardModel
for name in ('reward-modle', 'me/it'):
    try:
        RewardModel.load(name, device='cpu')
    except ValueError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=saved.parent,
        env=os.environ | dict(HF_HUB_OFFLINE="1", HF_HUB_CACHE=str(saved.parent / "cache")),
    )
    near, none = run.stdout.splitlines()
    for line in (near, none):
        assert "no folder here, not in the cache of this machine, and HF_HUB_OFFLINE" in line
    assert "Did you mean the folder 'reward-model'" in near


def test_answers_depend_on_every_file_that_is_hashed(saved, tmp_path):
    for name in ("chat_template.jinja", "spiece.model", "modeling_x.py", "generation_config.json"):
        before = weights_id(saved)
        original = (saved / name).read_bytes() if (saved / name).exists() else None
        (saved / name).write_text("other")
        assert weights_id(saved) != before
        if original is None:
            (saved / name).unlink()
        else:
            (saved / name).write_bytes(original)
        assert weights_id(saved) == before


def test_a_configuration_may_pad_with_a_token_that_the_model_lacks(tmp_path):
    folder = save(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | dict(pad_token_id=600)))
    want = Classifier(model=small_model("Llama"), tokenizer=small_tokenizer())
    few = load_sample().select(range(4))
    got = RewardModel.load(folder, device="cpu").score(few, progress=False)
    assert got["reward_a"][:] == pytest.approx(want.score(few, progress=False)["reward_a"][:])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    folder = save(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"][0, 0] = value
    save_file(weights, folder / "model.safetensors", metadata=dict(format="pt"))
    with pytest.raises(ContractError, match=r"NaN or infinity in 'score.weight'"):
        RewardModel.load(folder, device="cpu")


def test_weights_too_large_for_their_type_say_which_to_take(tmp_path):
    folder = save(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"][0, 0] = 1e6
    save_file(weights, folder / "model.safetensors", metadata=dict(format="pt"))
    RewardModel.load(folder, device="cpu")
    with pytest.raises(ContractError, match=r"--dtype, float32 or bfloat16"):
        RewardModel.load(folder, device="cpu", dtype="float16")


@pytest.mark.parametrize("rows", [1, 5])
def test_rewards_that_overflow_are_null_and_counted(rows, caplog):
    model = Classifier(model=small_model("Llama").half(), tokenizer=small_tokenizer())
    with torch.no_grad():
        model.model.model.norm.weight.mul_(60_000)  # the head computes in float32
    few = load_sample().select(range(rows))
    with pytest.raises(ContractError, match=r"NaN or infinity for .*--dtype") as failure:
        model.score(few, progress=False)
    assert "long" not in str(failure.value)


def test_code_of_its_own_never_runs_unasked(tmp_path):
    folder = save(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    own = dict(model_type="own", auto_map=dict(AutoConfig="own.C"))
    (folder / "config.json").write_text(json.dumps(config | own))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ContractError, match=r"code of its own, 'own.C'.*--trust-remote-code"):
        RewardModel.load(folder, device="cpu")
    with pytest.raises(ContractError, match=r"code that comes with one is not run here"):
        load_pretrained(
            AutoModelForSequenceClassification, folder, "a model", trust_remote_code=None
        )
    assert not (tmp_path / "ran").exists()


# Encoders.


def encoder(folder, **kwargs):
    from plurality_nb.models.encoder import encoder_folder

    for path in encoder_folder().iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path)
        else:
            (folder / path.name).mkdir()
            for inner in path.iterdir():
                (folder / path.name / inner.name).symlink_to(inner)
    return folder


def rewrite(path, value):
    path.unlink()
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    "module",
    ["own.Transformer", "os.system", "sentence_transformers.models.Router", "builtins.exec"],
)
def test_an_encoder_of_other_modules_is_refused(tmp_path, module, monkeypatch):
    folder = encoder(tmp_path)
    marker = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(marker)!r}, 'w')")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = module
    rewrite(folder / "modules.json", modules)
    with pytest.raises(ContractError, match=r"modules\.json") as failure:
        embed(["a"], str(folder), progress=False)
    assert module in str(failure.value)
    assert not marker.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_an_encoder_with_a_broken_file_names_it(tmp_path, file):
    folder = encoder(tmp_path)
    whole = (folder / file).read_bytes()
    (folder / file).unlink()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ContractError, match=file):
        embed(["a text that is in no cache"], str(folder), progress=False)


def test_an_encoder_does_not_leave_its_folder(tmp_path):
    folder = encoder(tmp_path)
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = "../elsewhere"
    rewrite(folder / "modules.json", modules)
    with pytest.raises(ContractError, match=r"paths inside the folder"):
        check_encoder(folder)


def test_an_encoder_names_a_token_that_it_does_not_know(tmp_path, monkeypatch):
    monkeypatch.setenv("PLURALITY_CACHE", "off")
    folder = encoder(tmp_path)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    own = dict(tokenizer["added_tokens"][0], id=30522, content="zzyzx")
    tokenizer["added_tokens"].append(own)
    rewrite(folder / "tokenizer.json", tokenizer)
    assert embed(["river"], str(folder), progress=False).shape == (1, 384)
    with pytest.raises(ContractError, match=r"token 30522, 'zzyzx'"):
        embed(["at zzyzx road"], str(folder), progress=False)
