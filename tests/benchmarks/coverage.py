"""Do the intervals hold, and do the ceilings find the truth? Simulated data, whose truth is known, through the package's own functions.

python tests/benchmarks/coverage.py [--replications 1000] [--ceiling-replications 60] [--out tests/benchmarks/results/coverage.jsonl]

Study `intervals`: prompts with 1 to 5 pairs each; how much people want A is correlated within a prompt (0.36), and so are the errors of two models,
whose predictions are too sure; 3, 5 or 10 votes a pair, with ties. The truth is the same statistic on 300,000 prompts, for `disattenuated`,
`reliability` and the share errors from the true shares. A `tempered_` statistic is that after one cross-fitted temperature, in truth after that of
the population; its resamples keep the sample's temperatures, as tables do. `coverage` is how often the 95% interval contains the truth, `below` and
`above` how often the truth lies under or over the interval, `plain` the coverage of percentiles that are not moved out; `bias` is the mean error of
the value, `sd` the values' deviation.

Study `ceilings`: votes drawn from a Dirichlet-multinomial, which is not the model that is fitted, one to five pairs a prompt, 100 prompts, three settings. The truth
of `votes_needed` and `reliability` is a formula, of the rest a simulation of 500,000 pairs.

Prints a line of JSON about the run and one for each statistic; then the same as a table.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from plurality_nb.evaluation.bootstrap import Measure, resample
from plurality_nb.evaluation.ceilings import (
    _REFITS,
    FITTED,
    _FittedCeilings,
    disattenuated,
    known_ceilings,
    reliability,
    votes_needed,
)
from plurality_nb.evaluation.correlation import STATISTICS, correlation_measure
from plurality_nb.evaluation.people import two_way_interval
from plurality_nb.evaluation.scores import SCORES, calibration_error, score_measure, share_error
from plurality_nb.evaluation.temperature import tempered
from plurality_nb.votes.shares import Votes

LEAST_SLOPE = 0.1  # of `tempered_pearson`, as in `add_scaled`
BY_BINS = ["calibration_error", "tempered_calibration_error"]
SHARE_ERRORS = ["share_error", "tempered_share_error"]
SCORED = [score for score in SCORES if score not in SHARE_ERRORS]
COMPARED = ["tempered_pearson", "spearman", "accuracy", "log_loss", "tempered_log_loss"]
SETTINGS = [(0.5, 0.2, 3), (1.5, 1.0, 5), (4.0, 2.0, 10)]  # alpha, alpha_tie, votes a pair


def pairs_of(groups, rng):
    return np.repeat(np.arange(groups), rng.integers(1, 6, groups))


def simulate(groups, rng):
    codes = pairs_of(groups, rng)
    n = len(codes)
    shared, own = rng.normal(size=(3, groups))[:, codes], rng.normal(size=(3, n))
    wanted = 0.6 * shared[0] + 0.8 * own[0]
    deltas = (
        1.5 * (wanted + 0.5 * shared[1] + 0.6 * own[1]),
        1.2 * (wanted + 0.3 * shared[1] + 0.5 * shared[2] + 0.4 * own[1] + 0.7 * own[2]),
    )
    share, tied, votes = (
        expit(1.2 * wanted),
        0.25 * np.exp(-np.abs(wanted)),
        rng.choice([3, 5, 10], n),
    )
    tie = rng.binomial(votes, tied)
    a = rng.binomial(votes - tie, share)
    return codes, deltas, (a, votes - tie - a, tie), (share - 0.5) * (1 - tied)


def difference(one, two):
    return Measure(lambda counts: one.values(counts) - two.values(counts))


def measures(codes, deltas, cast):
    "Statistic to its measure, of the first model and of its difference from the second."
    lead = (cast[0] - cast[1]) / sum(cast) / 2
    after = [tempered(delta, lead, codes) for delta in deltas]
    scaled = [tempered(delta, lead, codes, least=LEAST_SLOPE) for delta in deltas]

    def measure(statistic, model):
        if statistic == "tempered_pearson":
            return correlation_measure(statistic, scaled[model], lead, codes)
        if statistic in STATISTICS:
            return correlation_measure(statistic, deltas[model], lead, codes)
        return score_measure(statistic, deltas[model], after[model], lead, codes)

    one = {s: measure(s, 0) for s in [*STATISTICS, *SCORED]}
    differences = {f"{s} difference": difference(one[s], measure(s, 1)) for s in COMPARED}
    of_votes = dict(
        share_error=share_error(deltas[0], *cast, codes),
        tempered_share_error=share_error(after[0], *cast, codes),
        disattenuated=disattenuated(np.tanh(scaled[0] / 2), *cast, codes),
        reliability=reliability(*cast, codes),
    )
    return one | differences | of_votes


def truths(groups, rng):
    "Statistic to its value in the population; of the calibration errors by the number of bins."
    codes, deltas, cast, true = simulate(groups, rng)
    ones, lead = np.ones((1, groups)), (cast[0] - cast[1]) / sum(cast) / 2
    out = {
        k: m.values(ones).item()
        for k, m in measures(codes, deltas, cast).items()
        if k not in BY_BINS
    }
    after = tempered(deltas[0], lead, codes)
    x = np.tanh(tempered(deltas[0], lead, codes, least=LEAST_SLOPE) / 2)
    out["disattenuated"] = (x @ true) / np.sqrt((x @ x) * (true @ true))
    for statistic, delta in zip(SHARE_ERRORS, (deltas[0], after)):
        out[statistic] = np.mean((true - np.tanh(delta / 2) / 2) ** 2)
    out["reliability"] = (true @ true) / (lead @ lead)
    by_bins = {
        (statistic, bins): calibration_error(delta, lead, codes, bins).values(ones).item()
        for statistic, delta in zip(BY_BINS, (deltas[0], after))
        for bins in range(1, 11)
    }
    return out, by_bins


def summary(values, lows, highs, truth, plain):
    "Of one statistic over replications."
    values, lows, highs, truth = map(np.asarray, (values, lows, highs, truth))
    below, above = (truth < lows), (truth > highs)
    return dict(
        truth=round(float(np.mean(truth)), 4),
        coverage=round(float(1 - (below | above).mean()), 3),
        below=round(float(below.mean()), 3),
        above=round(float(above.mean()), 3),
        plain=plain,
        bias=round(float(np.nanmean(values - truth)), 4),
        sd=round(float(np.nanstd(values)), 4),
        width=round(float(np.nanmean(highs - lows)), 4),
        no_interval=int(np.isnan(lows).sum()),
    )


def study_intervals(groups, replications, resamples, rng, truth, truth_by_bins):
    estimates = defaultdict(list)
    for replication in range(replications):
        codes, deltas, cast, _ = simulate(groups, rng)
        measured = measures(codes, deltas, cast)
        draws = resample(measured, codes, resamples, replication)
        for statistic, values in draws.items():
            true = truth.get(statistic)
            if statistic in BY_BINS:
                true = truth_by_bins[statistic, max(1, min(10, len(codes) // 20))]
            low, high = np.nanquantile(values[1:], [0.025, 0.975])
            ends = two_way_interval(measured[statistic], values, groups)[:2]
            estimates[statistic].append((values[0], *ends, true, low <= true <= high))
    for statistic, rows in estimates.items():
        *rest, plain = zip(*rows)
        yield dict(
            study="intervals",
            groups=groups,
            statistic=statistic,
            replications=replications,
            **summary(*rest, round(float(np.mean(plain)), 3)),
        )


def draw_votes(alpha, alpha_tie, n, seed):
    "True share of A, and votes for A, B and tie."
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([alpha, alpha, alpha_tie], len(n))
    a, b, tie = rng.multinomial(n, p).T
    return np.clip(p[:, 0] + p[:, 2] / 2, 1e-12, 1 - 1e-12), a, b, tie


def study_ceilings(alpha, alpha_tie, votes, replications, resamples, rng, groups=100):
    big = draw_votes(alpha, alpha_tie, np.full(500_000, votes), 0)
    spread = (
        alpha / 2 / (2 * alpha + alpha_tie) / (2 * alpha + alpha_tie + 1)
    )  # mean squared true lead
    vote = alpha / 2 / (2 * alpha + alpha_tie) - spread  # mean variance of a vote
    truth = dict(zip(FITTED, known_ceilings(*big).tolist())) | dict(
        reliability=spread / (spread + vote / votes), votes_needed=9 * vote / spread
    )
    estimates = defaultdict(list)
    for replication in range(replications):
        codes = pairs_of(groups, rng)
        _, *cast = draw_votes(alpha, alpha_tie, np.full(len(codes), votes), rng)
        unfitted = dict(
            reliability=reliability(*cast, codes), votes_needed=votes_needed(*cast, codes)
        )
        one_slice = np.zeros(len(codes), dtype=int)
        ceilings = _FittedCeilings(Votes(*cast), one_slice, codes)
        fitted = {statistic: ceilings.measure(k) for k, statistic in enumerate(FITTED)}
        draws = resample(unfitted, codes, resamples, replication)
        draws |= resample(fitted, codes, _REFITS, replication)
        for statistic, values in draws.items():
            ends = two_way_interval({**unfitted, **fitted}[statistic], values, groups)[:2]
            estimates[statistic].append((values[0], *ends, truth[statistic]))
    for statistic, rows in estimates.items():
        setting = dict(alpha=alpha, alpha_tie=alpha_tie, votes=votes)
        yield dict(
            study="ceilings",
            groups=groups,
            statistic=statistic,
            **setting,
            replications=replications,
            **summary(*zip(*rows), None),
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groups", type=int, nargs="+", default=[30, 100, 200])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--ceiling-replications", type=int, default=60)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--truth-groups", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the lines of JSON here")
    args = parser.parse_args()
    start, rng, lines = time.perf_counter(), np.random.default_rng(args.seed), []
    truth, by_bins = truths(args.truth_groups, rng)
    for groups in args.groups:
        lines += study_intervals(groups, args.replications, args.resamples, rng, truth, by_bins)
    for setting in SETTINGS if args.ceiling_replications else ():
        lines += study_ceilings(*setting, args.ceiling_replications, args.resamples, rng)
    run = dict(
        benchmark="coverage",
        command=" ".join(["python", "tests/benchmarks/coverage.py", *sys.argv[1:]]),
        seed=args.seed,
        resamples=args.resamples,
        seconds=round(time.perf_counter() - start),
        processor_seconds=round(time.process_time()),
        cpus=os.cpu_count(),
        threads=os.environ.get("OMP_NUM_THREADS"),
        versions={p: version(p) for p in ("numpy", "scipy")} | dict(python=sys.version.split()[0]),
    )
    text = "\n".join(json.dumps(x) for x in [run, *lines])
    print(text)
    if args.out:
        args.out.write_text(text + "\n")
    print(pd.DataFrame(lines).drop(columns=["replications"]).to_string(index=False))


if __name__ == "__main__":
    main()
