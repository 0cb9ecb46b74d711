"With very many prompts, subsets of them are resampled: what that gives is what resampling all gives."

import numpy as np
import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.evaluation import bootstrap, comparison, contrast, tables
from plurality_nb.evaluation.comparison import compare_models
from plurality_nb.evaluation.contrast import contrast_gains
from plurality_nb.evaluation.correlation import correlate
from plurality_nb.evaluation.matching import match_slices
from plurality_nb.evaluation.scores import score_models
from plurality_nb.evaluation.tables import resampling_remark

PROMPTS = 900


@pytest.fixture(scope="module")
def models():
    "Two models of pairs on many prompts: the second is better."
    rng = np.random.default_rng(0)
    n = 2 * PROMPTS
    base = load_sample()
    ds = base.select(np.arange(n) % len(base))
    wanted = rng.normal(size=n)
    tie = rng.binomial(6, 0.2, n)
    a = rng.binomial(6 - tie, 1 / (1 + np.exp(-wanted)))
    ds = with_columns(
        ds,
        pair_id=[f"{i:016x}" for i in range(n)],
        group=[f"{i // 2:016x}" for i in range(n)],
        quadrant=["plural_alike" if i % 3 else "single_distinct" for i in range(n)],
        human_a=a,
        human_b=6 - tie - a,
        human_tie=tie,
        reward_b=np.zeros(n),
    )
    noise = rng.normal(size=(2, n))
    return {
        "worse": with_columns(ds, reward_a=wanted + 2 * noise[0]),
        "better": with_columns(ds, reward_a=wanted + noise[1]),
        "as good": with_columns(ds, reward_a=wanted + 2 * rng.normal(size=n)),
    }


@pytest.fixture
def few_are_many(monkeypatch):
    for module in (bootstrap, comparison, contrast, tables):
        monkeypatch.setattr(module, "MOST_GROUPS", 250)
    for module in (bootstrap, tables):
        monkeypatch.setattr(module, "SUBSET_GROUPS", 200)


def widths(table):
    return (table.high - table.low).to_numpy(float)


MAKERS = dict(
    correlations=lambda models: correlate(models, n_boot=400, baselines=False),
    scores=lambda models: score_models({"m": models["better"]}, None, n_boot=400, baselines=False),
    matched=lambda models: match_slices({"m": models["better"]}, n_boot=400, baselines=False),
)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_intervals_are_as_wide_as_of_resamples_of_all(models, make, request):
    whole = make(models)
    request.getfixturevalue("few_are_many")
    of_subsets = make(models)
    known = whole.low.notna() & whole.value.ne(0)
    assert known.sum() > len(whole) / 2 and (of_subsets.low.notna() == whole.low.notna()).all()
    assert np.allclose(of_subsets.value, whole.value, equal_nan=True)
    ratio = (widths(of_subsets) / widths(whole))[known]
    assert ratio.min() > 0.6 and ratio.max() < 1.5 and abs(np.log(ratio).mean()) < 0.1


def test_differences_are_told_from_chance_as_before(models, few_are_many):
    table = compare_models(
        models, "worse", n_boot=200, n_perm=400, baselines=False, statistics=["spearman"]
    )
    better, as_good = (table[table.model == name] for name in ("better", "as good"))
    assert (better.p < 0.02).all() and (better.verdict == "better").all()
    assert (as_good.p > 0.05).all()
    gains = contrast_gains(
        models, "worse", n_boot=200, n_perm=400, baselines=False, statistics=["spearman"]
    )
    assert (gains.p > 0.05).all()


def test_it_is_said(models, few_are_many):
    assert "from resamples of subsets of 200 of them" in resampling_remark(
        correlate({"m": models["better"]}, None, n_boot=50, baselines=False, statistics=["pearson"])
    )
    without = correlate(
        {"m": models["better"]}, None, n_boot=0, baselines=False, statistics=["pearson"]
    )
    assert resampling_remark(without) == "" and without.low.isna().all()


@pytest.mark.parametrize("groups", [250, 251, 5000])
def test_memory_does_not_grow_with_prompts(monkeypatch, few_are_many, groups):
    largest = 0

    def values(counts):
        nonlocal largest
        largest = max(largest, counts.shape[1] * (len(counts) > 1))
        return counts[:, 0]

    measure = {"m": bootstrap.Measure(values)}
    codes = np.arange(groups)
    draws = bootstrap.resample_many(measure, lambda subset: measure, codes, 60)["m"]
    assert len(draws) == 61 and largest <= 250
