"Features do not depend on which response comes first, and the entailment model is read both ways."

import numpy as np
import pandas as pd
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import small_config, small_tokenizer

from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.taxonomy import features as features_module
from plurality_nb.taxonomy.features import entailment_features, pair_features

WORDS = "the|not|Oslo|3 km|1,200|may|must|and|open|closed|it's|(|`x`|.|\n|half|WHO|5 pm|é|–".split(
    "|"
)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_which_response_comes_first_does_not_matter(a, b):
    features = pair_features([a], [b], ["Oslo?"], progress=False)
    swapped = pair_features([b], [a], ["Oslo?"], progress=False)
    pd.testing.assert_frame_equal(features, swapped)
    assert np.isfinite(features.to_numpy(dtype=float)).all()


def test_features_in_blocks_are_those_of_all_pairs_at_once(monkeypatch):
    pairs = load_sample().select(range(7))
    columns = pairs["response_a"][:], pairs["response_b"][:]
    at_once = pair_features(*columns, progress=False)
    monkeypatch.setattr(features_module, "_PAIRS_READ_AT_ONCE", 3)
    pd.testing.assert_frame_equal(pair_features(*columns, progress=False), at_once)


@pytest.fixture(scope="module")
def inference_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nli")
    tokenizer = small_tokenizer(encoder=True)
    config = small_config(
        "Bert",
        len(tokenizer),
        id2label={0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"},
        label2id={"CONTRADICTION": 0, "NEUTRAL": 1, "ENTAILMENT": 2},
    )
    transformers.set_seed(0)
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_entailment_reads_both_ways_whatever_the_batch(inference_model):
    a, b = ["It rains.", "It is dry outside.", "x"], ["It is wet.", "It rains.", "y"]
    features = entailment_features(a, b, inference_model, batch_size=1, progress=False)
    swapped = entailment_features(b, a, inference_model, batch_size=3, progress=False)
    np.testing.assert_allclose(features, swapped, atol=1e-5)
    assert features.shape == (3, 2)
    assert (features.to_numpy() > 0).all()
    assert (features.to_numpy() < 1).all()


def test_a_model_without_such_labels_is_refused(tmp_path):
    tokenizer = small_tokenizer(encoder=True)
    config = small_config("Bert", len(tokenizer))
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ContractError, match="entailment"):
        entailment_features(["a"], ["b"], str(tmp_path), progress=False)
