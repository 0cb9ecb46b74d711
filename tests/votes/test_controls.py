"Controls have exactly the margins of the rows that are trained on."

import numpy as np
import pytest

from plurality_nb.data.arrow import take
from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges.collect import collect_votes
from plurality_nb.judges.registry import load_judge
from plurality_nb.rewards.probe import train_probe
from plurality_nb.rewards.targets import training_targets
from plurality_nb.votes.margins import add_margins, control_margins, draw_labels


@pytest.fixture(scope="module")
def labelled():
    return draw_labels(collect_votes(load_sample(), load_judge("population"), progress=False))


def margins_used(ds):
    targets = training_targets(ds, "margin")
    return targets["margin"][targets["keep"]]


@pytest.mark.parametrize("seed", range(3))
def test_controls_have_the_margins_that_are_trained_with(labelled, seed):
    "Tied labels are dropped and have small margins; made with them, controls were .09 too small."
    own = margins_used(add_margins(labelled, seed=seed))
    permuted = margins_used(add_margins(labelled, "permuted", seed=seed))
    constant = margins_used(add_margins(labelled, "constant", seed=seed))
    np.testing.assert_array_equal(np.sort(permuted), np.sort(own))
    assert (permuted != own).mean() > 0.5
    np.testing.assert_allclose(constant, own.mean(), rtol=1e-6)


def test_excluded_prompts_are_no_part_of_a_control(labelled):
    out = set(labelled["group"][:60])
    kept = np.array([group not in out for group in labelled["group"]])
    constant = add_margins(labelled, "constant", exclude=out)
    want = margins_used(take(add_margins(labelled), kept)).mean()
    np.testing.assert_allclose(margins_used(constant), want, rtol=1e-6)
    assert all(m is None for m, keep in zip(constant["margin"], kept) if not keep)


@pytest.mark.parametrize("control", ["constant", "permuted"])
def test_a_probe_makes_its_control_after_rows_were_left_out(labelled, control):
    ds, out = add_margins(labelled), labelled["group"][:60]
    how = dict(exclude=out, max_steps=5, progress=False)
    own = train_probe(ds, "margin", **how).settings["mean_margin"]
    model = train_probe(ds, "margin", margin_control=control, **how)
    assert model.settings["mean_margin"] == pytest.approx(own, rel=1e-6)
    assert model.settings["margin_control"] == control


def test_without_labels_there_is_nothing_to_make_a_control_of(labelled):
    unlabelled = with_columns(labelled, label=[None] * len(labelled))
    with pytest.raises(ContractError, match="`label`: want a label of 0 or 1"):
        add_margins(unlabelled, "permuted")
    ties = with_columns(labelled, label=[0.5] * len(labelled))
    with pytest.raises(ContractError, match="`label`: want a label of 0 or 1"):
        add_margins(ties, "constant")
    assert np.isnan(control_margins(np.array([np.nan]), "constant")).all()


def test_votes_that_labels_were_drawn_from_are_not_counted_twice_in_silence(labelled, caplog):
    train_probe(labelled, "posterior", max_steps=5, progress=False)
    assert "so these votes count twice" in caplog.text
    caplog.clear()
    people = with_columns(labelled, label_source=["annotator"] * len(labelled))
    train_probe(people, "posterior", max_steps=5, progress=False)
    train_probe(labelled, "votes", max_steps=5, progress=False)
    assert "count twice" not in caplog.text
