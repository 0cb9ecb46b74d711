import json

import numpy as np
import pytest
import torch

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.rewards.model import RewardModel, score
from plurality_nb.rewards.probe import cross_score, train_probe
from plurality_nb.rewards.probe_model import probe_inputs
from plurality_nb.rewards.targets import exclude_groups
from plurality_nb.simulation.users import PopulationJudge, sample_population
from plurality_nb.studies.demo import make_training_pairs


@pytest.fixture(scope="module")
def ready():
    return make_training_pairs(load_sample(), PopulationJudge(sample_population()), progress=False)[
        0
    ]


@pytest.mark.slow
def test_the_probe_learns_what_can_be_learned(ready):
    "Labels that follow a direction in the inputs are found again on prompts that were held out."
    a, b = probe_inputs(ready, progress=False)
    direction = torch.randn(a.shape[1], generator=torch.Generator().manual_seed(0))
    gap = ((a - b) @ direction).numpy()
    labelled = with_columns(ready, label=(gap > 0).astype(float))
    right = []
    for seed in range(4):  # one partition into folds is right by three in a hundred more or less
        out = cross_score(labelled, "bt", seed=seed, progress=False)
        got = np.subtract(out["reward_a"][:], out["reward_b"][:])
        right.append(np.mean((got > 0) == (gap > 0)))
    assert np.mean(right) > 0.7


@pytest.mark.parametrize("votes_for", ["longer", "shorter"])
def test_the_probe_learns_of_length_from_few_labels(ready, votes_for):
    "Its one input of length counts as much as what hundreds of the embedding's say together."
    longer = np.array([len(row["response_a"]) > len(row["response_b"]) for row in ready])
    gap = np.log([len(row["response_a"]) / len(row["response_b"]) for row in ready])
    labels = (longer if votes_for == "longer" else ~longer).astype(float)
    few = np.flatnonzero(np.abs(gap) > 0.2)
    labelled = with_columns(ready, label=labels).select(few)
    out = cross_score(labelled, "bt", progress=False)
    rewards_differ = np.subtract(out["reward_a"][:], out["reward_b"][:])
    assert np.mean((rewards_differ > 0) == labels[few].astype(bool)) > 0.9


def mean_gap(ds, objective):
    "Mean distance between the rewards of a pair, by a probe trained on the same pairs."
    scored = train_probe(ds, objective, progress=False).score(ds, progress=False)
    return np.abs(np.subtract(scored["reward_a"][:], scored["reward_b"][:])).mean()


def test_the_margin_widens_the_gap(ready):
    margin = np.array(ready["margin"][:])
    without = mean_gap(with_columns(ready, margin=0.0 * margin), "margin")
    assert mean_gap(with_columns(ready, margin=3.0 * margin), "margin") > without
    assert mean_gap(ready, "bt") == pytest.approx(without, rel=1e-5)


def test_excluded_prompts_are_neither_learned_from_nor_marked(ready):
    out = set(ready["group"][:50])
    model = train_probe(ready, "bt", exclude=out, max_steps=10, progress=False)
    assert not model.groups & out
    seen = model.score(ready, progress=False)["seen"]
    assert not any(seen[i] for i, group in enumerate(ready["group"]) if group in out)
    assert set(exclude_groups(ready, out)["group"]).isdisjoint(out)


def test_a_saved_model_is_plain_files_and_a_spoilt_one_is_named(ready, tmp_path):
    model = train_probe(ready, "bt", max_steps=10, progress=False)
    folder = model.save(tmp_path / "m")
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        "groups.txt",
        "model.safetensors",
        "plurality.json",
    ]
    model.save(folder)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert (
        score(ready, folder, progress=False).to_dict()
        == model.score(ready, progress=False).to_dict()
    )
    config = json.loads((folder / "config.json").read_text())
    for other in (dict(length_scale=1.0), dict(length_offset=0)):
        (folder / "config.json").write_text(json.dumps(config | other))
        with pytest.raises(ContractError, match=r"reads lengths with .* Train it again"):
            RewardModel.load(folder)
    (folder / "config.json").write_text(json.dumps(config | dict(kind="other")))
    with pytest.raises(ContractError, match="a reward model that transformers can load"):
        RewardModel.load(folder)


def test_trl_trains_on_to_trl_unchanged(ready, tmp_path):
    "A tiny BERT made on the spot, TRL's own trainer, the margin column taken up: a larger margin is a larger loss."
    transformers = pytest.importorskip("transformers")
    trl = pytest.importorskip("trl")
    from plurality_nb.data.arrow import take
    from plurality_nb.data.trl import to_trl
    from plurality_nb.models.encoder import encoder_folder

    data = to_trl(take(ready, np.arange(24)))
    assert set(data.column_names) == {"prompt", "chosen", "rejected", "margin"}
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder_folder())
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    )
    tokenizer.eos_token = tokenizer.sep_token

    def loss(ds):
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            num_labels=1,
            pad_token_id=tokenizer.pad_token_id,
        )
        args = trl.RewardConfig(
            output_dir=str(tmp_path),
            max_steps=1,
            per_device_train_batch_size=4,
            report_to=[],
            use_cpu=True,
            bf16=False,
            logging_steps=1,
            save_strategy="no",
            disable_tqdm=True,
            gradient_checkpointing=False,
        )
        trainer = trl.RewardTrainer(
            transformers.BertForSequenceClassification(config),
            args=args,
            train_dataset=ds,
            processing_class=tokenizer,
        )
        return trainer.train().training_loss

    plain, wide = loss(data), loss(data.map(lambda r: dict(margin=r["margin"] + 5)))
    assert np.isfinite(plain) and wide > plain + 3
