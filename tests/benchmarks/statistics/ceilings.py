"""Do ceilings find the truth where votes are of no family that is fitted?

python tests/benchmarks/statistics/ceilings.py --code after --append

Four quadrants of 150 pairs, one a prompt, at 3, 5, 10 and 50 votes: divided and indifferent pairs among agreed ones, a logit-normal
distribution, two points, and beta distributed shares with ties by their closeness. The truth is what the true shares score on 200,000 pairs.
Last, what three votes of 50,000 pairs leave open: the least and the greatest accuracy of mixtures that fit as well, and the truth.
"""

import numpy as np
import study_lines
from scipy.special import expit

from plurality_nb.evaluation import ceilings
from plurality_nb.votes.shares import Votes


def mixed(n, rng):
    kind = rng.choice(3, n, p=[0.4, 0.3, 0.3])
    agreed = rng.choice([0.05, 0.95], n)
    side = np.choose(kind, [rng.beta(20, 20, n), rng.beta(8, 8, n), agreed])
    return side, np.choose(kind, [0.05, 0.7, 0.1])


def logit_normal(n, rng):
    return expit(1.5 * rng.normal(size=n)), expit(-1.5 + rng.normal(size=n))


def two_points(n, rng):
    return rng.choice([0.2, 0.8], n), np.full(n, 0.15)


def beta_with_ties_by_closeness(n, rng):
    side = rng.beta(0.6, 0.6, n)
    return side, 0.6 * np.exp(-6 * np.abs(side - 0.5))


WORLDS = [mixed, logit_normal, two_points, beta_with_ties_by_closeness]
SAMPLES = 12


def draw(world, n, votes, rng):
    side, tied = world(n, rng)
    tie = rng.binomial(votes, tied)
    a = rng.binomial(votes - tie, side)
    share = np.clip((1 - tied) * side + tied / 2, 1e-9, 1 - 1e-9)
    return share, a, votes - tie - a, tie


def estimated(cast, slice_of, seed):
    "(5,): of all slices together."
    codes = np.arange(len(slice_of))
    if hasattr(ceilings, "_FittedCeilings"):
        fitted = ceilings._FittedCeilings(Votes(*cast), slice_of, codes)
    else:
        fitted = ceilings._SimulatedCeilings(Votes(*cast), slice_of, codes, seed)
    return fitted(np.ones((1, len(codes))))[0]


def write_ranges(study, votes=3, pairs=50_000):
    "The truth of accuracy, and what many pairs with few votes allow."
    rng = np.random.default_rng(study.arguments.seed)
    accuracy = ceilings.FITTED.index("accuracy")
    one_slice = np.zeros(pairs, dtype=int)
    for world in WORLDS:
        share, *cast = draw(world, pairs, votes, rng)
        fitted = ceilings._FittedCeilings(Votes(*cast), one_slice, one_slice)
        ends = ceilings._open_ranges(fitted, 1)[:, accuracy]
        truth = ceilings.known_ceilings(share, *cast)[accuracy]
        setting = f"{world.__name__}, {votes} votes on each of {pairs:,} pairs"
        figure = "accuracy of who knows the truth, and its range over mixtures that fit as well"
        study.write(setting, figure, truth, "within the range", 1, tuple(ends))


def main():
    arguments = study_lines.parser(__doc__).parse_args()
    study = study_lines.Study("ceilings", arguments)
    rng = np.random.default_rng(arguments.seed)
    for votes in (3, 5, 10, 50):
        errors = []
        for world in WORLDS:
            truth = ceilings.known_ceilings(*draw(world, 200_000, votes, rng))
            found = []
            for sample in range(SAMPLES):
                _, *cast = draw(world, 150, votes, rng)
                found.append(estimated(cast, np.zeros(150, dtype=int), sample) - truth)
            errors.append(found)
            for statistic in ("spearman", "accuracy", "log_loss"):
                values = np.array(found)[:, ceilings.FITTED.index(statistic)]
                margin = 2.2 * values.std(ddof=1) / np.sqrt(SAMPLES)
                study.write(
                    f"{world.__name__}, {votes} votes",
                    f"bias of the ceiling of {statistic}",
                    values.mean(),
                    "0",
                    SAMPLES,
                    (values.mean() - margin, values.mean() + margin),
                )
        biases = np.abs(np.mean(errors, axis=1)).mean(0)
        for statistic, bias in zip(ceilings.FITTED, biases):
            figure = f"mean absolute bias of the ceiling of {statistic}"
            study.write(f"four worlds, {votes} votes", figure, bias, "0", SAMPLES * len(WORLDS))
    if hasattr(ceilings, "_open_ranges"):
        write_ranges(study)


if __name__ == "__main__":
    main()
