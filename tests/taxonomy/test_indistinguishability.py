"The gate for indistinguishability: pairs that somebody else wrote."

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from plurality_nb.errors import ContractError
from plurality_nb.taxonomy.indistinguishability import authored_pairs, score_indistinguishability

CONTRAST = pd.read_json(Path(__file__).parents[1] / "contrast_pairs.jsonl", lines=True)


@pytest.fixture(scope="module")
def contrast():
    "The contrast set, whose author wrote neither features nor training pairs, with its scores."
    scores = score_indistinguishability(
        CONTRAST.response_a.tolist(),
        CONTRAST.response_b.tolist(),
        CONTRAST.prompt.tolist(),
        progress=False,
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
    assert contrast.right.mean() >= 0.84
    assert contrast[contrast.alike == 1].right.mean() >= 0.8
    assert contrast[contrast.alike == 0].right.mean() >= 0.8
    assert roc_auc_score(contrast.alike, contrast.score) >= 0.9


@pytest.mark.xfail(
    strict=True,
    reason="the aim of 90% is not reached yet: 172 of 200, see 12_indistinguishability.ipynb",
)
def test_contrast_set_gate(contrast):
    assert contrast.right.mean() >= 0.9


def test_as_many_responses_are_wanted_on_both_sides():
    with pytest.raises(ContractError, match="as many responses A as B"):
        score_indistinguishability(["a", "b"], ["c"])


def test_a_known_pair_is_known_for_its_own_prompt_alone():
    from plurality_nb.taxonomy.indistinguishability import AlikeClassifier

    n = 40
    pairs = pd.DataFrame(
        dict(
            prompt=[f"prompt {i}" for i in range(n)],
            response_a=["yes"] * n,
            response_b=["no"] * n,
            alike=[i % 2 for i in range(n)],
        )
    )
    features = pd.DataFrame(dict(x=[i % 2 + 0.01 * i for i in range(n)]))
    uncalibrated = np.linspace(0, 1, n)[:, None]
    classifier = AlikeClassifier(pairs, features, uncalibrated)
    same = [["yes"] * n, ["no"] * n, pairs.prompt.tolist()]
    np.testing.assert_allclose(classifier.probability(features, *same), classifier.unseen)
    turned = [same[1], same[0], same[2]]
    np.testing.assert_allclose(classifier.probability(features, *turned), classifier.unseen)
    elsewhere = classifier.probability(features, *same[:2], ["another prompt"] * n)
    without = classifier.probability(features, *same[:2])
    np.testing.assert_allclose(elsewhere, without)
    assert np.abs(elsewhere - classifier.unseen).max() > 0
