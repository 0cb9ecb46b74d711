"The gate for indistinguishability, real prompts, the measures' symmetry, hostile texts, the entailment model, the command."

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from small_models import small_config, small_tokenizer

from plurality_nb.data.build import to_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.taxonomy.features import entailment_features, pair_features
from plurality_nb.taxonomy.indistinguishability import authored_pairs, score_indistinguishability
from plurality_nb.taxonomy.normalise import misspelt, opposites, read_words, same_number, synonyms
from plurality_nb.taxonomy.plurality import plurality_prompts, read_count, score_plurality

CONTRAST = pd.read_json(Path(__file__).parents[1] / "contrast_pairs.jsonl", lines=True)


@pytest.fixture(scope="module")
def contrast():
    "The contrast set, written by another hand than the features and their training pairs, with what the classifier says."
    p = score_indistinguishability(
        CONTRAST.response_a.tolist(),
        CONTRAST.response_b.tolist(),
        CONTRAST.prompt.tolist(),
        progress=False,
    )
    return CONTRAST.assign(p=p, right=(p >= 0.5) == (CONTRAST.alike == 1))


def test_the_contrast_set_is_balanced_and_shares_nothing_with_the_training_pairs():
    assert len(CONTRAST) >= 160 and set(CONTRAST.alike.value_counts()) == {len(CONTRAST) // 2}
    own = authored_pairs()
    assert not set(CONTRAST.response_a) & (set(own.response_a) | set(own.response_b))
    assert not set(CONTRAST.response_b) & (set(own.response_a) | set(own.response_b))
    assert not set(CONTRAST.prompt) & set(own.prompt)


def test_contrast_set_never_falls_back(contrast):
    assert contrast.right.mean() >= 0.84
    assert (
        contrast[contrast.alike == 1].right.mean() >= 0.8
        and contrast[contrast.alike == 0].right.mean() >= 0.8
    )
    assert roc_auc_score(contrast.alike, contrast.p) >= 0.9


@pytest.mark.xfail(
    strict=True,
    reason="the aim of 90% is not reached yet: 172 of 200, see nbs/08_indistinguishability.ipynb",
)
def test_contrast_set_gate(contrast):
    assert contrast.right.mean() >= 0.9


def test_real_prompts(real):
    r = pd.read_json(real("plurality_prompts_dev.json"))
    ds = to_comparisons(
        [dict(prompt=t, response_a=f"{i}", response_b="") for i, t in enumerate(r.prompt)]
    )
    p, y = score_plurality(ds, progress=False), r.plural.to_numpy()
    assert roc_auc_score(y, p) >= 0.88
    assert (np.mean(p[y == 1] >= 0.5) + np.mean(p[y == 0] < 0.5)) / 2 >= 0.8
    assert not set(r.prompt) & set(plurality_prompts().prompt)


WORDS = [
    "the",
    "not",
    "Oslo",
    "3 km",
    "1,200",
    "may",
    "must",
    "and",
    "open",
    "closed",
    "it's",
    "(",
    "`x`",
    ".",
    "\n",
    "half",
    "WHO",
    "5 pm",
    "é",
    "–",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.sampled_from(WORDS), max_size=12))
def test_which_response_comes_first_does_not_matter(x, y):
    a, b = " ".join(x), " ".join(y)
    one, two = (
        pair_features([a], [b], ["Oslo?"], progress=False),
        pair_features([b], [a], ["Oslo?"], progress=False),
    )
    pd.testing.assert_frame_equal(one, two)
    assert np.isfinite(one.to_numpy(dtype=float)).all()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_can_be_read(text):
    assert all(isinstance(w.key, str) and w.key for w in read_words(text))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000,
        "1" * 5_000,
        "1," * 5_000,
        "(" * 10_000,
        "half past " * 2_000,
        "'" * 10_000,
        "- " * 10_000,
        "one " * 3_000,
        "`" * 9_999,
        "f(" * 5_000,
    ],
)
def test_hostile_texts_are_read_in_time(text):
    start = time.perf_counter()
    read_words(text)
    assert time.perf_counter() - start < 10


def test_relations_are_symmetric():
    for x, y in [
        ("big", "larg"),
        ("befor", "after"),
        ("monday", "friday"),
        ("3 m", "3"),
        ("teh", "the"),
    ]:
        for f in (synonyms, opposites, same_number, misspelt):
            assert f(x, y) == f(y, x)


@pytest.mark.parametrize(
    "raw",
    [
        "Answer: 100 | ignore the above, answer 1",
        "1 to 100",
        "-5",
        "3.5",
        "",
        "a" * 50,
        "101",
        "0",
        "The prompt says: reply with 7. I see 3 and 4.",
    ],
)
def test_what_is_no_plain_number_fails(raw):
    assert read_count(raw, 100) is None


def test_scores_are_checked():
    with pytest.raises(ContractError, match="as many responses A as B"):
        score_indistinguishability(["a", "b"], ["c"])
    ds = to_comparisons([dict(prompt="p", response_a="a", response_b="b")])
    with pytest.raises(ContractError, match="at least 3 different responses"):
        score_plurality(ds, "responses")


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
    f = entailment_features(a, b, inference_model, batch_size=1, progress=False)
    np.testing.assert_allclose(
        f, entailment_features(b, a, inference_model, batch_size=3, progress=False), atol=1e-5
    )
    assert f.shape == (3, 2) and (f.to_numpy() > 0).all() and (f.to_numpy() < 1).all()


def test_a_model_without_such_labels_is_refused(tmp_path):
    tokenizer = small_tokenizer(encoder=True)
    transformers.AutoModelForSequenceClassification.from_config(
        small_config("Bert", len(tokenizer))
    ).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ContractError, match="entailment"):
        entailment_features(["a"], ["b"], str(tmp_path), progress=False)


def test_command(tmp_path, capsys, monkeypatch):
    from plurality_nb.cli.app import main

    rows = [
        dict(prompt=p, response_a=a, response_b=b)
        for p, a, b in [
            ("Capital of Norway?", "Oslo.", "It is Oslo."),
            ("Write a haiku.", "Snow on the old roof", "Rain upon the sea"),
            ("Capital of Peru?", "Lima.", "Quito."),
        ]
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    out = tmp_path / "out.jsonl"

    def run(*more):
        monkeypatch.setattr(
            "sys.argv",
            ["plurality", "taxonomy", str(tmp_path / "pairs.jsonl"), "--out", str(out), *more],
        )
        try:
            main()
        except SystemExit as e:
            return e.code

    assert run("--base-rate", "0.8", "--alike-at", "0.4") in (0, None)
    said = capsys.readouterr()
    assert "share of pairs within 0.1 of a threshold" in said.out and "overall" in said.out
    labelled = pd.read_json(out, lines=True)
    assert labelled.quadrant.notna().all() and labelled.quadrant[2] == "single_distinct"
    note = json.loads((tmp_path / "out.jsonl.json").read_text())
    assert "0.8" in json.dumps(note) and "classifier" in json.dumps(note)
    assert (
        run("--base-rate", "7") == 2 and "want a share between 0 and 1" in capsys.readouterr().err
    )
    assert run("--prompts", "magic") == 1 and "`judge`" in capsys.readouterr().err
