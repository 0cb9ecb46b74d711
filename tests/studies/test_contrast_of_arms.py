"The verdict on the paper's claim, over the seeds of a study."

import numpy as np
import pandas as pd
import pytest

from plurality_nb.studies.summary import CONTRAST, state_contrasts, study_table, summarize_seeds


def differences(values, se=0.02, statistic="spearman", by=CONTRAST):
    "A row a seed, as `compare_arms` writes them."
    return pd.DataFrame(
        [
            {
                **dict(arm="margin", way="w", against="bt", by=by, statistic=statistic),
                **dict(slice="plural or alike, more than elsewhere", seed=seed, value=value),
                **dict(low=value - 2 * se, high=value + 2 * se, se=se, n=400, groups=200),
                **dict(level=0.95),
            }
            for seed, value in enumerate(values)
        ]
    )


@pytest.mark.parametrize(
    "values, words",
    [
        ([0.1], "it gains more there"),
        ([-0.1], "it gains less there"),
        ([0.03], "cannot tell"),
        ([0.1, 0.11, 0.12], "it gains more there"),
        ([0.1, -0.2, 0.3], "cannot tell"),  # seeds differ more than data
    ],
)
def test_the_verdict_is_that_of_seeds_and_data(values, words):
    (sentence,) = state_contrasts(summarize_seeds(differences(values)))
    assert words in sentence and sentence.startswith("Over bt, margin, w gains")


def test_less_log_loss_is_a_gain():
    summary = summarize_seeds(differences([-0.1], statistic="log_loss"))
    assert "gains more there" in state_contrasts(summary, "log_loss")[0]
    assert state_contrasts(summary) == []


def test_without_an_interval_nothing_is_said():
    summary = summarize_seeds(differences([0.1], se=np.nan))
    assert state_contrasts(summary) == []
    assert state_contrasts(summarize_seeds(differences([0.1], by="quadrant"))) == []


def test_the_table_of_differences_has_the_test():
    table = study_table(summarize_seeds(differences([0.1])), against="bt")
    assert list(table.columns) == ["plural or alike, more than elsewhere"]
