"""Do models that predict votes for A, B and ties know more of a crowd than a difference of rewards? Out of fold by prompt, people or simulated users.

python tests/benchmarks/crowds.py --data ukpconvarg1_votes --limit 4000 --append

Five objectives train the same probe on frozen MiniLM embeddings (`cross_score`, five folds of the prompts): `bt` on the majority's labels, `votes` on
shares, and `ties`, `categorical`, `crowd` on the three outcomes. `bt` and `votes` predict no ties: they are given a threshold and a temperature, fitted
to the votes on other prompts. Tables of each run:

`scores` are those of `score_crowds`, overall and by quadrant where a quadrant has 15 prompts, and `differences` those between objectives on the same
resamples; intervals cover prompts, and people where ballots name them. `ties` has predicted and observed tie rates in ten bins of the predicted rate.
`quadrants` has means by the quadrant of the taxonomy, and `taxonomy` rank correlations with its two scores.

`--data simulated` draws pairs whose true shares are known: users differ in taste, each pair has five voters. The probe reads numbers instead of
embeddings: with `--reads responses` each response's features, the kind of its prompt and their products; with `--reads pair` also the logarithm of how
far apart the two responses are, which no model that reads one response at a time can know. Table `truth` compares with the true shares and spread.

`scale` is the standard deviation of people's differences over the threshold, as an ordered probit reads it out of any three probabilities:
-2 / (z_a + z_b), where z is the normal quantile of a side's probability.

Prints a line of JSON, and with `--append` keeps it in results/crowds.jsonl: numbers alone, no texts.
"""

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from result_lines import how_made, keep, start
from scipy.special import ndtri, xlogy
from scipy.stats import spearmanr

from plurality_nb.data.build import number_column, with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.evaluation.bootstrap import MIN_GROUPS, Measure, resample, rows_measure
from plurality_nb.evaluation.crowds import _Crowds, division_label, score_crowds
from plurality_nb.evaluation.tables import rows_that_count, tabulate
from plurality_nb.rewards.probe import cross_score
from plurality_nb.rewards.probe_model import ProbeInputs
from plurality_nb.simulation.trials import simulated_comparisons, trial_population
from plurality_nb.simulation.users import simulate_votes
from plurality_nb.taxonomy.quadrants import label_taxonomy
from plurality_nb.votes.shares import tie_rate, vote_split, votes_of

RESULTS = Path(__file__).resolve().parent / "results" / "crowds.jsonl"
OBJECTIVES = ["bt", "votes", "ties", "categorical", "crowd"]
BASELINES = ["bt", "votes"]
COMPARED = ["crowd_log_loss", "divided_auroc", "tied_auroc", "tie_calibration_error"]
VOTERS = 5  # of each simulated pair


def data_file(name):
    folder = Path(os.environ.get("PLURALITY_DATA", "../shared/data"))
    files = dict(pandalm="pandalm_testset_part.json")
    return folder / files.get(name, f"{name}.jsonl.gz")


def people(name, limit, seed):
    "Comparisons with people's votes and quadrants; labels are those of the majority."
    ds = load_comparisons(str(data_file(name)), limit=limit, seed=seed, strict=name != "pandalm")
    return label_taxonomy(ds, progress=False)


def with_majority_labels(ds):
    a, b, _ = votes_of(ds, "human")
    label = np.select([a > b, a < b], [1.0, 0.0], 0.5)
    return with_columns(ds, label=label, label_source=["human_majority"] * len(ds))


def simulated(limit, seed):
    ds = simulated_comparisons(limit // 2, 2, blur=0.05, seed=seed)
    return simulate_votes(ds, trial_population(), VOTERS, seed=seed + 1)


def simulated_inputs(reads, ds, encoder=None, progress=True):
    "What the probe reads instead of embeddings, of about their size, which its step size suits."
    features = {side: np.array(ds[f"features_{side}"][:]) for side in "ab"}
    plural = number_column(ds, "plurality")[:, None]
    size = np.log(np.square(features["a"] - features["b"]).sum(1, keepdims=True))
    shared = [plural, size, plural * size] if reads == "pair" else [plural]
    inputs = {side: 3 * np.hstack([x, plural * x, *shared]) for side, x in features.items()}
    return ProbeInputs(*(torch.from_numpy(x.astype(np.float32)) for x in inputs.values()))


def out_of_fold(ds, reads, seed):
    "Objective to scored comparisons, and to seconds."
    scored, seconds = {}, {}
    inputs = partial(simulated_inputs, reads)
    for objective in OBJECTIVES:
        clock = time.perf_counter()
        score = partial(cross_score, ds, objective, votes="human", seed=seed, progress=False)
        if reads:
            with (
                patch("plurality_nb.rewards.probe.probe_inputs", inputs),
                patch("plurality_nb.rewards.probe_model.probe_inputs", inputs),
            ):
                scored[objective] = score()
        else:
            scored[objective] = score()
        seconds[objective] = round(time.perf_counter() - clock, 1)
        print(f"{objective}: {seconds[objective]} s", file=sys.stderr, flush=True)
    return scored, seconds


def large_quadrants(ds):
    "With a column `slice`: the quadrant where it has enough prompts, else nothing."
    frame = pd.DataFrame(dict(quadrant=ds["quadrant"][:], group=ds["group"][:]))
    prompts = frame.groupby("quadrant").group.nunique()
    enough = prompts[prompts >= MIN_GROUPS].index
    kept = frame.quadrant.where(frame.quadrant.isin(enough), "other").fillna("other")
    return with_columns(ds, part=kept.tolist()), len(enough) > 1


def difference(one, two):
    return Measure(
        lambda counts: one.values(counts) - two.values(counts),
        one.pairs,
        takes_weights=one.takes_weights,
    )


def difference_measures(crowds, part, codes):
    "Each objective less each baseline, of rows of one slice."
    return {
        (f"{name} - {base}", statistic): difference(
            crowds.measure(name, statistic, part, codes),
            crowds.measure(base, statistic, part, codes),
        )
        for base in BASELINES
        for name in OBJECTIVES
        if OBJECTIVES.index(name) > OBJECTIVES.index(base)
        for statistic in COMPARED
    }


def short(table, by):
    "What is kept of a table."
    columns = [by, "model", "statistic", "value", "low", "high", "n", "groups", "people"]
    return records(table.rename(columns={by: "slice"})[["slice", *columns[1:]]])


def records(table):
    rounded = table.round(5).astype(object)
    return rounded.where(rounded.notna(), None).to_dict("records")


def outcomes_of(scored, crowds):
    "Model to (pairs, 3): predicted probabilities of A, B, tie, fitted where there are none."
    return {name: crowds.outcomes[name] for name in scored}


def implied_scale(outcomes):
    "(pairs,): spread over threshold; nan where no ties are predicted."
    chances = np.clip(outcomes[:, :2], 1e-9, 1 - 1e-9)
    total = ndtri(chances).sum(1)
    return np.where(total < -1e-6, -2 / np.minimum(total, -1e-6), np.nan)


def tie_bins(outcomes, tie, codes, bins=10):
    "Predicted and observed tie rates in bins of equally many pairs."
    rows = []
    for name, predicted in outcomes.items():
        order = np.argsort(predicted[:, 2], kind="stable")
        for k, part in enumerate(np.array_split(order, bins)):
            mean = rows_measure(
                lambda kept, part=part: tie[part][kept].mean(), codes_of(codes[part])
            )
            drawn = resample({"": mean}, codes_of(codes[part]), 400)[""]
            low, high = np.quantile(drawn[1:], [0.025, 0.975])
            row = dict(model=name, bin=k, n=len(part), predicted=predicted[part, 2].mean())
            rows.append(row | dict(observed=drawn[0], low=low, high=high))
    return records(pd.DataFrame(rows))


def codes_of(values):
    return np.unique(values, return_inverse=True)[1]


def quadrant_means(ds, outcomes, rows):
    "Means by quadrant of what is predicted and of what people did."
    a, b, tie = rows.votes
    quadrant = np.array(ds["quadrant"][:], dtype=object)[rows.index]
    facts = {"people": dict(tie=tie_rate(a, b, tie), split=vote_split(a, b))}
    for name, predicted in outcomes.items():
        even = 2 * predicted[:, :2].min(1) / predicted[:, :2].sum(1)
        facts[name] = dict(tie=predicted[:, 2], even=even, scale=implied_scale(predicted))
    lines = []
    for name, columns in facts.items():
        for fact, values in columns.items():
            for slice_name in sorted({str(q) for q in quadrant}):
                of_slice = quadrant.astype(str) == slice_name
                kept = of_slice & ~np.isnan(values)
                if kept.any():
                    codes = codes_of(rows.codes[kept])
                    kept_values = values[kept]
                    centre = np.median if fact == "scale" else np.mean
                    measure = rows_measure(lambda k, v=kept_values, f=centre: f(v[k]), codes)
                    drawn = resample({"": measure}, codes, 400)[""]
                    low, high = np.quantile(drawn[1:], [0.025, 0.975])
                    line = dict(model=name, fact=fact, slice=slice_name, n=int(kept.sum()))
                    lines.append(line | dict(value=drawn[0], low=low, high=high))
    return records(pd.DataFrame(lines))


def rank_correlation(x, y, codes, n_boot=400):
    "Spearman's, with its interval over prompts."
    kept = ~(np.isnan(x) | np.isnan(y))
    x, y, codes = x[kept], y[kept], codes_of(codes[kept])
    measure = rows_measure(lambda rows: spearmanr(x[rows], y[rows]).statistic, codes)
    drawn = resample({"": measure}, codes, n_boot)[""]
    low, high = np.nanquantile(drawn[1:], [0.025, 0.975])
    return dict(value=drawn[0], low=low, high=high, n=int(kept.sum()))


def taxonomy_correlations(ds, outcomes, rows, codes):
    "Do scale and ties follow the taxonomy's scores?"
    a, b, tie = rows.votes
    plural = number_column(ds, "plurality")[rows.index]
    alike = number_column(ds, "indistinguishability")[rows.index]
    pairs = {("people", "split", "plurality"): (vote_split(a, b), plural)}
    pairs["people", "tie", "indistinguishability"] = tie_rate(a, b, tie), alike
    for name, predicted in outcomes.items():
        scale, tied = implied_scale(predicted), predicted[:, 2]
        pairs[name, "scale", "plurality"] = scale, plural
        pairs[name, "scale", "people's division"] = scale, division_label(a, b)
        pairs[name, "tie", "indistinguishability"] = tied, alike
        pairs[name, "tie", "people's ties"] = tied, tie_rate(a, b, tie)
    lines = [
        dict(model=name, fact=fact, score=score) | rank_correlation(x, y, codes)
        for (name, fact, score), (x, y) in pairs.items()
        if np.nanstd(x) > 0 and np.nanstd(y) > 0
    ]
    return records(pd.DataFrame(lines))


def truth_lines(ds, outcomes, rows, codes):
    "Against the true shares and the true spread of people's differences."
    population = trial_population()
    true = np.stack([number_column(ds, f"true_{k}") for k in ("a", "b", "tie")], 1)[rows.index]
    spread = population.views(*population.gaps(ds))[1][rows.index, 0] / population.threshold
    true_even = true[:, :2].min(1) / true[:, :2].sum(1)
    entropy = -xlogy(true, true).sum(1)
    lines = []
    for name, predicted in outcomes.items():
        even = predicted[:, :2].min(1) / predicted[:, :2].sum(1)
        facts = dict(
            tie=(predicted[:, 2], true[:, 2]),
            even=(even, true_even),
            scale=(implied_scale(predicted), spread),
        )
        for fact, (x, y) in facts.items():
            figure = f"rank correlation of {fact} with the truth"
            if np.nanstd(x) > 0:
                lines.append(dict(model=name, figure=figure) | rank_correlation(x, y, codes))
        excess = -xlogy(true, predicted).sum(1) - entropy
        gap = np.abs(predicted[:, 2] - true[:, 2])
        means = {"log loss over the truth's, nats": excess, "error of the tie rate": gap}
        for figure, values in means.items():
            measure = rows_measure(lambda kept, v=values: v[kept].mean(), codes)
            drawn = resample({"": measure}, codes, 400)[""]
            low, high = np.quantile(drawn[1:], [0.025, 0.975])
            line = dict(model=name, figure=figure, value=drawn[0], low=low, high=high)
            lines.append(line | dict(n=len(values)))
    lines.append(dict(model="truth", figure="entropy, nats", value=entropy.mean(), n=len(true)))
    return records(pd.DataFrame(lines))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ["ukpconvarg1_votes", "wmt23_votes", "cobbler_votes", "pandalm", "simulated"]
    parser.add_argument("--data", choices=names, required=True)
    parser.add_argument("--limit", type=int, help="pairs; all, or 3000 simulated, if not given")
    parser.add_argument("--reads", choices=["responses", "pair"], default="responses")
    parser.add_argument("--n-boot", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--append", action="store_true", help=f"keep the line in {RESULTS.name}")
    args = parser.parse_args()
    began, is_simulated = start(), args.data == "simulated"
    if is_simulated:
        ds = simulated(args.limit or 3000, args.seed)
    else:
        ds = people(args.data, args.limit, args.seed)
    ds, by_part = large_quadrants(with_majority_labels(ds))
    by = "part" if by_part else None
    scored, seconds = out_of_fold(ds, args.reads if is_simulated else None, args.seed)
    rows = rows_that_count(scored, by, "human", False, False).rows
    crowds, codes = _Crowds(scored, rows), rows.codes
    outcomes = outcomes_of(scored, crowds)
    a, b, tied = rows.votes
    tie = tied / (a + b + tied)
    table = score_crowds(scored, by=by, n_boot=args.n_boot, seed=args.seed, baselines=False)
    all_rows = rows_that_count(scored, None, "human", False, False).rows
    measures = partial(difference_measures, crowds)
    differences = tabulate(all_rows, None, measures, args.n_boot, args.seed)
    line = dict(
        benchmark="crowds",
        data=args.data,
        reads=args.reads if is_simulated else "embeddings",
        n_boot=args.n_boot,
        pairs=len(rows),
        prompts=int(codes.max() + 1),
        votes=int((a + b + tied).sum()),
        tie_rate=round(float(tie.mean()), 4),
        divided=int((division_label(a, b) == 1).sum()),
        agreed=int((division_label(a, b) == 0).sum()),
        training_seconds=seconds,
        scores=short(table, by or "slice"),
        differences=short(differences, "slice"),
        ties=tie_bins(outcomes, tie, codes),
        quadrants=quadrant_means(ds, outcomes, rows),
        taxonomy=taxonomy_correlations(ds, outcomes, rows, codes),
    )
    if is_simulated:
        line["truth"] = truth_lines(ds, outcomes, rows, codes)
    keep(line | dict(seed=args.seed) | how_made(began), RESULTS, args.append)


if __name__ == "__main__":
    main()
