"Reward models that predict votes for A, for B and ties: probes and full models."

import json
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from scipy.special import xlogy
from small_models import small_model, small_tokenizer
from transformers import AutoModelForSequenceClassification

from plurality_nb.cli.training import _ObjectiveName
from plurality_nb.data.arrow import take
from plurality_nb.data.build import number_column, with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.sample import load_sample
from plurality_nb.data.trl import to_trl
from plurality_nb.errors import ContractError
from plurality_nb.judges.collect import collect_votes
from plurality_nb.models.heads import add_outputs
from plurality_nb.rewards.judge import RewardJudge
from plurality_nb.rewards.model import RewardModel, score
from plurality_nb.rewards.objectives import OBJECTIVES
from plurality_nb.rewards.outcomes import OUTCOME_OBJECTIVES, anchor_of_votes, predicted_outcomes
from plurality_nb.rewards.probe import cross_score, train_probe
from plurality_nb.rewards.probe_model import ProbeInputs
from plurality_nb.rewards.run import train_model
from plurality_nb.rewards.targets import chosen_outcomes
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer
from plurality_nb.simulation.trials import simulated_comparisons, trial_population
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.studies.config import Arm

SETTINGS = dict(
    objective="crowd",
    votes="human",
    learning_rate=1e-2,
    logging_steps=1,
    report_to="none",
    use_cpu=True,
    save_strategy="no",
    max_steps=4,
    per_device_train_batch_size=16,
    seed=3,
)
PROBABILITIES = ["prob_a", "prob_b", "prob_tie"]  # in the order of `true_*`

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def voted():
    ds = simulate_votes(take(load_sample(), slice(0, 256, 4)), sample_population(), n=20)
    return with_columns(ds, label=(number_column(ds, "human_a") > number_column(ds, "human_b")) * 1)


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


def train(folder, ds, tokenizer, model=None, **settings):
    args = MarginConfig(str(folder), **SETTINGS | settings)
    trainer = MarginTrainer(model or small_model("Qwen3"), args, ds, processing_class=tokenizer)
    trainer.train()
    return trainer


def losses(trainer):
    return [step["loss"] for step in trainer.state.log_history if "loss" in step]


def probabilities(ds):
    return np.stack([number_column(ds, name) for name in PROBABILITIES], 1)


@pytest.mark.parametrize("objective", OUTCOME_OBJECTIVES)
def test_common_beginnings_make_no_difference(objective, voted, tokenizer, tmp_path):
    apart = train(tmp_path, voted, tokenizer, objective=objective, prefix_sharing="off")
    together = train(tmp_path, voted, tokenizer, objective=objective, prefix_sharing="on")
    assert together.data_collator.share
    np.testing.assert_allclose(losses(together), losses(apart), atol=1e-5)
    first = -(chosen_outcomes(voted, "human") * np.log([0.3, 0.3, 0.4])).sum(1).mean()
    assert 0 < losses(apart)[0] < 2 * first


@pytest.mark.parametrize("kind", ["Qwen3", "Bert"])
def test_a_saved_model_predicts_the_votes_that_it_was_trained_for(kind, voted, tokenizer, tmp_path):
    base = tmp_path / "base"
    small_model(kind).save_pretrained(base)
    tokenizer.save_pretrained(base)
    settings = {name: value for name, value in SETTINGS.items() if name != "save_strategy"}
    trainer = train_model(voted, base, tmp_path / "mine", progress=False, **settings)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "mine")
    assert plain.config.num_labels == 10
    names = ["reward", "second", *(f"taste_{k}" for k in range(1, 9))]
    assert plain.config.id2label == dict(enumerate(names))
    noted = json.loads((tmp_path / "mine" / "plurality.json").read_text())
    anchor = anchor_of_votes("crowd", chosen_outcomes(voted, "human")[:, 2])
    settings = noted.get("settings", noted)
    assert settings["tie_threshold"] == pytest.approx(anchor, rel=1e-3)
    scored = RewardModel.load(tmp_path / "mine").score(voted, progress=False)
    np.testing.assert_allclose(probabilities(scored).sum(1), 1, atol=1e-6)
    assert number_column(scored, "prob_tie").std() > 0
    # A and B in the other order, and by a model of another kind
    turned = RewardModel.load(tmp_path / "mine").score(swap_sides(voted), progress=False)
    np.testing.assert_allclose(
        probabilities(turned), probabilities(scored)[:, [1, 0, 2]], atol=1e-5
    )
    assert np.isnan(probabilities(score(scored, "longer response"))).all()
    assert trainer.trained["objective"] == "crowd"
    # trained further for the same objective, but for no other
    again = train_model(
        voted, tmp_path / "mine", tmp_path / "more", progress=False, **settings_of(4)
    )
    assert again.args.tie_threshold == pytest.approx(anchor, rel=1e-3)
    for other in ("bt", "ties"):
        with pytest.raises(ContractError, match="`model`: want a model"):
            train_model(
                voted, tmp_path / "mine", tmp_path / "x", progress=False, **settings_of(4, other)
            )


def test_objectives_without_tastes_have_two_outputs(voted, tokenizer, tmp_path):
    trainer = train(tmp_path, voted, tokenizer, objective="ties", max_steps=1)
    assert trainer.model.config.id2label == {0: "reward", 1: "second"}


def test_tastes_learn_and_change_what_is_predicted(voted, tokenizer, tmp_path):
    trainer = train(tmp_path, voted, tokenizer, max_steps=2)
    started = small_model("Qwen3")
    add_outputs(started, 10)
    moved = trainer.model.score.weight[2:] - started.score.weight[2:]
    assert (moved.abs().sum(1) > 0).all()
    model = train_probe(voted, "crowd", votes="human", max_steps=50, progress=False)
    predicted = probabilities(model.score(voted, progress=False))
    with torch.no_grad():
        model.probe.head.weight[2:] = 0
    alike = probabilities(model.score(voted, progress=False))
    assert (predicted[:, 2] < alike[:, 2]).mean() > 0.9  # tastes that differ leave fewer ties


@pytest.mark.parametrize("shift", [0.0, 3.0, -1.0])
def test_what_both_responses_have_divides_nobody(shift):
    delta, second = torch.tensor([0.2]), torch.zeros(1, 2)
    first, other = torch.tensor([[0.5, 1.0]]), torch.tensor([[0.1, 2.0]])
    outputs = torch.stack([delta * 0, second[:, 0]], 0)
    both = torch.stack([torch.cat([outputs, (side + shift).T]) for side in (first, other)], 1)
    settings = dict(objective="crowd", tie_threshold=0.4)
    predicted = predicted_outcomes(both, settings)
    unshifted = torch.stack([torch.cat([outputs, side.T]) for side in (first, other)], 1)
    np.testing.assert_allclose(predicted, predicted_outcomes(unshifted, settings), atol=1e-6)
    same = torch.stack([torch.cat([outputs, first.T])] * 2, 1)
    assert predicted_outcomes(same, settings)[0, 2] > predicted[0, 2]


@pytest.fixture(scope="module")
def simulated():
    ds = simulated_comparisons(80, 3, blur=0.05, seed=0)
    return simulate_votes(ds, trial_population(), 5, seed=1)


def features_alone(ds, encoder=None, progress=True):
    plural = number_column(ds, "plurality")[:, None]
    features = (np.array(ds[f"features_{side}"][:]) for side in "ab")
    inputs = (3 * np.hstack([x, plural * x, plural]).astype(np.float32) for x in features)
    return ProbeInputs(*(torch.from_numpy(x) for x in inputs))


def test_a_crowd_with_tastes_predicts_votes_better_where_the_truth_is_known(simulated, monkeypatch):
    for module in ("probe", "probe_model"):
        monkeypatch.setattr(f"plurality_nb.rewards.{module}.probe_inputs", features_alone)
    excess = {}
    for objective in ("ties", "crowd"):
        crossed = cross_score(
            simulated, objective, 2, votes="human", max_steps=100, lr=0.01, progress=False
        )
        true = np.stack([number_column(simulated, f"true_{o}") for o in ("a", "b", "tie")], 1)
        excess[objective] = -xlogy(true, probabilities(crossed) / true).sum(1).mean()
    assert 0 < excess["crowd"] < excess["ties"] - 0.01


def settings_of(steps, objective="crowd"):
    kept = {name: value for name, value in SETTINGS.items() if name != "save_strategy"}
    return kept | dict(max_steps=steps, objective=objective)


def test_an_adapter_brings_both_outputs(voted, tokenizer, tmp_path):
    small_model("Qwen3").save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    train_model(
        voted, tmp_path / "base", tmp_path / "mine", lora=4, progress=False, **settings_of(3)
    )
    scored = RewardModel.load(tmp_path / "mine").score(voted, progress=False)
    np.testing.assert_allclose(probabilities(scored).sum(1), 1, atol=1e-6)
    assert number_column(scored, "prob_tie").std() > 0


def test_the_meaning_of_a_second_output_is_not_guessed(voted, tokenizer, tmp_path):
    small_model("Qwen3").save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    train_model(voted, tmp_path / "base", tmp_path / "mine", progress=False, **settings_of(2))
    (tmp_path / "mine" / "plurality.json").unlink()
    with pytest.raises(ContractError, match="a reward model, with one label"):
        RewardModel.load(tmp_path / "mine")


def test_rows_of_trl_bring_the_share_of_ties(voted, tokenizer, tmp_path):
    rows = to_trl(voted)
    outcomes = chosen_outcomes(voted, "human")
    share = outcomes[:, 0] + outcomes[:, 2] / 2
    rows = rows.remove_columns(
        [c for c in rows.column_names if c not in ("chosen", "rejected", "prompt")]
    )
    rows = rows.add_column("chosen_share", share)
    with pytest.raises(ContractError, match="rows with `tie_share`"):
        train(tmp_path, rows, tokenizer)
    with_ties = rows.add_column("tie_share", outcomes[:, 2])
    assert np.isfinite(losses(train(tmp_path, with_ties, tokenizer))).all()
    too_many = rows.add_column("tie_share", np.ones(len(rows)))
    with pytest.raises(ContractError, match="at most twice the smaller"):
        train(tmp_path, too_many, tokenizer)


def test_labels_alone_are_votes_and_a_tie_is_one(voted):
    labels = np.resize([1, 0, 0.5, 0.5], len(voted))
    nobody = dict.fromkeys(["human_a", "human_b", "human_tie"], [None] * len(labels))
    labelled = with_columns(voted, label=labels, **nobody)
    model = train_probe(labelled, "ties", votes="human", missing="label", progress=False)
    assert model.settings["pairs"] == len(labels)
    assert model.settings["tie_threshold"] == pytest.approx(2 * np.arctanh(0.5), abs=0.02)
    with pytest.raises(ContractError, match="rows that 'ties' can use"):
        train_probe(labelled, "ties", votes="human", progress=False)


@pytest.mark.parametrize("objective", OUTCOME_OBJECTIVES)
def test_a_probe_and_its_scores_do_not_depend_on_which_side_is_a(objective, voted, tmp_path):
    model = train_probe(voted, objective, votes="human", progress=False)
    other = train_probe(swap_sides(voted), objective, votes="human", progress=False)
    predicted = probabilities(model.score(voted, progress=False))
    np.testing.assert_allclose(
        probabilities(other.score(voted, progress=False)), predicted, atol=1e-4
    )
    model.save(tmp_path / "mine")
    loaded = RewardModel.load(tmp_path / "mine").score(voted, progress=False)
    np.testing.assert_allclose(probabilities(loaded), predicted, atol=1e-6)
    assert predicted[:, 2].std() > 0.01


def test_held_out_predictions_are_of_held_out_prompts(voted):
    crossed = cross_score(voted, "crowd", votes="human", progress=False)
    assert not any(crossed["seen"])
    assert np.isfinite(probabilities(crossed)).all()


def test_an_earlier_threshold_holds(voted):
    model = train_probe(voted, "crowd", votes="human", tie_threshold=0.7, progress=False)
    assert model.settings["tie_threshold"] == 0.7
    assert torch.is_tensor(model.probe.second_bias)


@pytest.mark.parametrize(
    "votes, said",
    [((3, 1, 0), "no vote is a tie"), ((0, 0, 4), "all votes are ties"), ((2, 1, 1), "")],
)
def test_votes_without_ties_or_choices_are_told(votes, said, voted, caplog):
    alike = {
        f"human_{name}": [count] * len(voted)
        for name, count in zip(("a", "b", "tie"), votes, strict=True)
    }
    train_probe(with_columns(voted, **alike), "ties", votes="human", max_steps=5, progress=False)
    assert ("cannot learn when people tie" in caplog.text) == bool(said)
    assert said in caplog.text


@pytest.mark.parametrize("objective", ["bt", "crowd"])
def test_few_prompts_are_folds_of_their_own_and_one_is_too_few(objective, voted):
    model = train_probe(take(voted, slice(3)), objective, votes="human", progress=False)
    assert model.settings["folds"] == 3
    with pytest.raises(ContractError, match="pairs on at least 2 prompts"):
        train_probe(take(voted, slice(1)), objective, votes="human", progress=False)


@pytest.mark.parametrize("objective", ["crowd", "votes"])
def test_where_votes_come_from_is_said(objective, voted):
    nobody = dict.fromkeys(["human_a", "human_b", "human_tie"], [None] * len(voted))
    with pytest.raises(ContractError, match=r"--votes.* names whose count.*--missing label"):
        train_probe(with_columns(voted, **nobody), objective, votes="human", progress=False)


def test_a_resumed_run_ends_as_an_undisturbed_one(voted, tokenizer, tmp_path):
    saving = dict(save_strategy="steps", save_steps=2)
    whole = train(tmp_path / "run", voted, tokenizer, **saving)
    args = MarginConfig(str(tmp_path / "run"), **SETTINGS | saving)
    again = MarginTrainer(small_model("Qwen3"), args, voted, processing_class=tokenizer)
    again.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-2"))
    assert losses(again) == losses(whole)
    for name, weights in whole.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], weights)


def test_a_judge_that_predicts_ties_votes_for_them(voted):
    model = train_probe(voted, "ties", votes="human", progress=False)
    judged = collect_votes(voted, RewardJudge([model]), progress=False)
    given = np.stack([number_column(judged, f"judge_{name}") for name in ("a", "b", "tie")], 1)
    np.testing.assert_allclose(
        given / given.sum(1, keepdims=True),
        probabilities(model.score(voted, progress=False)),
        atol=1e-5,
    )


def test_every_list_of_objectives_names_all_of_them():
    assert set(get_args(_ObjectiveName)) == set(OBJECTIVES)
    assert set(get_args(get_type_hints(Arm)["objective"])) == set(OBJECTIVES)
