"Ensembles of probes: what they are unsure of, apart from where they expect people to be divided."

import json

import numpy as np
import pytest
import torch
from scipy.special import expit, xlogy

from plurality_nb.data.arrow import take
from plurality_nb.data.build import number_column, with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.rewards.ensemble import ensemble_doubts, train_ensemble
from plurality_nb.rewards.model import RewardModel, score
from plurality_nb.rewards.probe import train_probe
from plurality_nb.rewards.probe_model import ProbeInputs
from plurality_nb.simulation.trials import simulated_comparisons
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.votes.selection import DOUBT_COLUMNS, select_pairs

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def voted():
    ds = simulate_votes(take(load_sample(), slice(0, 256, 4)), sample_population(), n=20)
    return with_columns(ds, label=(number_column(ds, "human_a") > number_column(ds, "human_b")) * 1)


def small_ensemble(ds, objective="crowd", **settings):
    how = dict(members=3, max_steps=40, votes="human", progress=False)
    return train_ensemble(ds, objective, **how | settings)


@pytest.mark.parametrize("objective", ["crowd", "ties", "votes"])
def test_a_saved_ensemble_says_the_same_in_either_order(objective, voted, tmp_path):
    ensemble = small_ensemble(voted, objective)
    scored = ensemble.score(voted, progress=False)
    loaded = RewardModel.load(ensemble.save(tmp_path / "mine"))
    turned = loaded.score(swap_sides(voted), progress=False)
    for column in DOUBT_COLUMNS:
        values = number_column(scored, column)
        np.testing.assert_allclose(number_column(turned, column), values, atol=1e-5)
        assert values.std() > 0
    predicts_ties = objective != "votes"
    assert np.isfinite(number_column(scored, "prob_tie")).all() == predicts_ties
    assert loaded.settings["members"] == 3
    assert all(scored["seen"])


def test_doubts_of_another_model_are_not_kept(voted):
    scored = small_ensemble(voted).score(voted, progress=False)
    probe = train_probe(voted, "votes", votes="human", max_steps=5, progress=False)
    for again in (probe.score(scored, progress=False), score(scored, "random")):
        assert np.isnan(number_column(again, "epistemic_variance")).all()
        assert np.isnan(number_column(again, "expected_entropy")).all()


def test_agreeing_members_have_no_epistemic_variance():
    outcomes = np.random.default_rng(0).dirichlet([1, 1, 1], 20)
    doubts = ensemble_doubts(np.stack([outcomes] * 3))
    np.testing.assert_allclose(doubts["epistemic_variance"], 0, atol=1e-12)
    sides = outcomes[:, :2] / outcomes[:, :2].sum(1, keepdims=True)
    np.testing.assert_allclose(doubts["expected_entropy"], -xlogy(sides, sides).sum(1))


@pytest.mark.parametrize("members", [1, 0, -2])
def test_one_probe_is_no_ensemble(members, voted):
    with pytest.raises(ContractError, match="`members`: want a whole number >= 2"):
        small_ensemble(voted, members=members)


@pytest.mark.parametrize("spoil", ["thresholds", "encoder", "weights"])
def test_a_spoilt_ensemble_is_refused(spoil, voted, tmp_path):
    folder = small_ensemble(voted, members=2, max_steps=5).save(tmp_path / "mine")
    config = json.loads((folder / "config.json").read_text())
    config |= dict(thresholds=config["thresholds"] * 2) if spoil == "weights" else {spoil: None}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ContractError, match="`model`: want"):
        RewardModel.load(folder)


# Two kinds of pairs. On the divided kind people are halves, which many votes have shown; of the
# rare kind a few prompts are known, although people are nearly of one mind.
DIVIDED, RARE = 0, 1


def read_features(ds, encoder=None, progress=True):
    sides = (np.array(ds[f"features_{side}"][:], dtype=np.float32) for side in "ab")
    return ProbeInputs(*(torch.from_numpy(side) for side in sides))


def two_kinds(count, seed):
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 2
    half = rng.normal(size=(count, 16)).astype(float)
    half[kind == DIVIDED, 8:] = 0
    half[kind == RARE, :8] = 0
    share = np.where(kind == RARE, expit(half[:, 8:].sum(1)), 0.5)
    ds = simulated_comparisons(count, 1, seed=seed)
    features = dict(features_a=half.tolist(), features_b=(-half).tolist())
    return with_columns(ds, kind=kind, share=share, quadrant=[None] * count, **features)


def with_votes(ds, n, seed):
    share = number_column(ds, "share")
    a = np.random.default_rng(seed).binomial(n, share)
    return with_columns(ds, human_a=a, human_b=n - a, human_tie=np.zeros(len(ds), int))


def loss_on(model, ds):
    scored = model.score(ds, progress=False)
    delta = number_column(scored, "reward_a") - number_column(scored, "reward_b")
    share = number_column(ds, "share")
    return -(share * np.log(expit(delta)) + (1 - share) * np.log(expit(-delta))).mean()


def test_votes_go_where_the_model_is_unsure_not_where_people_are_divided(monkeypatch):
    for module in ("probe", "probe_model", "ensemble"):
        monkeypatch.setattr(f"plurality_nb.rewards.{module}.probe_inputs", read_features)
    pool, test = two_kinds(200, 0), two_kinds(200, 1)
    kind = number_column(pool, "kind")
    is_known = (np.arange(200) < 100) & (kind == DIVIDED) | (np.arange(200) < 30)
    known, rest = with_votes(take(pool, is_known), 10, 2), take(pool, ~is_known)
    ensemble = small_ensemble(known, "votes", members=6, lr=0.05, max_steps=200)
    scored = ensemble.score(rest, progress=False)
    losses, rare = {}, {}
    for by in ("epistemic", "division"):
        asked = select_pairs(scored, 24, by, uniform=0.01)
        rare[by] = (number_column(asked, "kind") == RARE).mean()
        learned = concatenate([known, with_votes(asked, 10, 3)])
        how = dict(votes="human", lr=0.05, max_steps=200, progress=False)
        losses[by] = loss_on(train_probe(learned, "votes", **how), test)
    assert rare["epistemic"] > rare["division"] + 0.2
    assert losses["epistemic"] < losses["division"]


def concatenate(tables):
    from datasets import concatenate_datasets

    columns = tables[0].column_names
    return concatenate_datasets(
        [ds.select_columns(columns).cast(tables[0].features) for ds in tables]
    )
