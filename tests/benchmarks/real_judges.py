"""How good must a judge be? The sixteen language models of CoBBLEr against its six people, and the six judges of LLMBar against its labels.

python tests/benchmarks/real_judges.py --append

Runs the parts whose line is not yet in results/real_judges.jsonl, one line each, so a run that was stopped goes on where it was. `--part NAME` runs one,
`--again` runs it whether or not it has a line, `--limit N` takes so many pairs.

`agreement`: how often a jury of k judges prefers what one person prefers, an even jury counting half, and the same of a jury of other people. The data say how many
judges prefer each response, not which: so the figures are exact means over all juries of k, and say nothing about the best judge. `spearman` is that of a drawn jury's
share with people's, `division` that of how even the jury is with how evenly people split.
`alt_test`: the alternative annotator test for juries of k, drawn anew for each pair; and for each person in a judge's place, as a control.
`calibration`: log loss of one person's vote on held-out prompts (half of the prompts, drawn ten times), by the jury's shares as they are, and by a curve fitted to n pairs of
the other prompts that people have rated, one vote or all six a pair.
`rewards`: the probe, cross-fitted by prompt, trained on votes of juries and of people (2,000 pairs), against people's votes: Spearman's correlation with shares, and
how often it prefers what one person prefers.
`likeness`: the agreement of juries with people by quadrant and by thirds of the taxonomy's scores, with differences, as real_quadrants.py has it of reward models.
`llmbar`: each judge's votes (six questions a pair, in both orders, without those of the strategies that ask again): right by one vote, and by the majority of all;
flips, the advantage of the first position; juries of k judges; log loss calibrated with n labelled pairs.
Intervals cover prompts, and for CoBBLEr people.
"""

import argparse
import json
import sys
import time
import warnings
from functools import cache, partial
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
from crowds import data_file
from real_quadrants import (
    agreement_measures,
    large_enough,
    less,
    rank_correlation,
    short_records,
    slice_masks,
    tabulated,
)
from result_lines import finished, how_made, keep, start

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.evaluation.bootstrap import mean_measure, statistic_interval
from plurality_nb.evaluation.correlation import correlation_measure
from plurality_nb.evaluation.stand_in import alternative_annotator_test
from plurality_nb.evaluation.tables import (
    rows_that_count,
    vote_log_odds,
)
from plurality_nb.evaluation.temperature import add_scaled
from plurality_nb.rewards.probe import cross_score
from plurality_nb.taxonomy.quadrants import label_taxonomy
from plurality_nb.votes.bias import correct_order, position_bias
from plurality_nb.votes.calibration import calibrate_votes, calibrated_shares
from plurality_nb.votes.margins import draw_labels
from plurality_nb.votes.shares import vote_share, vote_split, votes_of

RESULTS = Path(__file__).resolve().parent / "results" / "real_judges.jsonl"
JURIES = [1, 2, 4, 8, 16]
RATED = [10, 25, 50, 100, 250, 500]
SPLITS = 10


# -- juries


@cache
def lead_chances(a, b, tie, k):
    "Chance that A, and that B, leads among k of the voters."
    n = a + b + tie
    k = min(k, n)
    ahead = [0, 0]
    for for_a in range(min(a, k) + 1):
        for for_b in range(min(b, k - for_a) + 1):
            ways = comb(a, for_a) * comb(b, for_b) * comb(tie, k - for_a - for_b)
            if for_a != for_b:
                ahead[for_a < for_b] += ways
    return ahead[0] / comb(n, k), ahead[1] / comb(n, k)


def jury_leads(votes, k):
    "(pairs, 2): chances that a jury of k of these voters prefers A, and B."
    return np.array([lead_chances(*map(int, row), k) for row in np.stack(votes, 1)])


def agreement_with_one(leads, a, b):
    "(pairs,): chance of preferring what one person prefers, an even jury counting half."
    even = 1 - leads.sum(1)
    return (leads[:, 0] * a + leads[:, 1] * b) / (a + b) + even / 2


def agreement_of_others(a, b, k):
    "(pairs,): the same of a jury of k other people; nan with fewer."
    ties = np.zeros(len(a))
    without_a = jury_leads((np.maximum(a - 1, 0), b, ties), k)
    without_b = jury_leads((a, np.maximum(b - 1, 0), ties), k)
    agree_on_a = (1 + without_a[:, 0] - without_a[:, 1]) / 2
    agree_on_b = (1 + without_b[:, 1] - without_b[:, 0]) / 2
    return np.where(a + b > k, (a * agree_on_a + b * agree_on_b) / (a + b), np.nan)


def jury_votes(votes, k, seed):
    "(pairs, 3): of a jury drawn anew for each pair."
    rng = np.random.default_rng([seed, k])
    counts = np.stack(votes, 1).astype(int)
    drawn = [rng.multivariate_hypergeometric(row, min(k, row.sum())) for row in counts]
    return np.array(drawn, dtype=float)


def with_jury(ds, k, seed):
    "Comparisons whose judge is a jury of k."
    a, b, tie = jury_votes(votes_of(ds, "judge"), k, seed).T
    return with_columns(ds, judge_a=a, judge_b=b, judge_tie=tie)


# -- CoBBLEr


def cobbler(args, limit=None):
    return load_comparisons(
        str(data_file("cobbler_votes")), limit=args.limit or limit, seed=args.seed
    )


def counted(ds):
    return rows_that_count(ds, None, "human", False, False, scored=False).rows


def agreement_part(args):
    "Of juries and of people with one person."
    ds = cobbler(args)
    judges = votes_of(ds, "judge")
    leads = {k: jury_leads(judges, k) for k in JURIES}
    shares = {k: vote_share(*jury_votes(judges, k, args.seed).T) for k in JURIES}

    def measures(part, codes):
        a, b, _ = part.votes
        values = {f"judges {k}": agreement_with_one(leads[k][part.index], a, b) for k in JURIES}
        values |= {f"people {k}": agreement_of_others(a, b, k) for k in (1, 3, 5)}
        made = {}
        for name, value in values.items():
            known = (a + b > 1) & ~np.isnan(value)
            of_name = np.nan_to_num(value), codes, known
            made[name, "agreement"] = mean_measure(*of_name, is_proportion=True)
        for name in values:
            if name != "people 1":
                pair = made[name, "agreement"], made["people 1", "agreement"]
                made[f"{name} - people 1", "agreement"] = less(*pair)
        gain = made["judges 16", "agreement"], made["judges 1", "agreement"]
        made["judges 16 - judges 1", "agreement"] = less(*gain)
        for k, share in shares.items():
            x = share[part.index] - 0.5
            made[f"judges {k}", "spearman"] = correlation_measure("spearman", x, part.lead, codes)
            made[f"judges {k}", "division"] = rank_correlation(-np.abs(x), vote_split(a, b), codes)
        return made

    counts = np.stack(judges, 1)
    return dict(
        pairs=len(ds),
        prompts=len(set(ds["group"])),
        judge_tie_rate=round(float((counts[:, 2] / counts.sum(1)).mean()), 4),
        judges_split=round(float(np.mean(vote_split(judges.a, judges.b))), 4),
        table=tabulated(counted(ds), measures, args),
    )


def without_person(ds, person):
    "Comparisons whose judge is one of the people, who votes no more."
    votes = [{one["annotator"]: one["vote"] for one in of_pair} for of_pair in ds["ballots"]]
    cast = [of_pair.get(person) for of_pair in votes]
    others = [[one for one in of_pair if one["annotator"] != person] for of_pair in ds["ballots"]]
    columns = {
        f"judge_{side}": [float(vote == side) for vote in cast] for side in ("a", "b", "tie")
    }
    return with_columns(ds, ballots=others, **columns)


def alt_test_part(args):
    "Winning rates and advantages of juries, and of each person as a judge of the others."
    ds = cobbler(args)
    judges = {}
    for k in JURIES:
        for draw in range(1 if k == 16 else 2):
            judges[f"judges {k}", draw] = with_jury(ds, k, args.seed + draw)
    people = sorted({one["annotator"] for of_pair in ds["ballots"] for one in of_pair})
    judges |= {("a person", draw): without_person(ds, name) for draw, name in enumerate(people)}
    lines = []
    for (name, draw), of_judge in judges.items():
        for epsilon in (0.1, 0.2):
            table = alternative_annotator_test(of_judge, by=None, epsilon=epsilon)
            kept = table[["winning_rate", "advantage", "passes", "annotators", "n", "groups"]]
            lines.append(kept.assign(judge=name, draw=draw, epsilon=epsilon))
    return dict(pairs=len(ds), table=short_records(pd.concat(lines)))


# -- calibration


def smoothed(share, votes):
    return (share * votes + 0.5) / (votes + 1)


def with_rated_votes(ds, rows, each, rng):
    "Some rows, with one vote of people's or with all of them."
    rated = ds.select(rows)
    if each == "all":
        return rated
    a, b, _ = votes_of(rated, "human")
    for_a = (rng.random(len(rows)) < a / (a + b)).astype(int)
    return with_columns(rated, human_a=for_a, human_b=1 - for_a, human_tie=0 * for_a)


class LogChances:
    "Mean logarithms of predicted chances over the splits that hold a pair out; nan if none does."

    def __init__(self, pairs):
        self.sums = np.zeros((pairs, 2))
        self.times = np.zeros(pairs)

    def add(self, rows, share):
        share = np.clip(share, 1e-3, 1 - 1e-3)
        self.sums[rows] += np.log(np.stack([share, 1 - share], 1))
        self.times[rows] += 1

    @property
    def means(self):
        with np.errstate(invalid="ignore"):
            return self.sums / self.times[:, None]


def calibration_splits(ds, k, args):
    "(prediction, n, votes each) to log chances of held-out pairs."
    jury = with_jury(ds, k, args.seed)
    judge = votes_of(jury, "judge")
    raw = smoothed(vote_share(*judge), judge.a + judge.b + judge.tie)
    groups = np.array(ds["group"][:], dtype=object)
    prompts = np.array(sorted(set(groups)))
    logs = {}
    for split in range(args.splits):
        rng = np.random.default_rng([args.seed, split, k])
        held_out = np.isin(groups, rng.permutation(prompts)[: len(prompts) // 2])
        test, others = np.flatnonzero(held_out), rng.permutation(np.flatnonzero(~held_out))
        logs.setdefault(("raw", 0, "none"), LogChances(len(ds))).add(test, raw[test])
        of_test = jury.select(test)
        for n in RATED:
            for each in ("one", "all"):
                rated = with_rated_votes(jury, others[:n], each, rng)
                for method in ("logistic", "isotonic"):
                    share = calibrated_shares(of_test, method, rated, folds=2)
                    key = method, n, each
                    logs.setdefault(key, LogChances(len(ds))).add(test, share)
    return logs


def loss_by_others(a, b):
    "(pairs,): log loss of one person's vote by the share of the others."
    by_side = []
    for votes in (a, b):
        share = np.maximum(votes - 1, 0) / np.maximum(a + b - 1, 1)
        by_side.append(votes * np.log(smoothed(share, a + b - 1)))
    return -sum(by_side) / (a + b)


def calibration_part(args):
    "Log loss of one person's vote."
    ds = cobbler(args)
    tables = []
    for k in (1, 4, 16):
        logs = {key: of_key.means for key, of_key in calibration_splits(ds, k, args).items()}

        def measures(part, codes, logs=logs):
            a, b, _ = part.votes
            made = {}
            losses = {("even", 0, "none"): np.full(len(part), np.log(2))}
            for key, means in logs.items():
                own = means[part.index]
                losses[key] = -(a * own[:, 0] + b * own[:, 1]) / (a + b)
            known = ~np.isnan(losses["raw", 0, "none"])
            for key, loss in losses.items():
                name = "|".join(map(str, key))
                made[name, "log_loss"] = mean_measure(np.nan_to_num(loss), codes, known)
                gain = np.nan_to_num(losses["raw", 0, "none"] - loss)
                made[f"raw - {name}", "log_loss"] = mean_measure(gain, codes, known)
            told = loss_by_others(a, b)
            made["other people|0|none", "log_loss"] = mean_measure(told, codes)
            return made

        rows = tabulated(counted(ds), measures, args)
        tables += [dict(row, jury=k) for row in rows]
    return dict(pairs=len(ds), splits=args.splits, table=tables)


# -- reward models


def rewards_part(args):
    "The probe on votes of juries and of people."
    ds = cobbler(args, 2000)
    settings = dict(seed=args.seed, progress=False, max_steps=args.max_steps)
    labelled = draw_labels(ds, "human", seed=args.seed)
    trainings = {
        "people, one vote": partial(cross_score, labelled, "bt", votes="human", **settings),
        "people, shares": partial(cross_score, ds, "votes", votes="human", **settings),
        "judges, one vote": partial(
            cross_score, draw_labels(with_jury(ds, 1, args.seed), "judge"), "bt", **settings
        ),
    }
    for k in JURIES:
        jury = with_jury(ds, k, args.seed)
        trainings[f"judges {k}, shares"] = partial(cross_score, jury, "votes", **settings)
    trainings["judges 16, calibrated"] = partial(
        cross_score, calibrate_votes(ds, seed=args.seed), "votes", **settings
    )
    scored = {}
    for name, train in trainings.items():
        start = time.perf_counter()
        scored[name] = train()
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    rows = rows_that_count(scored, None, "human", False, True).rows
    return dict(pairs=len(rows), table=tabulated(rows, reward_measures, args))


def reward_measures(part, codes):
    "Each model's agreement with people, and its difference from those trained on people's votes."
    a, b, _ = part.votes
    lead = part.lead
    made = {}
    for model, delta in part.deltas.items():
        sides = np.stack([delta > 0, delta < 0], 1).astype(float)
        one = agreement_with_one(sides, a, b)
        made[model, "agreement"] = mean_measure(one, codes, is_proportion=True)
        made[model, "spearman"] = correlation_measure("spearman", delta, lead, codes)
    for base in ("people, one vote", "people, shares"):
        for (model, statistic), measure in list(made.items()):
            if " - " not in model and model != base:
                made[f"{model} - {base}", statistic] = less(measure, made[base, statistic])
    return made


def likeness_part(args):
    "Whether juries of judges know alike pairs less well, as reward models do; as in real_quadrants."
    ds = label_taxonomy(cobbler(args, 2000), progress=False)
    masks = large_enough(slice_masks(ds), ds["group"][:])
    scored = {}
    for k in (1, 4, 16):
        delta = vote_log_odds(*jury_votes(votes_of(ds, "judge"), k, args.seed).T)
        columns = dict(reward_a=delta / 2, reward_b=-delta / 2, seen=[False] * len(ds))
        scored[f"judges {k}"] = with_columns(ds, **columns)
    rows = add_scaled(rows_that_count(scored, None, "human", False, False).rows)
    return dict(pairs=len(rows), table=tabulated(rows, agreement_measures(masks), args))


# -- LLMBar


STRATEGIES = ["Vanilla_NoRules", "Vanilla", "CoT", "Reference", "Metrics", "Metrics_Reference"]


def llmbar_votes(path):
    "Judge to (pairs, questions, orders): 1 right, 0 wrong, nan not readable; subset of each pair."
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    judges = sorted({vote["judge"] for line in lines for vote in line["votes"]})
    right = np.full((len(judges), len(lines), len(STRATEGIES), 2), np.nan)
    first = np.array([line["label"] == 1 for line in lines])
    for i, line in enumerate(lines):
        for vote in line["votes"]:
            if vote["strategy"] in STRATEGIES and vote["winner"] is not None:
                where = judges.index(vote["judge"]), i, STRATEGIES.index(vote["strategy"])
                right[(*where, int(vote["swapped"]))] = vote["winner"] == str(line["label"])
    natural = np.array([line["subset"] == "Natural" for line in lines])
    return judges, right, natural, first


def mean_of(values, axis):
    "Without what could not be read; nan where nothing could."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(values, axis)


def decided(share):
    "(pairs,): 1 right, 0 wrong, 1/2 even, of a share of right votes."
    side = np.where(np.isclose(share, 0.5), 0.5, share > 0.5)
    return np.where(np.isnan(share), np.nan, side)


def majority(right):
    "(pairs,): of all votes of a pair."
    return decided(mean_of(right.reshape(len(right), -1), 1))


def position_votes(right, first):
    "(pairs * questions, 2, 4): wins of A and B, ties, failures with A and with B first."
    for_a = np.where(first[:, None, None], right, 1 - right)
    known = ~np.isnan(for_a)
    votes = np.zeros((*for_a.shape, 4))
    votes[..., 0] = np.where(known, for_a, 0)
    votes[..., 1] = np.where(known, 1 - for_a, 0)
    votes[..., 3] = ~known
    return votes.reshape(-1, 2, 4)


def judge_facts(right, first):
    "Figures of one judge by pair, to be averaged over pairs."
    flips = np.abs(right[..., 0] - right[..., 1])
    corrected = correct_order(position_votes(right, first))
    with np.errstate(invalid="ignore"):
        shares = corrected[..., 0].sum(1) / corrected[..., :2].sum((1, 2))
    shares = np.where(np.repeat(first, right.shape[1]), shares, 1 - shares)
    return {
        "one vote": mean_of(right.reshape(len(right), -1), 1),
        "all votes": majority(right),
        "all votes, order corrected": decided(mean_of(shares.reshape(right.shape[:2]), 1)),
        "flips": mean_of(flips, 1),
    }


def mean_line(values, n_boot, **names):
    known = ~np.isnan(values)
    pairs = np.flatnonzero(known)
    ends = statistic_interval(lambda rows: values[pairs[rows]].mean(), pairs, n_boot)
    return dict(**names, **ends, n=int(known.sum()))


def llmbar_part(args):
    "Right by the label: single judges, juries, and after calibration."
    path = data_file("llmbar_judge_votes.jsonl").with_name("llmbar_judge_votes.jsonl")
    judges, right, natural, first = llmbar_votes(path)
    subsets = dict(all=natural | True, natural=natural, adversarial=~natural)
    lines = []
    for judge, of_judge in zip(judges, right):
        for fact, values in judge_facts(of_judge, first).items():
            for subset, mask in subsets.items():
                names = dict(judge=judge, fact=fact, subset=subset)
                lines.append(mean_line(values[mask], args.n_boot, **names))
        bias = position_bias(position_votes(of_judge, first))
        lines.append(dict(judge=judge, fact="log odds of the first position", value=float(bias)))
    lines += jury_lines(right, subsets, args)
    lines += label_calibration(judges, right, subsets, args)
    return dict(
        pairs=len(first), natural=int(natural.sum()), table=short_records(pd.DataFrame(lines))
    )


def jury_lines(right, subsets, args):
    "The mean over all juries of k judges, each with one question in both orders."
    of_question = mean_of(right[:, :, STRATEGIES.index("Vanilla")], 2)  # (judges, pairs)
    lines = []
    for k in (1, 2, 4, 6):
        juries = [list(jury) for jury in combinations(range(len(right)), k)]
        facts = {
            "both orders": [decided(mean_of(of_question[jury], 0)) for jury in juries],
            "all votes": [majority(right[jury].transpose(1, 0, 2, 3)) for jury in juries],
        }
        for fact, values in facts.items():
            of_pairs = mean_of(np.array(values), 0)
            for subset, mask in subsets.items():
                names = dict(judge=f"jury of {k}", fact=fact, subset=subset)
                lines.append(mean_line(of_pairs[mask], args.n_boot, **names))
    return lines


def labelled_pairs(right):
    "Comparisons without texts, whose judge's votes are those for the right side; people's: the label."
    votes = right.reshape(len(right), -1)
    for_right, against = np.nansum(votes, 1), np.nansum(1 - votes, 1)
    rows = [
        dict(prompt=f"pair {i}", response_a=f"right {i}", response_b=f"wrong {i}")
        for i in range(len(right))
    ]
    ds = to_comparisons(rows)
    is_a = np.array([text.startswith("right") for text in ds["response_a"]])
    return with_columns(
        ds,
        judge_a=np.where(is_a, for_right, against),
        judge_b=np.where(is_a, against, for_right),
        judge_tie=0 * for_right,
        human_a=is_a.astype(int),
        human_b=1 - is_a.astype(int),
        human_tie=0 * is_a.astype(int),
    ), is_a


def label_calibration(judges, right, subsets, args):
    "Log loss of the label, held out, by n labelled pairs."
    lines = []
    for judge, of_judge in zip(judges, right):
        ds, is_a = labelled_pairs(of_judge)
        judge_votes = votes_of(ds, "judge")
        raw = smoothed(vote_share(*judge_votes), judge_votes.a + judge_votes.b)
        logs = {"raw|0": LogChances(len(ds))}
        for split in range(args.splits):
            rng = np.random.default_rng([args.seed, split])
            order = rng.permutation(len(ds))
            test, others = order[: len(ds) // 2], order[len(ds) // 2 :]
            logs["raw|0"].add(test, raw[test])
            for n in (10, 25, 50, 100):
                share = calibrated_shares(
                    ds.select(test), "logistic", ds.select(others[:n]), folds=2
                )
                logs.setdefault(f"logistic|{n}", LogChances(len(ds))).add(test, share)
        for name, of_name in logs.items():
            loss = -np.where(is_a, *of_name.means.T)
            lines.append(
                mean_line(loss, args.n_boot, judge=judge, fact=f"log loss|{name}", subset="all")
            )
    return lines


PARTS = dict(
    agreement=agreement_part,
    alt_test=alt_test_part,
    calibration=calibration_part,
    rewards=rewards_part,
    likeness=likeness_part,
    llmbar=llmbar_part,
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, help="one part; all if not given")
    parser.add_argument("--limit", type=int, help="pairs of CoBBLEr; all, or 2,000 to train on")
    parser.add_argument("--n-boot", type=int, default=1000)
    parser.add_argument(
        "--splits", type=int, default=SPLITS, help="into rated and held-out prompts"
    )
    parser.add_argument("--max-steps", type=int, default=3000, help="of a probe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="also what has a line")
    parser.add_argument("--append", action="store_true", help=f"keep the lines in {RESULTS.name}")
    args = parser.parse_args()
    done = set() if args.again or not args.append else finished(RESULTS, "part")
    for name in [args.part] if args.part else PARTS:
        if name not in done:
            began = start()
            line = dict(benchmark="real_judges", part=name, n_boot=args.n_boot) | PARTS[name](args)
            keep(line | dict(seed=args.seed) | how_made(began), RESULTS, args.append)


if __name__ == "__main__":
    main()
