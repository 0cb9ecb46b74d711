"""How much a response's length should count in a probe's inputs: six data sets, probes cross-fitted by prompt.

python tests/benchmarks/probe_lengths.py --append

One line for each data set, factor of the logarithm and characters that are added to a length: Spearman's correlation of `bt` with
the share of people (of GPT-4 Turbo on AlpacaEval, of the annotator on HH-RLHF), and the log loss of votes by `crowd` where people tie.
A length of no factor is what `longer response` knows alone. Lines that are there are left out, so a stopped run goes on.
"""

import argparse
import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
from crowds import data_file
from result_lines import how_made, keep, start
from scipy.stats import spearmanr

from plurality_nb.data.build import number_column, with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.schema import OUTCOMES
from plurality_nb.rewards import probe_model
from plurality_nb.rewards.probe import cross_score
from plurality_nb.votes.shares import vote_share, votes_of

RESULTS = Path(__file__).resolve().parent / "results" / "probe_lengths.jsonl"
DATA = {  # whose votes
    "ukpconvarg1_votes": "human",
    "pandalm": "human",
    "cobbler_votes": "human",
    "wmt23_votes": "human",
    "alpaca_eval_gpt4_turbo_votes": "judge",
    "hh_harmless_base_test": None,  # labels alone
}
TIED = ["ukpconvarg1_votes", "pandalm", "wmt23_votes"]
SETTINGS = [(1, 1), (6, 1), *((scale, 30) for scale in (1, 3, 6, 12, 24))]  # factor, characters
PAIRS = 1500


def labelled_pairs(data, voters):
    "Pairs, with the favourite of most as the label, and the share that is to be predicted."
    ds = load_comparisons(str(data_file(data)), strict=False, progress=False)
    if len(ds) > PAIRS:
        ds = ds.select(np.sort(np.random.default_rng(0).permutation(len(ds))[:PAIRS]))
    if voters is None:
        return ds, number_column(ds, "label")
    share = vote_share(*votes_of(ds, voters))
    return with_columns(ds, label=np.sign(share - 0.5) / 2 + 0.5), share


def log_loss(scored):
    "Mean over votes, in nats."
    votes = np.stack(votes_of(scored), 1)
    predicted = np.stack([number_column(scored, f"prob_{name}") for name in OUTCOMES], 1)
    return -(votes * np.log(np.clip(predicted, 1e-6, 1))).sum() / votes.sum()


def measured(ds, share, data, scale, offset):
    with patch.multiple(probe_model, _LENGTH_SCALE=scale, _LENGTH_OFFSET=offset):
        scored = cross_score(ds, "bt", progress=False)
        found = dict(spearman=correlation(scored, share))
        if data in TIED:
            found["crowd_log_loss"] = log_loss(
                cross_score(ds, "crowd", votes="human", progress=False)
            )
    return {name: round(float(value), 4) for name, value in found.items()}


def correlation(scored, share):
    delta = number_column(scored, "reward_a") - number_column(scored, "reward_b")
    return spearmanr(delta, share).statistic


def done():
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {tuple(json.loads(line)[k] for k in ("data", "scale", "offset")) for line in lines}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--append", action="store_true", help=f"keep the lines in {RESULTS.name}")
    args = parser.parse_args()
    there = done() if args.append else set()
    for data, voters in DATA.items():
        wanted = [setting for setting in SETTINGS if (data, *setting) not in there]
        if not wanted:
            continue
        ds, share = labelled_pairs(data, voters)
        longer = np.log1p([len(text) for text in ds["response_a"][:]])
        longer -= np.log1p([len(text) for text in ds["response_b"][:]])
        known = dict(benchmark="probe_lengths", data=data, pairs=len(ds))
        known["length_alone"] = round(float(spearmanr(longer, share).statistic), 4)
        for scale, offset in wanted:
            began = start()
            line = known | dict(scale=scale, offset=offset)
            line |= measured(ds, share, data, scale, offset)
            keep(line | dict(seed=0) | how_made(began), RESULTS, args.append)


if __name__ == "__main__":
    main()
