"""Comparisons of models: what equal models show, what differences show, and which prompts are one.

python tests/benchmarks/statistics/compare.py --code after [--runs 200] [--append]
PYTHONPATH=/path/to/earlier/code python tests/benchmarks/statistics/compare.py --code before
"""

from importlib.util import find_spec

import numpy as np
from scipy.stats import norm, spearmanr
from study_lines import Study, parser

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.data.schema import QUADRANTS, group_id
from plurality_nb.evaluation.comparison import compare_models, holm
from plurality_nb.simulation.population import true_shares
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.studies.demo import verdict

IS_NEW = find_spec("plurality_nb.evaluation.contrast") is not None
PROMPTS = 40  # of a quadrant
VOTES = 10  # of people, on a pair
FAST = dict(n_boot=300, n_perm=199, baselines=False)


def empty_pairs() -> object:
    "Four quadrants of pairs without votes or rewards."
    return to_comparisons(
        dict(prompt=f"{quadrant} {i}", response_a="a", response_b="b", quadrant=quadrant)
        for quadrant in QUADRANTS
        for i in range(PROMPTS)
    )


def crowd(pairs: object, rng: np.random.Generator, errors: tuple) -> dict:
    "Two models on new votes; `errors` are of each model in (single_distinct, the others)."
    truth = rng.normal(size=len(pairs))
    a = rng.binomial(VOTES, 1 / (1 + np.exp(-truth)))
    in_focus = np.arange(len(pairs)) >= PROMPTS
    models = {}
    for name, sizes in zip(["baseline", "margin"], errors):
        reward = truth + np.where(in_focus, sizes[1], sizes[0]) * rng.normal(size=len(pairs))
        models[name] = with_columns(
            pairs,
            human_a=a,
            human_b=VOTES - a,
            human_tie=0 * a,
            reward_a=reward,
            reward_b=0 * reward,
            seen=np.zeros(len(pairs), bool).tolist(),
        )
    return models


def true_spearman(error: float) -> float:
    "Of rewards with such errors with the share of ten votes, both orders."
    rng = np.random.default_rng(1)
    truth = rng.normal(size=400_000)
    lead = rng.binomial(VOTES, 1 / (1 + np.exp(-truth))) / VOTES - 0.5
    reward = truth + error * rng.normal(size=len(truth))
    return spearmanr(np.r_[reward, -reward], np.r_[lead, -lead])[0]


def study_scale(study: Study) -> None:
    "A model against itself with rewards three times as large."
    sample, people = load_sample(), sample_population()
    voted = simulate_votes(sample, people)
    truth = true_shares(sample, people) @ [[1, 0], [0, 1], [0.5, 0.5]]
    noise = np.random.default_rng(0).normal(size=len(sample))
    one, three = (
        with_columns(
            voted,
            reward_a=factor * (np.log(truth[:, 0]) + noise),
            reward_b=factor * np.log(truth[:, 1]),
            seen=[False] * len(sample),
        )
        for factor in (1, 3)
    )
    models = dict(one=one, three=three)
    statistic = "tempered_pearson" if IS_NEW else "pearson"
    table = compare_models(models, "one", by=None, baselines=False, statistics=[statistic])
    setting = f"256 pairs, 20 simulated votes each, rewards times three; {statistic}"
    row = table.iloc[0]
    study.write(setting, "difference from itself", row.value, "0", 1, (row.low, row.high))
    study.write(setting, "p of the difference from itself", row.p, "1", 1)


def study_null(study: Study, pairs: object, runs: int) -> None:
    "Models that are equal in distribution."
    in_slices, anywhere = [], []
    for seed in range(runs):
        rng = np.random.default_rng([study.arguments.seed, seed])
        models = crowd(pairs, rng, ((1, 1), (1, 1)))
        table = compare_models(models, "baseline", seed=seed, statistics=["spearman"], **FAST)
        differs = verdict(table, "margin").isin(["better", "worse"])
        in_slices.append(differs.drop("overall").any())
        anywhere.append(differs.any())
    setting = f"two equal models, four quadrants of {PROMPTS} prompts, {VOTES} votes a pair"
    study.write_rate(setting, "better or worse in some quadrant", in_slices, "at most 0.05")
    study.write_rate(setting, "better or worse in some quadrant or overall", anywhere, "-")


def study_detectable(study: Study, pairs: object) -> None:
    "How often a corrected test finds a difference of the size that is called detectable."
    rng = np.random.default_rng(study.arguments.seed)
    table = compare_models(
        crowd(pairs, rng, ((1, 1), (1, 1))), "baseline", statistics=["spearman"], **FAST
    )
    row = table[table.quadrant == "plural_alike"].iloc[0]
    errors = row.detectable / row.se
    z = rng.normal(size=(4000, 4)) + np.array([errors, 0, 0, 0])
    found = [holm(p)[0] < 0.05 for p in 2 * norm.sf(np.abs(z))]
    setting = f"a true difference of {errors:.2f} standard errors in one of four slices"
    study.write_rate(setting, "found after correction (Holm)", found, "0.80")


def study_contrast(study: Study, pairs: object, runs: int) -> None:
    "The test of more gain where people may differ: equal gains, and unequal ones."
    from plurality_nb.evaluation.contrast import contrast_gains

    for name, errors in {
        "equal models": ((1, 1), (1, 1)),
        "a model that is better everywhere alike": ((1.5, 1.5), (0.7, 0.7)),
        "a model that is better in plural or alike pairs alone": ((1, 2), (1, 0.5)),
    }.items():
        found, covered = [], []
        (base, base_focus), (model, model_focus) = errors
        truth = true_spearman(model_focus) - true_spearman(base_focus)
        truth -= true_spearman(model) - true_spearman(base)
        for seed in range(runs):
            rng = np.random.default_rng([study.arguments.seed, seed])
            models = crowd(pairs, rng, errors)
            row = contrast_gains(
                models, "baseline", seed=seed, statistics=["spearman"], **FAST
            ).iloc[0]
            found.append(row.p < 0.05)
            covered.append(row.low <= truth <= row.high)
        target = "high" if "alone" in name else "at most 0.05"
        study.write_rate(name, "difference of differences found", found, target)
        study.write_rate(name, "coverage of its 95% interval", covered, "0.95")


def study_level(study: Study, pairs: object, runs: int) -> None:
    "How often two models are called level, at the bound and without a difference."
    at_bound = abs(true_spearman(2.0) - true_spearman(0.5))
    for name, errors, bound in [
        ("a true difference as large as the bound", ((2, 2), (0.5, 0.5)), at_bound),
        ("no true difference, bound 0.05", ((1, 1), (1, 1)), 0.05),
        ("no true difference, bound 0.2", ((1, 1), (1, 1)), 0.2),
    ]:
        level = []
        for seed in range(runs):
            rng = np.random.default_rng([study.arguments.seed, seed])
            row = compare_models(
                crowd(pairs, rng, errors),
                "baseline",
                by=None,
                seed=seed,
                statistics=["spearman"],
                bounds={"spearman": bound},
                **FAST,
            ).iloc[0]
            level.append(row.p_level < 0.05)
        target = "at most 0.05" if "bound" in name and "no true" not in name else "-"
        study.write_rate(name, "called level", level, target)


def study_pooling(study: Study, runs: int) -> None:
    "Four slices whose true differences vary by a multiple of a standard error."
    from plurality_nb.evaluation.pooling import pool_estimates

    rng = np.random.default_rng(study.arguments.seed)
    se = np.array([0.8, 1, 1, 1.3])
    for spread in (0, 1, 2, 4):
        truth = spread * rng.normal(size=(runs, 4))
        own = truth + se * rng.normal(size=(runs, 4))
        pooled = [pool_estimates(values, se) for values in own]
        value = np.array([estimates.value for estimates in pooled])
        half = norm.ppf(0.975) * np.array([estimates.se for estimates in pooled])
        ratio = np.square(value - truth).mean() / np.square(own - truth).mean()
        setting = f"four slices that vary by {spread} standard errors"
        study.write(setting, "mean squared error, pooled over own", ratio, "below 1", runs)
        covered = (np.abs(value - truth) <= half).ravel()
        study.write_rate(setting, "coverage of the pooled 95% interval", covered, "0.95")
    one = np.array([0, 0, 0, 3.0])
    own = one + se * rng.normal(size=(runs, 4))
    pooled = [pool_estimates(values, se) for values in own]
    value = np.array([estimates.value for estimates in pooled])
    half = norm.ppf(0.975) * np.array([estimates.se for estimates in pooled])
    ratio = np.square(value - one).mean() / np.square(own - one).mean()
    setting = "three slices alike, one apart by 3 standard errors"
    study.write(setting, "mean squared error, pooled over own", ratio, "below 1", runs)
    covered = np.abs(value - one) <= half
    study.write_rate(setting, "coverage over the four slices", covered.ravel(), "0.95")
    study.write_rate(setting, "coverage of the slice apart", covered[:, 3], "0.95")


def study_groups(study: Study) -> None:
    "Prompts in other letters, or with a blank at the end."
    texts = [prompt[0]["content"] for prompt in load_sample()["prompt"]]
    for name, change in {
        "a blank at the end": lambda text: text + " ",
        "capitals": str.upper,
        "no mark at the end": lambda text: text.rstrip(".?!:"),
    }.items():
        same = [group_id(text) == group_id(change(text)) for text in texts]
        study.write_rate(f"256 prompts, {name}", "the same group", same, "1")


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=200)
    arguments = options.parse_args()
    study = Study("compare", arguments)
    pairs = empty_pairs()
    study_groups(study)
    study_scale(study)
    study_null(study, pairs, 2 * arguments.runs)
    study_detectable(study, pairs)
    if IS_NEW:
        study_pooling(study, 10 * arguments.runs)
        study_contrast(study, pairs, arguments.runs)
        study_level(study, pairs, arguments.runs)


if __name__ == "__main__":
    main()
