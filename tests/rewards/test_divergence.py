"Training that diverges stops before it spoils anything, and numbers that are not finite go nowhere."

import json
import math

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from small_models import small_model, small_tokenizer

from plurality_nb.data.sample import load_sample
from plurality_nb.data.trl import from_trl
from plurality_nb.errors import ContractError
from plurality_nb.rewards.classifier import Classifier
from plurality_nb.rewards.model import RewardModel
from plurality_nb.rewards.probe import train_probe
from plurality_nb.rewards.run import train_model
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = dict(max_steps=2, use_cpu=True, progress=False, objective="bt")


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


@pytest.fixture(scope="module")
def rows():
    return from_trl(
        dict(prompt=f"Q {i}", chosen=f"Good {i}", rejected=f"Bad {i}") for i in range(6)
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("models") / "base"
    for part in (small_model("Llama"), tokenizer):
        part.save_pretrained(folder)
    return folder


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def trainer_of(folder, tokenizer, margins, **kwargs):
    texts = dict(prompt=["Q"] * 4, chosen=["a", "b", "c", "d"], rejected=["e"] * 4)
    settings = dict(report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no")
    return MarginTrainer(
        small_model("Llama"),
        MarginConfig(str(folder), **settings | kwargs),
        Dataset.from_dict(texts | dict(margin=margins)),
        processing_class=tokenizer,
    )


@pytest.mark.parametrize(
    "margins, settings, message",
    [
        ([1.0, 2.0, 3.0, 1.0], dict(learning_rate=1e5, max_steps=9), "want a finite number, got"),
        ([1.0, 3e38, 3e38, 1.0], dict(max_steps=1), "`loss`: .*row 1.*margin 3e.*correct it"),
        ([1.0, 2.0, 3.0, 1.0], dict(learning_rate=1e38, max_steps=1), "NaN or infinity in 'model"),
    ],
)
def test_a_run_that_diverges_stops_by_name(margins, settings, message, tmp_path, tokenizer):
    trainer = trainer_of(tmp_path, tokenizer, margins, **settings)
    with pytest.raises(ContractError, match=message):
        trainer.train()
    logged = [step["loss"] for step in trainer.state.log_history if "loss" in step]
    assert all(loss > 0 for loss in logged)


def test_weights_that_are_spoilt_are_never_saved(tmp_path, tokenizer):
    trainer = trainer_of(tmp_path, tokenizer, [1.0] * 4, max_steps=1)
    with torch.no_grad():
        next(trainer.model.parameters())[0, 0] = torch.inf
    with pytest.raises(ContractError, match="weights that are finite numbers"):
        trainer.save_model(str(tmp_path / "m"))
    assert not (tmp_path / "m").exists()


def test_a_diverged_run_keeps_the_model_and_checkpoint_before_it(rows, base, tmp_path, monkeypatch):
    out = tmp_path / "mine"
    train_model(rows, base, out, **QUICK)
    before = files_of(out)
    # The loss becomes NaN in the third step, after a checkpoint.
    step = MarginTrainer.training_step

    def spoilt_step(self, model, inputs, num_items_in_batch):
        if self.state.global_step == 2:
            with torch.no_grad():
                next(model.parameters())[:] = torch.nan
        return step(self, model, inputs, num_items_in_batch)

    monkeypatch.setattr(MarginTrainer, "training_step", spoilt_step)
    with pytest.raises(ContractError, match=r"step 3 of 4, row \d \(pair_id "):
        train_model(rows, base, out, **QUICK | dict(max_steps=4, save_steps=2))
    assert files_of(out) == before
    checkpoint = tmp_path / "mine.run" / "checkpoint-2"
    weights = load_file(checkpoint / "model.safetensors").values()
    assert all(bool(values.isfinite().all()) for values in weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "mine.run"]
    monkeypatch.undo()
    trained = train_model(rows, base, out, **QUICK | dict(max_steps=4, save_steps=2))
    assert trained.state.global_step == 4


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_spoilt_base_is_refused_with_its_tensor(value, rows, base, tmp_path):
    folder = tmp_path / "spoilt"
    folder.mkdir()
    for name, content in files_of(base).items():
        (folder / name).write_bytes(content)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = value
    save_file(weights, folder / "model.safetensors", metadata=dict(format="pt"))
    with pytest.raises(ContractError, match=r"infinity in 'model\.norm\.weight' of"):
        train_model(rows, folder, tmp_path / "out", **QUICK)
    with pytest.raises(ContractError, match=r"infinity in 'model\.norm\.weight' of"):
        RewardModel.load(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["spoilt"]


def test_rewards_that_overflow_are_null_and_counted_or_an_error(rows, tokenizer, caplog):
    model = Classifier(name="half", model=small_model("Llama").half(), tokenizer=tokenizer)
    with torch.no_grad():
        model.model.model.norm.weight.fill_(6e4)
        model.model.score.weight.fill_(6e4)
    with pytest.raises(ContractError, match="NaN or infinity for 6 of 6 pairs from 'half'"):
        model.score(rows, progress=False)
    wide = small_model("Llama")
    some = Classifier(name="some", model=wide, tokenizer=tokenizer)
    real = some.rewards(rows, progress=False)
    some.rewards = lambda ds, progress: type(real)(np.array([-np.inf, *real.a[1:]]), real.b)
    scored = some.score(rows, progress=False)
    assert scored["reward_a"][0] is None
    assert scored["reward_b"][0] is None
    assert None not in scored["reward_a"][1:]
    assert "some: NaN or infinity for 1 of 6 pairs, which get no reward" in caplog.text


def test_a_probe_that_diverges_is_refused():
    ds = load_sample().select(range(30))
    ds = ds.remove_columns("label").add_column("label", [1.0] * len(ds))
    ds = ds.remove_columns("margin").add_column("margin", [3e38] * len(ds))
    with pytest.raises(ContractError, match=r"`lr`: want steps with which losses stay finite"):
        train_probe(ds, "margin", progress=False)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda folder: (folder / "config.json").write_text('{"kind": "probe"}'), "`dim`"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"12345678"), "safetensors"),
        (lambda folder: (folder / "model.safetensors").unlink(), "the weights of a probe"),
        (lambda folder: (folder / "plurality.json").write_text("{"), "plurality.json"),
        (lambda folder: (folder / "groups.txt").write_bytes(b"\xff\xfe\x00"), "groups.txt"),
    ],
)
def test_a_damaged_probe_is_named(spoil, message, tmp_path):
    ds = load_sample().select(range(30))
    ds = ds.remove_columns("label").add_column("label", [1.0, 0.0] * 15)
    folder = train_probe(ds, "bt", max_steps=5, progress=False).save(tmp_path / "m")
    spoil(folder)
    with pytest.raises(ContractError, match=message):
        RewardModel.load(folder)


@pytest.mark.parametrize(
    "file, content, message",
    [
        ("modules.json", [dict(path="", type="evil.Module")], "got evil.Module"),
        ("modules.json", [dict(path="", type="os.path.join")], "got os.path.join"),
        ("router_config.json", dict(types={"0": "evil.Part"}), "got evil.Part"),
        ("config.json", dict(activation_function="evil.run"), "got evil.run"),
        ("pytorch_model.bin", {}, "weights in safetensors"),
        ("modules.json", "no list", "a list of modules"),
    ],
)
def test_a_foreign_probe_runs_no_code_of_its_own(file, content, message, tmp_path):
    ds = load_sample().select(range(30))
    ds = ds.remove_columns("label").add_column("label", [1.0, 0.0] * 15)
    folder = train_probe(ds, "bt", max_steps=5, progress=False).save(tmp_path / "m")
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (encoder / file).write_text(json.dumps(content))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | dict(encoder=str(encoder))))
    with pytest.raises(ContractError, match=message):
        RewardModel.load(folder).score(ds, progress=False)
    assert not (tmp_path / "ran").exists()
