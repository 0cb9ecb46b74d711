"All objectives stop by one rule, whatever the scale of their rewards."

import numpy as np
import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges.collect import collect_votes
from plurality_nb.judges.registry import load_judge
from plurality_nb.rewards.probe import train_probe
from plurality_nb.rewards.stopping import preference_loss
from plurality_nb.votes.margins import add_margins, draw_labels


@pytest.fixture(scope="module")
def ready():
    voted = collect_votes(load_sample(), load_judge("population"), progress=False)
    return add_margins(draw_labels(voted), scale=3)


@pytest.mark.parametrize("scale", [1e-6, 0.1, 1, 1e3])
def test_the_scale_of_rewards_makes_no_difference(scale):
    rng = np.random.default_rng(0)
    delta, share = rng.normal(0.3, 1, 500), rng.random(500)
    want = preference_loss(delta, share)
    assert preference_loss(scale * delta, share) == pytest.approx(want, abs=1e-5)


def test_noise_is_no_better_than_nothing():
    "A fitted slope always gains something on noise; half of the time that was learning."
    rng = np.random.default_rng(0)
    gains = [np.log(2) - preference_loss(rng.normal(size=200), np.ones(200)) for _ in range(400)]
    assert np.mean(np.array(gains) > 0) < 0.12


@pytest.mark.slow
def test_one_margin_for_all_stops_where_no_margin_does(ready):
    "Validated by its own loss, an objective whose rewards are wider trained on another clock."
    losses = {
        objective: train_probe(ready, objective, progress=False).settings["validation_loss"]
        for objective in ("bt", "margin", "votes", "smoothing")
    }
    assert max(losses.values()) < np.log(2)  # on one scale: margins of 3 had losses above 2
    assert max(losses.values()) - min(losses.values()) < 0.05


def test_votes_alone_can_decide_when_to_stop(ready):
    unlabelled = with_columns(ready, label=[None] * len(ready))
    model = train_probe(unlabelled, "votes", max_steps=50, progress=False)
    assert model.settings["validate_on"] == "auto" and model.settings["steps"] > 0
    with pytest.raises(ContractError, match="Set it to 'votes'"):
        train_probe(unlabelled, "votes", validate_on="labels", progress=False)
