"The verdict on the paper's claim, over the seeds of a study."

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from plurality_nb.cli import studying
from plurality_nb.studies.summary import (
    CONTRAST,
    read_summary,
    state_contrasts,
    study_remarks,
    study_table,
    summarize_seeds,
)


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


def undefined(seeds=2):
    table = differences([np.nan] * seeds, se=np.nan, by="quadrant")
    return table.assign(slice="overall", reason="undefined on these pairs")


def test_what_is_undefined_has_a_dash_and_its_reason_from_the_shell(capsys, tmp_path):
    both = pd.concat([undefined().assign(against=""), undefined()])
    summarize_seeds(both).to_csv(tmp_path / "summary.csv", index=False)
    study = SimpleNamespace(seeds=[0, 1], statistics=SimpleNamespace(against=["bt"]))
    studying._print_summary(read_summary(tmp_path / "summary.csv"), study)
    out = capsys.readouterr().out
    assert "nan" not in out and "–" in out
    assert out.count("undefined on these pairs: overall") == 2


def test_a_seed_without_a_value_gives_the_reason_beside_the_mean_of_the_others():
    known = differences([0.1, 0.2], by="quadrant").assign(slice="overall", reason="")
    summary = summarize_seeds(pd.concat([known, undefined(1).assign(seed=2)]))
    assert study_table(summary, against="bt").iloc[0, 0] == "+0.150 ± 0.071 [none]"
    assert study_remarks(summary, against="bt") == ["undefined on these pairs: overall"]
    assert study_remarks(summarize_seeds(known), against="bt") == []
