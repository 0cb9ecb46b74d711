"Likeness by characters and tokens, and boosted trees in plain arrays."

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier

from plurality_nb.taxonomy import likeness
from plurality_nb.taxonomy.boosted_trees import _SETTINGS, fit_trees
from plurality_nb.taxonomy.likeness import character_ratio, likeness_measures
from plurality_nb.taxonomy.ties import TIE_INPUTS, monotone_weights, tie_inputs


def longest_common_subsequence(a: str, b: str) -> int:
    @cache
    def length(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        if a[i] == b[j]:
            return 1 + length(i + 1, j + 1)
        return max(length(i + 1, j), length(i, j + 1))

    return length(0, 0)


@given(st.text("ab é", max_size=12), st.text("ab é", max_size=12))
def test_character_ratio_is_that_of_the_longest_common_subsequence(a, b):
    if a or b:
        expected = 2 * longest_common_subsequence(a, b) / (len(a) + len(b))
        assert character_ratio(a, b) == pytest.approx(expected)
    assert character_ratio(a, b) == character_ratio(b, a)


def test_likeness_does_not_depend_on_which_text_comes_first():
    a = ["The shop is open.", "", "Rice needs twelve minutes.", "The shop is open."]
    b = ["The shop is not open.", "Oslo", "The shop is open.", "The shop is open."]
    likeness = likeness_measures(a, b, progress=False)
    pd.testing.assert_frame_equal(likeness, likeness_measures(b, a, progress=False))
    assert np.isfinite(likeness.to_numpy()).all()
    assert likeness.worst[3] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("rows", [1, 7, 3000])
def test_trees_in_arrays_predict_what_scikit_learn_predicts(rows):
    rng = np.random.default_rng(rows)
    x = pd.DataFrame(rng.normal(size=(200, 4)), columns=list("abcd"))
    label = (x.a * x.b > 0).to_numpy(int)
    model = GradientBoostingClassifier(**_SETTINGS).fit(x.to_numpy(np.float32), label)
    new = pd.DataFrame(rng.normal(size=(rows, 4)), columns=list("abcd"))
    expected = model.decision_function(new.to_numpy(np.float32))
    np.testing.assert_allclose(fit_trees(x, label).log_odds(new), expected, atol=1e-6)


@pytest.mark.parametrize("column", range(3))
def test_weights_never_turn_an_input_round(column):
    "Even where all data say that less of it is more alike."
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    target = (x[:, column] < 0).astype(float)
    weights = monotone_weights([x, x], [target, target], np.full(3, 0.2), pull=0.01)
    assert (weights >= 0).all()
    assert weights[column] == 0


def test_weights_do_not_depend_on_how_often_people_tie():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 2))
    rates = [1 / (1 + np.exp(-(x @ [1, 0.5] + shift))) for shift in (-3, 0)]
    rare, often = (monotone_weights([x], [rate], np.zeros(2), pull=1e-6) for rate in rates)
    np.testing.assert_allclose(rare, often, atol=0.02)


def test_inputs_stay_finite_for_any_evidence():
    columns = ["cosine", "worst_high", "worst", "characters"]
    features = pd.DataFrame([[-1.0] * 4, [1.0000001] * 4], columns=columns)
    inputs = tie_inputs(features, np.array([0, 10**6]), np.array([-1e9, 1e9]))
    assert list(inputs.columns) == list(TIE_INPUTS)
    assert np.isfinite(inputs.to_numpy()).all()


def test_measures_of_known_pairs_read_no_text_again(monkeypatch, tmp_path):
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path))
    first, second = ["open", "open", "", "open"], ["shut", "ajar", "shut", "shut"]
    found = likeness_measures(first, second, progress=False)
    encoded = []

    def counted(texts, encoder):
        encoded.extend(texts)
        return token_states(texts, encoder)

    token_states = likeness.token_states
    monkeypatch.setattr(likeness, "token_states", counted)
    again = likeness_measures(second, first, progress=False)
    pd.testing.assert_frame_equal(found, again)
    assert not encoded
    likeness_measures([*first, "door"], [*second, "open"], progress=False)
    assert sorted(encoded) == ["door", "open"]


def test_an_interrupted_run_keeps_what_it_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path))
    monkeypatch.setattr(likeness, "_PAIRS_IN_MEMORY", 2)
    asked = []

    def short_of_memory(texts, encoder):
        asked.append(texts)
        if len(asked) == 2:
            raise MemoryError
        return token_states(texts, encoder)

    token_states = likeness.token_states
    monkeypatch.setattr(likeness, "token_states", short_of_memory)
    first, second = list("abcd"), list("efgh")
    with pytest.raises(MemoryError):
        likeness_measures(first, second, progress=False)
    likeness_measures(first, second, progress=False)
    assert asked == [list("abef"), list("cdgh"), list("cdgh")]
