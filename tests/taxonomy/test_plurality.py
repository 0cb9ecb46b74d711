"Plurality of real prompts, numbers read from a model's words, and scores that cannot be computed."

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from plurality_nb.data.build import to_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.taxonomy.answer_counts import read_count
from plurality_nb.taxonomy.plurality import score_plurality
from plurality_nb.taxonomy.prompt_classifier import (
    plurality_prompts,
)


@pytest.mark.slow(seconds=50)
def test_real_prompts(real):
    prompts = pd.read_json(real("plurality_prompts_dev.json"))
    rows = [
        dict(prompt=text, response_a=f"{i}", response_b="") for i, text in enumerate(prompts.prompt)
    ]
    scores = score_plurality(to_comparisons(rows), progress=False)
    plural = prompts.plural.to_numpy()
    assert roc_auc_score(plural, scores) >= 0.88
    right = [np.mean(scores[plural == 1] >= 0.5), np.mean(scores[plural == 0] < 0.5)]
    assert np.mean(right) >= 0.8
    assert not set(prompts.prompt) & set(plurality_prompts().prompt)


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


def test_a_prompt_needs_several_responses_to_be_scored_by_them():
    ds = to_comparisons([dict(prompt="p", response_a="a", response_b="b")])
    with pytest.raises(ContractError, match="at least 3 different responses"):
        score_plurality(ds, "responses")
