"The gate for indistinguishability: pairs that somebody else wrote."

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from plurality_nb.errors import ContractError
from plurality_nb.taxonomy import indistinguishability
from plurality_nb.taxonomy.indistinguishability import (
    AlikeClassifier,
    alike_classifier,
    alike_features,
    alike_scores,
    fit_alike_classifier,
    likeness_scores,
    score_indistinguishability,
)
from plurality_nb.taxonomy.training_pairs import authored_pairs

CONTRAST = pd.read_json(Path(__file__).parents[1] / "contrast_pairs.jsonl", lines=True)


@pytest.fixture(scope="module")
def contrast():
    "The contrast set, whose author wrote neither features nor training pairs, with its scores."
    scores = score_indistinguishability(
        CONTRAST.response_a.tolist(),
        CONTRAST.response_b.tolist(),
        CONTRAST.prompt.tolist(),
        progress=False,
        alike_as="same_meaning",
    )
    return CONTRAST.assign(score=scores, right=(scores >= 0.5) == (CONTRAST.alike == 1))


def test_the_contrast_set_is_balanced_and_shares_nothing_with_the_training_pairs():
    assert len(CONTRAST) >= 160
    assert set(CONTRAST.alike.value_counts()) == {len(CONTRAST) // 2}
    own = authored_pairs()
    own_responses = set(own.response_a) | set(own.response_b)
    assert not set(CONTRAST.response_a) & own_responses
    assert not set(CONTRAST.response_b) & own_responses
    assert not set(CONTRAST.prompt) & set(own.prompt)


def test_contrast_set_never_falls_back(contrast):
    assert contrast.right.mean() >= 0.87
    assert contrast[contrast.alike == 1].right.mean() >= 0.8
    assert contrast[contrast.alike == 0].right.mean() >= 0.8
    assert roc_auc_score(contrast.alike, contrast.score) >= 0.92


def test_contrast_set_gate(contrast):
    assert contrast.right.mean() >= 0.9


def test_as_many_responses_are_wanted_on_both_sides():
    with pytest.raises(ContractError, match="as many responses A as B"):
        score_indistinguishability(["a", "b"], ["c"])


def test_a_known_pair_is_known_for_its_own_prompt_alone():
    pairs = authored_pairs().head(40)
    texts = [pairs[column].tolist() for column in ("response_a", "response_b", "prompt")]
    classifier = alike_classifier()
    features = alike_features(*texts, progress=False)
    unseen = classifier.fit.unseen[:40]
    np.testing.assert_allclose(classifier.evidence(features, *texts), unseen)
    turned = [texts[1], texts[0], texts[2]]
    np.testing.assert_allclose(classifier.evidence(features, *turned), unseen)
    elsewhere = classifier.evidence(features, *texts[:2], ["another prompt"] * 40)
    without = classifier.evidence(features, *texts[:2])
    np.testing.assert_allclose(elsewhere, without)
    assert np.abs(elsewhere - unseen).max() > 0


def test_nothing_is_fitted_for_the_encoder_of_the_package():
    "In a process of its own: scikit-learn, which takes seconds to import, is not needed."
    code = (
        "import sys\n"
        "from plurality_nb.taxonomy.indistinguishability import alike_classifier\n"
        "from plurality_nb.taxonomy.prompt_classifier import plurality_classifier\n"
        "assert len(alike_classifier().trees.nodes['starts']) == 400\n"
        "assert len(plurality_classifier().weights) > 0\n"
        "assert not any(name.startswith('sklearn') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["cosine", "worst", "worst_high", "characters"])
def test_more_similar_pairs_are_never_less_of_a_tie(name):
    "Where the evidence on meaning stays the same: the trees inside may not turn a cosine round."
    texts = [["The shop is open."] * 21, ["The bakery sells rye bread."] * 21]
    features = alike_features(*texts, progress=False)
    classifier = alike_classifier()
    evidence = classifier.evidence(features, *texts)
    features[name] = np.linspace(0, 1, 21)
    classifier = AlikeClassifier(Constant(evidence), classifier.fit, authored_pairs())
    scores = alike_scores(classifier, features, *texts)
    assert (np.diff(scores.would_tie) >= 0).all()
    assert scores.would_tie[20] > scores.would_tie[0]


class Constant:
    "Stands for trees that answer the same whatever the features."

    def __init__(self, evidence):
        self.evidence = evidence

    def log_odds(self, features):
        return self.evidence


def test_pairs_beyond_the_training_pairs_are_doubtful():
    shop, mill = "The shop is open.", "The road goes on and on past the mill. " * 150
    a = [shop, mill, "x" * 20_000]
    b = ["The shop is shut.", mill[:3000], "y"]
    scores = likeness_scores(a, b, progress=False)
    assert scores.doubtful.tolist() == [False, True, True]


def test_the_sense_of_alike_is_one_of_two():
    with pytest.raises(ContractError, match="would_tie"):
        score_indistinguishability(["a"], ["b"], alike_as="cosine")


@pytest.mark.longest
@pytest.mark.slow(seconds=75)
def test_the_fit_of_the_package_belongs_to_its_features_and_pairs():
    "Not to the last digit: other processors round sums elsewhere, and trees split on them."
    kept, fitted = alike_classifier().fit, fit_alike_classifier().fit
    assert np.corrcoef(kept.unseen, fitted.unseen)[0, 1] > 0.98
    np.testing.assert_allclose(kept.centre, fitted.centre, atol=0.02)
    np.testing.assert_allclose(kept.tie_curve, fitted.tie_curve, atol=0.2)


@pytest.mark.parametrize(
    ("a", "b"), [("Lima", "LIMA"), ("It is  five.", "It is five."), ("Lima, Peru", "Lima - Peru")]
)
def test_nothing_is_too_similar_to_be_judged(a, b):
    assert not likeness_scores([a], [b], progress=False).doubtful[0]


KEPT_PAIRS = [["The shop is open.", "Buy a lamp."], ["The shop is closed.", "Sell the lamp."]]


@pytest.fixture
def kept(tmp_path, monkeypatch):
    "Scores of two pairs, which the cache then has."
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path))
    return likeness_scores(*KEPT_PAIRS, progress=False)


def no_features(*args, **kwargs):
    raise AssertionError("these pairs are known")


@pytest.mark.parametrize("sides", [(0, 1), (1, 0)], ids=["as before", "exchanged"])
def test_known_pairs_are_not_read_again(kept, monkeypatch, sides):
    monkeypatch.setattr(indistinguishability, "alike_features", no_features)
    again = likeness_scores(*(KEPT_PAIRS[side] for side in sides), progress=False)
    pd.testing.assert_frame_equal(again, kept)


def test_another_prompt_or_other_code_makes_a_pair_unknown(kept, monkeypatch):
    monkeypatch.setattr(indistinguishability, "alike_features", no_features)
    with pytest.raises(AssertionError, match="known"):
        likeness_scores(*KEPT_PAIRS, ["Is it open?", "What now?"], progress=False)
    monkeypatch.setattr(indistinguishability, "_SOURCES", "0")
    with pytest.raises(AssertionError, match="known"):
        likeness_scores(*KEPT_PAIRS, progress=False)


def test_new_pairs_are_scored_among_known_ones(kept):
    more = [[*side, text] for side, text in zip(KEPT_PAIRS, ["It rains.", "It is raining."])]
    scores = likeness_scores(*more, progress=False)
    pd.testing.assert_frame_equal(scores[:2], kept)
    alone = likeness_scores(["It rains."], ["It is raining."], progress=False)
    assert scores.same_meaning[2] == alone.same_meaning[0]


def test_scores_are_the_same_without_a_cache(kept, monkeypatch):
    monkeypatch.setenv("PLURALITY_CACHE", "off")
    without = likeness_scores(*KEPT_PAIRS, progress=False)
    pd.testing.assert_frame_equal(without, kept, atol=1e-5)
