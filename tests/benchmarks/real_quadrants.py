"""Do plural prompts and alike pairs divide people, and are reward models worse there? Four crowds, by the quadrant of the taxonomy.

python tests/benchmarks/real_quadrants.py --append

Runs the data sets whose line is not yet in results/real_quadrants.jsonl, one line each, so a run that was stopped goes on where it was. `--data NAME`
runs one, `--again` runs it whether or not it has a line, `--limit N` takes so many pairs. Tables of each line:

`scores`: quantiles of plurality over prompts and of indistinguishability over pairs, and how many are on either side of one half.
`people`: tie rate and split (the chance that two who chose a side chose different ones) by quadrant, by either dimension, and in the upper and lower
third of either score; differences; rank correlations of the scores with ties and split, of pairs and of prompts. Intervals cover prompts, and people where
ballots name them.
`ceilings`: how high a rank correlation could be if the score knew the pair's true tie rate or split: the square root of the reliability of these votes. That of
the split needs four people who chose a side (mean over all ways to split four of them into halves); that of a prompt's mean split two pairs.
`control`: the same differences and correlations where votes are drawn from a simulated crowd that the taxonomy is true of: each pair gets the true shares of a
simulated pair of its own quadrant, and as many votes as it had. With strength s, the quadrant is right for a share s of prompts and pairs, and
somebody else's for the others. `found` is the share of drawn crowds whose interval, over prompts, leaves out zero on the right side.
`agreement`: how well a probe on frozen embeddings, cross-fitted by prompt, follows people's shares: `bt` on one vote a pair, `votes` on shares, and `crowd` on
the three outcomes, by its reward (`crowd`) and by the share that it predicts (`crowd, share`). Pearson's correlation after a cross-fitted temperature, Spearman's,
the former divided by its ceiling (`disattenuated`), the ceiling; and differences. `matched`: the same at equal decisiveness.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from crowds import data_file, records
from result_lines import finished, how_made, keep, start
from scipy.special import logit
from scipy.stats import rankdata

from plurality_nb.data.build import number_column, with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.evaluation.bootstrap import UNDEFINED, Measure, group_sums, interval, resample
from plurality_nb.evaluation.ceilings import disattenuated, reliability
from plurality_nb.evaluation.correlation import correlation_measure
from plurality_nb.evaluation.matching import match_slices
from plurality_nb.evaluation.tables import (
    rows_that_count,
    tabulate,
)
from plurality_nb.evaluation.temperature import add_scaled
from plurality_nb.rewards.probe import cross_score
from plurality_nb.simulation.trials import simulated_comparisons
from plurality_nb.taxonomy.quadrants import label_taxonomy
from plurality_nb.votes.margins import draw_labels
from plurality_nb.votes.shares import tie_rate, vote_split

RESULTS = Path(__file__).resolve().parent / "results" / "real_quadrants.jsonl"
LIMITS = dict(pandalm=None, cobbler_votes=2000, wmt23_votes=1500, ukpconvarg1_votes=4000)
CONTRASTS = {  # of slices, with the fact that the taxonomy expects to be larger in the first
    ("plural", "single"): "split",
    ("alike", "distinct"): "tie",
    ("plurality, upper third", "plurality, lower third"): "split",
    ("likeness, upper third", "likeness, lower third"): "tie",
}
SCORES = dict(plurality="split", indistinguishability="tie")
LEAST_PAIRS = 30  # of a slice
LEAST_PROMPTS = 15


# -- slices


def third_masks(values):
    "Of the lower and of the upper third, with ties of a third's end on its inner side."
    low, high = np.nanquantile(values, [1 / 3, 2 / 3])
    if low == high:
        return values < low, values > high
    return values <= low, values >= high


def slice_masks(ds):
    "Slice to (pairs,) bool, of all pairs of the comparisons."
    quadrant = np.array(ds["quadrant"][:], dtype=object)
    plurality, likeness = (number_column(ds, name) for name in SCORES)
    masks = {name: quadrant == name for name in sorted(set(quadrant) - {None})}
    for word in ("plural", "single", "alike", "distinct"):
        masks[word] = np.array([word in str(name).split("_") for name in quadrant])
    for name, values in dict(plurality=plurality, likeness=likeness).items():
        masks[f"{name}, lower third"], masks[f"{name}, upper third"] = third_masks(values)
    return masks


def large_enough(masks, groups):
    groups = np.asarray(groups)
    return {
        name: mask
        for name, mask in masks.items()
        if mask.sum() >= LEAST_PAIRS and len(set(groups[mask])) >= LEAST_PROMPTS
    }


# -- what people did


def mean_of(values, codes, mask):
    pairs = mask & ~np.isnan(values)
    if not pairs.any():
        return UNDEFINED
    sums = group_sums(codes, np.where(pairs, values, 0), pairs.astype(float))

    def means(counts):
        top, bottom = (counts @ sums).T
        with np.errstate(invalid="ignore", divide="ignore"):
            return top / bottom

    return Measure(means, pairs, is_proportion=True)


def less(one, other):
    pairs = None if one.pairs is None else one.pairs | other.pairs
    return Measure(lambda counts: one.values(counts) - other.values(counts), pairs)


def rank_correlation(x, y, codes):
    "Spearman's, with the ranks of the whole sample in each resample."
    pairs = ~(np.isnan(x) | np.isnan(y))
    if pairs.sum() < 3 or np.ptp(x[pairs]) == 0 or np.ptp(y[pairs]) == 0:
        return UNDEFINED
    ranks = [np.zeros(len(x)), np.zeros(len(x))]
    for rank, values in zip(ranks, (x, y)):
        rank[pairs] = rankdata(values[pairs]) / pairs.sum() - 0.5
    rx, ry = ranks
    sums = group_sums(codes, pairs.astype(float), rx, ry, rx * ry, rx * rx, ry * ry)

    def correlations(counts):
        n, sx, sy, xy, xx, yy = (counts @ sums).T
        with np.errstate(invalid="ignore", divide="ignore"):
            cov = xy / n - sx * sy / n**2
            return cov / np.sqrt((xx / n - (sx / n) ** 2) * (yy / n - (sy / n) ** 2))

    return Measure(correlations, pairs)


def of_prompts(values, codes):
    "(prompts,) pairs with a value, mean, variance within; nan where there are none."
    known = ~np.isnan(values)
    n, total, square = (
        np.bincount(codes, np.where(known, column, 0), codes.max() + 1)
        for column in (np.ones(len(values)), values, values**2)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        within = np.where(n > 1, (square - n * mean**2) / (n - 1), np.nan)
    return n, mean, within


def facts_of(part):
    a, b, tie = part.votes
    return dict(tie=tie_rate(a, b, tie), split=vote_split(a, b))


def effects(facts, scores, masks, codes):
    "(what, fact) to measure: means by slice, differences, rank correlations."
    measures = {
        (name, fact): mean_of(values, codes, mask)
        for name, mask in masks.items()
        for fact, values in facts.items()
    }
    for one, other in CONTRASTS:
        if one in masks and other in masks:
            for fact in facts:
                pair = measures[one, fact], measures[other, fact]
                measures[f"{one} - {other}", fact] = less(*pair)
    for score, values in scores.items():
        for fact, observed in facts.items():
            measures[score, fact] = rank_correlation(values, observed, codes)
    _, plurality, _ = of_prompts(scores["plurality"], codes)
    for fact, observed in facts.items():
        _, mean, _ = of_prompts(observed, codes)
        measures["plurality of prompts", fact] = rank_correlation(
            plurality, mean, np.arange(len(mean))
        )._replace(pairs=None)
    return measures


def people_measures(ds, masks):
    "Measures of rows, as `tabulate` wants them."
    scores = {name: number_column(ds, name) for name in SCORES}

    def measures(part, codes):
        own_scores = {name: values[part.index] for name, values in scores.items()}
        own_masks = {name: mask[part.index] for name, mask in masks.items()}
        facts = {name: values for name, values in facts_of(part).items() if np.nanmax(values) > 0}
        return effects(facts, own_scores, own_masks, codes)

    return measures


# -- ceilings


def root_share(true, observed):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(np.clip(true, 0, None) / observed)


def reliable(product, values, codes):
    "Root of the share of the variance of `values` that is not chance; `product` estimates squares."
    pairs = ~(np.isnan(product) | np.isnan(values))
    if pairs.mean() < 0.2:
        return UNDEFINED
    product, values = np.where(pairs, product, 0), np.where(pairs, values, 0)
    sums = group_sums(codes, pairs.astype(float), product, values, values**2)

    def roots(counts):
        n, squares, total, observed = (counts @ sums).T
        mean = total / n
        return root_share(squares / n - mean**2, observed / n - mean**2)

    return Measure(roots, pairs, limits=(0, 1))


def falling(n, k):
    "n (n - 1) ... of k factors."
    return np.prod([n - i for i in range(k)], axis=0)


def ceiling_measures(part, codes):
    a, b, tie = part.votes
    decided, total = a + b, a + b + tie
    with np.errstate(invalid="ignore", divide="ignore"):
        # of four who chose a side, the chance that two differ and the two others do as well
        chance = 4 * falling(a, 2) * falling(b, 2) / falling(decided, 4)
        split_square = np.where(decided >= 4, chance, np.nan)
        tie_square = np.where(total >= 2, falling(tie, 2) / falling(total, 2), np.nan)
    facts = facts_of(part)
    split = np.where(decided >= 4, facts["split"], np.nan)
    return {
        ("ceiling", "split"): reliable(split_square, split, codes),
        ("ceiling", "tie"): reliable(tie_square, facts["tie"], codes),
        **prompt_ceilings(facts["split"], codes),
    }


def prompt_ceilings(split, codes):
    "Of each prompt's mean split, and how far prompts truly differ in it."
    n, mean, within = of_prompts(split, codes)
    known = n > 1
    columns = [np.where(known, column, 0) for column in (mean, mean**2, within / np.maximum(n, 1))]

    def variances(counts):
        weights = counts * known
        prompts = weights.sum(1)
        means, squares, noise = ((weights @ column) / prompts for column in columns)
        observed = (squares - means**2) * prompts / (prompts - 1)
        return observed - noise, observed

    return {
        ("ceiling of prompts", "split"): Measure(
            lambda counts: root_share(*variances(counts)), limits=(0, 1)
        ),
        ("spread of prompts", "split"): Measure(
            lambda counts: np.sqrt(np.clip(variances(counts)[0], 0, None)), limits=(0, 1)
        ),
    }


# -- what could have been found


def simulated_shares(seed):
    "Quadrant to (pairs, 3): true shares of A, B, tie."
    ds = simulated_comparisons(3000, 2, seed=seed)
    shares = np.stack([number_column(ds, f"true_{k}") for k in ("a", "b", "tie")], 1)
    quadrant = np.array(ds["quadrant"][:])
    return {name: shares[quadrant == name] for name in sorted(set(quadrant))}  # draws follow it


def someone_elses(values, strength, rng):
    "A share of the values kept, the others exchanged among themselves."
    values = values.copy()
    moved = np.flatnonzero(rng.random(len(values)) >= strength)
    values[moved] = values[rng.permutation(moved)]
    return values


def crowd_of_quadrants(ds, rows, bank, strength, seed):
    "Facts of votes that a crowd would cast that follows the quadrants."
    rng = np.random.default_rng([seed, 11])
    codes = rows.codes
    quadrant = np.array(ds["quadrant"][:], dtype=object)[rows.index]
    is_plural = np.array([str(name).startswith("plural") for name in quadrant])
    is_alike = np.array([str(name).endswith("alike") for name in quadrant])
    by_prompt = of_prompts(is_plural.astype(float), codes)[1] > 0.5
    is_plural = someone_elses(by_prompt, strength, rng)[codes]
    is_alike = someone_elses(is_alike, strength, rng)
    shares = np.empty((len(rows), 3))
    for name, of_quadrant in bank.items():
        words = name.split("_")
        mask = (is_plural == ("plural" in words)) & (is_alike == ("alike" in words))
        shares[mask] = of_quadrant[rng.integers(0, len(of_quadrant), mask.sum())]
    votes = np.stack(rows.votes, 1)
    if votes[:, 2].sum() == 0:  # a crowd that could not call a tie
        shares[:, 2] = 0
        shares /= shares.sum(1, keepdims=True)
    drawn = rng.multinomial(votes.sum(1).astype(int), shares)
    a, b, tie = drawn.astype(float).T
    facts = dict(tie=tie_rate(a, b, tie), split=vote_split(a, b))
    return {name: values for name, values in facts.items() if np.nanmax(values) > 0}


def control_table(ds, rows, masks, n_boot, crowds, seed):
    "Effects in simulated crowds, averaged over crowds."
    scores = {name: number_column(ds, name)[rows.index] for name in SCORES}
    own_masks = {name: mask[rows.index] for name, mask in masks.items()}
    codes = rows.codes
    bank = simulated_shares(seed)
    expected = [(f"{one} - {other}", fact) for (one, other), fact in CONTRASTS.items()]
    expected += [*SCORES.items(), ("plurality of prompts", "split")]
    lines = []
    for strength in (1.0, 0.5, 0.25):
        found = {}
        for crowd in range(crowds):
            facts = crowd_of_quadrants(ds, rows, bank, strength, 100 * seed + crowd)
            measures = effects(facts, scores, own_masks, codes)
            wanted = {key: measures[key] for key in expected if key in measures}
            for key, values in resample(wanted, codes, n_boot, seed + crowd).items():
                found.setdefault(key, []).append(
                    (values[0], *interval(values[1:], codes.max() + 1))
                )
        for (what, fact), values in found.items():
            value, low, high = np.array(values).T
            line = dict(what=what, fact=fact, strength=strength, crowds=len(values))
            means = dict(value=value.mean(), low=low.mean(), high=high.mean())
            lines.append(line | means | dict(found=float((low > 0).mean())))
    return short_records(pd.DataFrame(lines))


# -- reward models


def with_predicted_share(ds):
    "The share that a crowd's model predicts in place of its rewards."
    tie = number_column(ds, "prob_tie")
    share = np.clip(number_column(ds, "prob_a") + tie / 2, 1e-6, 1 - 1e-6)
    return with_columns(ds, reward_a=logit(share) / 2, reward_b=-logit(share) / 2)


def trained_models(ds, seed, **settings):
    labelled = draw_labels(ds, "human", seed=seed)
    scored = {
        objective: cross_score(
            labelled, objective, votes="human", seed=seed, progress=False, **settings
        )
        for objective in ("bt", "votes", "crowd")
    }
    return scored | {"crowd, share": with_predicted_share(scored["crowd"])}


def sliced(mask, codes, make):
    "A measure of some pairs as one of counts of all prompts."
    groups, own_codes = np.unique(codes[mask], return_inverse=True)
    measure = make(mask, own_codes)
    return Measure(lambda counts: measure.values(counts[:, groups]), mask)


def statistic_makers(part):
    "(model, statistic) to a function of a mask and codes that makes a measure."
    lead, votes = part.lead, part.votes
    makers = {}
    for model, delta in part.deltas.items():
        makers[model, "spearman"] = lambda mask, codes, d=delta: correlation_measure(
            "spearman", d[mask], lead[mask], codes
        )
    for model, delta in part.scaled.items():
        x = np.tanh(delta / 2)
        makers[model, "tempered_pearson"] = lambda mask, codes, d=delta: correlation_measure(
            "tempered_pearson", d[mask], lead[mask], codes
        )
        makers[model, "disattenuated"] = lambda mask, codes, x=x: disattenuated(
            x[mask], *(v[mask] for v in votes), codes
        )

    def ceiling(mask, codes):
        measure = reliability(*(v[mask] for v in votes), codes)
        return Measure(lambda counts: np.sqrt(np.clip(measure.values(counts), 0, None)))

    return makers | {("ceiling", "tempered_pearson"): ceiling}


def agreement_measures(masks):
    def measures(part, codes):
        made = {}
        own_masks = {name: mask[part.index] for name, mask in masks.items()}
        own_masks = {"overall": np.ones(len(part), bool)} | own_masks
        for (model, statistic), make in statistic_makers(part).items():
            for name, mask in own_masks.items():
                made[f"{model}|{name}", statistic] = sliced(mask, codes, make)
            for one, other in CONTRASTS:
                if one in own_masks and other in own_masks:
                    parts = (made[f"{model}|{name}", statistic] for name in (one, other))
                    made[f"{model}|{one} - {other}", statistic] = less(*parts)
        return made

    return measures


def matched_tables(scored, masks, n_boot, seed):
    "Differences between slices of pairs that people were equally decided on."
    lines = []
    for one, other in CONTRASTS:
        if one not in masks or other not in masks:
            continue
        names = np.select([masks[one], masks[other]], [one, other], "")
        column = [name or None for name in names.tolist()]
        parts = {model: with_columns(ds, part=column) for model, ds in scored.items()}
        table = match_slices(
            parts,
            by="part",
            n_boot=n_boot,
            seed=seed,
            baselines=False,
            statistics=("tempered_pearson", "corrected"),
            reference=other,
        )
        table = table[table.part == one].assign(what=f"{one} - {other}")
        kept = ["what", "model", "statistic", "gap", "gap_low", "gap_high", "effective", "overlap"]
        lines.append(table[kept])
    return short_records(pd.concat(lines)) if lines else []


# -- one line


def tabulated(rows, measures, args):
    "With intervals over prompts and people, and in `prompt_low`, `prompt_high` over prompts alone."
    table = tabulate(rows, None, measures, args.n_boot, args.seed)
    codes = rows.codes
    draws = resample(measures(rows, codes), codes, args.n_boot, args.seed)
    ends = [
        interval(draws[key][1:], table.groups.max()) for key in zip(table.model, table.statistic)
    ]
    table[["prompt_low", "prompt_high"]] = ends
    table = table[table.value.notna()].rename(columns=dict(model="what"))
    columns = ["value", "low", "high", "prompt_low", "prompt_high", "se", "n", "groups", "people"]
    return short_records(table[["what", "statistic", *columns]])


def short_records(table, digits=4):
    return records(table.round(digits))


def score_facts(ds):
    "How far the taxonomy's scores vary."
    prompts = pd.DataFrame(dict(group=ds["group"][:], plurality=ds["plurality"][:]))
    by_prompt = prompts.groupby("group").plurality.first().to_numpy(float)
    by_pair = number_column(ds, "indistinguishability")
    facts = {}
    for name, values in dict(plurality=by_prompt, indistinguishability=by_pair).items():
        quantiles = np.nanquantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        facts[name] = dict(
            n=int((~np.isnan(values)).sum()),
            above_half=int((values >= 0.5).sum()),
            sd=round(float(np.nanstd(values)), 4),
            quantiles=[round(float(q), 4) for q in quantiles],
        )
    return facts


def study(args, name, limit):
    "The line of one data set."
    began = start()
    ds = load_comparisons(
        str(data_file(name)), limit=limit, seed=args.seed, strict=name != "pandalm"
    )
    ds = label_taxonomy(ds, progress=False)
    rows = rows_that_count(ds, None, "human", False, False, scored=False).rows
    masks = large_enough(slice_masks(ds), ds["group"][:])
    print(
        f"{name}: labelled, {time.perf_counter() - began.wall:.0f} s", file=sys.stderr, flush=True
    )
    people = tabulated(rows, people_measures(ds, masks), args)
    ceilings = tabulated(rows, ceiling_measures, args)
    control = control_table(ds, rows, masks, args.n_boot, args.crowds, args.seed)
    print(f"{name}: people, {time.perf_counter() - began.wall:.0f} s", file=sys.stderr, flush=True)
    scored = trained_models(ds, args.seed, max_steps=args.max_steps)
    print(f"{name}: trained, {time.perf_counter() - began.wall:.0f} s", file=sys.stderr, flush=True)
    scored_rows = rows_that_count(scored, None, "human", False, False).rows
    agreement = tabulated(add_scaled(scored_rows), agreement_measures(masks), args)
    a, b, tie = rows.votes
    line = dict(
        benchmark="real_quadrants",
        data=name,
        limit=limit,
        n_boot=args.n_boot,
        pairs=len(rows),
        prompts=int(rows.codes.max() + 1),
        votes=int((a + b + tie).sum()),
        votes_a_pair=round(float((a + b + tie).mean()), 2),
        tie_rate=round(float(tie_rate(a, b, tie).mean()), 4),
        split=round(float(np.nanmean(vote_split(a, b))), 4),
        quadrants={q: int((np.array(ds["quadrant"][:]) == q).sum()) for q in set(ds["quadrant"])},
        scores=score_facts(ds),
        people=people,
        ceilings=ceilings,
        control=control,
        agreement=agreement,
        matched=matched_tables(scored, masks, args.n_boot, args.seed),
    )
    return line | dict(seed=args.seed) | how_made(began)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=LIMITS, help="one data set; all if not given")
    parser.add_argument("--limit", type=int, help="pairs; those of the study if not given")
    parser.add_argument("--n-boot", type=int, default=400)
    parser.add_argument("--crowds", type=int, default=10, help="simulated crowds a strength")
    parser.add_argument("--max-steps", type=int, default=3000, help="of a probe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="also what has a line")
    parser.add_argument("--append", action="store_true", help=f"keep the lines in {RESULTS.name}")
    args = parser.parse_args()
    done = set() if args.again or not args.append else finished(RESULTS, "data")
    for name in [args.data] if args.data else LIMITS:
        if name not in done:
            keep(study(args, name, args.limit or LIMITS[name]), RESULTS, args.append)


if __name__ == "__main__":
    main()
