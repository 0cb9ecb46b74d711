"The difference of differences: by hand, under its null, and where there is too little."

import numpy as np
import pandas as pd
import pytest

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.schema import QUADRANTS
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.comparison import compare_models
from plurality_nb.evaluation.contrast import contrast_gains


def voted_pairs(prompts, quadrants=QUADRANTS, pairs=1):
    rng = np.random.default_rng(3)
    rows = []
    for quadrant in quadrants:
        for i in range(prompts):
            for j in range(pairs):
                a = int(rng.integers(0, 6))
                facts = dict(response_a=f"a{j}", response_b="b", seen=False, quadrant=quadrant)
                facts |= dict(human_a=a, human_b=5 - a, human_tie=0)
                rows.append(facts | dict(prompt=f"{quadrant} {i}"))
    return to_comparisons(rows)


def with_rewards(ds, errors, seed):
    "Rewards with errors of a size in `single_distinct`, and of another one elsewhere."
    lead = np.array(ds["human_a"][:]) / 5 - 0.5
    elsewhere = np.array(ds["quadrant"][:]) != "single_distinct"
    noise = np.random.default_rng(seed).normal(size=len(ds))
    reward = 4 * lead + np.where(elsewhere, errors[1], errors[0]) * noise
    return with_columns(ds, reward_a=reward, reward_b=0 * reward)


FAST = dict(baselines=False, n_boot=200, n_perm=199)


@pytest.mark.longest
@pytest.mark.slow
def test_p_values_are_uniform_where_models_are_interchangeable():
    ds = voted_pairs(15)
    p = [
        contrast_gains(
            dict(one=with_rewards(ds, (2, 2), [seed, 0]), two=with_rewards(ds, (2, 2), [seed, 1])),
            "one",
            statistics=["spearman"],
            n_boot=0,
            n_perm=99,
            baselines=False,
            seed=seed,
        ).p.item()
        for seed in range(60)
    ]
    assert np.mean(np.array(p) <= 0.1) < 0.1 + 3 * np.sqrt(0.09 / 60)
    assert 0.35 < np.mean(p) < 0.65


def test_one_gain_is_split_in_two_and_turned_by_the_baseline():
    ds = voted_pairs(30, pairs=2)
    models = dict(plain=with_rewards(ds, (1, 4), 1), margin=with_rewards(ds, (1, 0.5), 2))
    table = contrast_gains(models, "plain", **FAST).set_index("statistic")
    assert table.verdict["spearman"] == table.verdict["log_loss"] == "more"
    back = contrast_gains(models, "margin", **FAST).set_index("statistic")
    np.testing.assert_allclose(table.value, -back.value)
    np.testing.assert_allclose(table.p, back.p)
    merged = [
        "single_distinct" if q == "single_distinct" else "plural_alike" for q in ds["quadrant"]
    ]
    parts = with_columns(ds, quadrant=merged)
    parts = {
        name: with_columns(parts, reward_a=m["reward_a"][:], reward_b=m["reward_b"][:])
        for name, m in models.items()
    }
    plain = compare_models(parts, "plain", n_boot=0, n_perm=0, baselines=False)
    values = plain.set_index(["statistic", "quadrant"]).value.unstack()
    np.testing.assert_allclose(table.gain_focus, values["plural_alike"][table.index])
    np.testing.assert_allclose(table.gain_rest, values["single_distinct"][table.index])


def test_a_model_equal_to_the_baseline_and_too_few_prompts():
    ds = voted_pairs(15)
    same = dict(a=with_rewards(ds, (1, 1), 1), b=with_rewards(ds, (1, 1), 1))
    table = contrast_gains(same, "a", **FAST)
    assert (table.value == 0).all() and (table.p == 1).all()
    assert set(table.verdict) <= {"level", "cannot tell"}
    few = voted_pairs(4)
    models = dict(a=with_rewards(few, (1, 1), 1), b=with_rewards(few, (1, 1), 2))
    table = contrast_gains(models, "a", **FAST)
    assert table[["low", "high", "p", "p_level"]].isna().all().all()
    assert set(table.verdict) == {"cannot tell"} and "prompts in the focus" in table.reason[0]


@pytest.mark.parametrize("quadrants", [["single_distinct"], ["plural_alike", "single_alike"]])
def test_a_part_without_pairs_is_refused(quadrants):
    ds = voted_pairs(12, quadrants)
    models = dict(a=with_rewards(ds, (1, 1), 1), b=with_rewards(ds, (1, 1), 2))
    with pytest.raises(ContractError, match="`focus`: want some slices"):
        contrast_gains(models, "a", **FAST)


def test_pairs_without_a_slice_are_in_neither_part():
    ds = voted_pairs(15)
    models = dict(a=with_rewards(ds, (1, 1), 1), b=with_rewards(ds, (1, 2), 2))
    whole = contrast_gains(models, "a", **FAST)
    added = to_comparisons(
        [*ds.to_list(), dict(ds[0], prompt="new", quadrant=None, pair_id=None, group=None)]
    )
    more = {
        name: with_columns(added, reward_a=[*m["reward_a"], 5.0], reward_b=[*m["reward_b"], 0.0])
        for name, m in models.items()
    }
    table = contrast_gains(more, "a", **FAST)
    kept = table.statistic != "tempered_pearson"  # its temperature is fitted on all pairs
    pd.testing.assert_series_equal(table.value[kept], whole.value[kept])
