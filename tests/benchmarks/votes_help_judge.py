"""Votes of SmolLM2 instead of people's, raw and calibrated, on pairs that all draws share (for votes_help.py).

python tests/benchmarks/votes_help_judge.py --ask              # keeps the answers, and goes on where it stopped
python tests/benchmarks/votes_help_judge.py --sizes 300 --append

The judge is asked once about a fixed set of pairs, in both orders; draws take their training pairs from this set. The label is one person's vote, drawn, as in
votes_help.py. Calibration: the order's advantage is removed (`correct_order`), then people's shares are learned from rated pairs of the set that are neither
trained on nor of a topic that is tested. People's votes at the same pairs are the comparison.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from datasets import Dataset
from result_lines import how_made, keep, start
from votes_help import (
    RESULTS,
    Draw,
    Study,
    data_file,
    draw_path,
    packed,
    read_study,
    rounded,
    run_draw,
    topics,
)
from votes_help_intervals import Scored, estimates, spearman_interval
from votes_help_training import SCALAR, Pairs

from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.outputs import cache_folder
from plurality_nb.judges.collect import add_votes, ask_both_orders
from plurality_nb.judges.registry import load_judge
from plurality_nb.models.tokens import prompt_text
from plurality_nb.votes.bias import correct_order, position_bias
from plurality_nb.votes.calibration import calibrated_shares

JUDGE = "local:smollm2"
FEATURES = "minilm_length"  # of the reward models
ASKED = 600  # pairs, as many of each group, or nearly
AT_ONCE = 48  # pairs between two reports
N_VOTES = 10
RATED = 50  # pairs that calibration learns from
VOTERS = ["people", "smollm2", "smollm2 calibrated"]
SHOWN = ["margin", "signed margin", "votes", "posterior", "permuted signed"]


def asked_rows(groups: np.ndarray, number: int = ASKED) -> np.ndarray:
    "Rows that the judge is asked about, the groups in turn: each beginning is balanced too."
    rng = np.random.default_rng(2106)
    order = rng.permutation(len(groups))
    turn = np.zeros(len(groups), int)
    for group in np.unique(groups):
        rows = order[groups[order] == group]
        turn[rows] = np.arange(len(rows))
    return order[np.argsort(turn[order], kind="stable")][:number]


def answer_store() -> Path:
    "The file of the judge's answers."
    folder = (cache_folder() or Path("/tmp")) / "votes_help"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "smollm2_answers.sqlite"


def judge_votes(ds: Dataset, number: int) -> np.ndarray:
    "(number, 2, 4): votes on the first rows, for A, B, tie and failures, A first and B first."
    judge = load_judge(JUDGE)
    votes = []
    for first in range(0, number, AT_ONCE):
        clock = time.process_time()
        part = ds.select(range(first, min(first + AT_ONCE, number)))
        asked = ask_both_orders(part, judge, N_VOTES, store=answer_store(), progress=False)
        votes.append(asked.votes)
        new, seconds = asked.account["asked"], time.process_time() - clock
        if new:
            text = f"{first + len(part)} of {number} pairs: {new} answers, {seconds:.0f} s"
            print(text, file=sys.stderr, flush=True)
    return np.concatenate(votes)


class Judged:
    "A judge's votes on the pairs that it was asked about, and what calibration makes of them."

    def __init__(self, study: Study, ds: Dataset, rows: np.ndarray, votes: np.ndarray):
        # ds: the comparisons of `rows`; votes: (rows, 2, 4)
        answered = (votes[:, :, :2].sum(2) > 0).all(1)
        self.rows, self.votes = rows[answered], votes[answered]
        self.corrected = correct_order(self.votes)
        kept = ds.select(np.flatnonzero(answered))
        self.comparisons = add_votes(kept, self.corrected)
        self.raw = self.filled(self.votes[:, :, :3].sum(1), len(study.a))

    def filled(self, counts: np.ndarray, pairs: int) -> np.ndarray:
        "(pairs, 3): votes; nan where the judge was not asked."
        every = np.full((pairs, 3), np.nan)
        every[self.rows] = counts
        return every

    def share(self) -> np.ndarray:
        "(rows,): of A, the mean of both orders."
        return self.raw[self.rows, 0] / self.raw[self.rows, :2].sum(1)

    def calibrated(self, rated: np.ndarray) -> np.ndarray:
        "(pairs, 3), learned from people's votes on the rated pairs, by number."
        known = self.comparisons.select(np.flatnonzero(np.isin(self.rows, rated)))
        share = calibrated_shares(self.comparisons, rated=known)
        counts = N_VOTES * np.stack([share, 1 - share, np.zeros(len(share))], 1)
        return self.filled(counts, len(self.raw))


class JudgedDraw(Draw):
    "Takes its pairs from those that the judge was asked about, whoever votes."

    def __init__(self, study: Study, voters: str, seed: int, judged: Judged):
        super().__init__(study, "people", seed)
        self.voters, self.judged = voters, judged
        is_asked = ~np.isnan(judged.raw[:, 0])
        people = np.where(is_asked[:, None], self.others, np.nan)
        self.others = people if voters == "people" else judged.raw

    def rated(self, fold: int, size: int) -> np.ndarray:
        "Pairs to calibrate by: asked about, neither tested nor trained on."
        usable = (self.fold != fold) & ~np.isnan(self.judged.raw[:, 0])
        usable[self.rows(fold, size)] = False
        return self.order[usable[self.order]][:RATED]

    def training(self, fold: int, size: int | None) -> Pairs:
        if self.voters == "smollm2 calibrated":
            self.others = self.judged.calibrated(self.rated(fold, size))
        return super().training(fold, size)


def known_of_people(study: Study, judged: Judged) -> dict:
    "What the judge's mean of both orders knows of people's shares, and what its order costs."
    rows, lead = judged.rows, study.lead[judged.rows]
    share = judged.share()
    longer = np.log(study.lengths[study.a[rows]] / study.lengths[study.b[rows]])
    first = judged.votes[:, [0, 1], [0, 1]] / judged.votes[:, :, :2].sum(2)  # P(the first)
    said = dict(judge=share - 0.5, length=longer)
    codes = study.groups[rows]
    found = {name: spearman_interval(x, lead, codes) for name, x in said.items()}
    found["judge - length"] = spearman_interval(said["judge"], lead, codes, longer)
    return dict(
        asked=len(rows),
        spearman={name: rounded(values, 4) for name, values in found.items()},
        names_first=round(float((first > 0.5).mean()), 4),
        share_of_first=round(float(first.mean()), 4),
        flips=round(float(((first > 0.5).sum(1) != 1).mean()), 4),
        spread=round(float(share.std()), 4),
        position_bias=round(float(position_bias(judged.votes)), 3),
    )


def models_of(study: Study, judged: Judged, size: int, draws: int) -> tuple[dict, dict, int]:
    "Answers of `bt` and of every method by each kind of votes, `bt`'s choices, pairs trained on."
    models: dict[str, Scored] = {}
    seconds, trained = 0.0, 0
    for voters in VOTERS:
        kept = []
        for seed in range(draws):
            asked = f"{voters.replace(' ', '_')}@{len(judged.rows)}"
            made_of = argparse.Namespace(data="ukp", features=FEATURES, votes=asked)
            path = draw_path(made_of, size, seed)
            if not path.exists():
                clock = time.process_time()
                draw = run_draw(JudgedDraw(study, voters, seed, judged), size, SCALAR)
                np.savez(path, seconds=time.process_time() - clock, **draw)
            kept.append(dict(np.load(path)))
        seconds += sum(float(draw["seconds"]) for draw in kept)
        trained = round(float(np.mean([draw["trained"] for draw in kept])))
        for method in SHOWN if models else ["bt", *SHOWN]:
            k = SCALAR.index(method)
            stack = [np.stack([draw[key][k] for draw in kept]) for key in ("delta", "closeness")]
            name = method if method == "bt" else f"{method}, {voters}"
            models[name] = Scored(*stack)
    return models, dict(training_seconds=round(seconds)), trained


def judge_line(study: Study, judged: Judged, size: int, draws: int) -> dict:
    "All that is kept of one size."
    models, cost, trained = models_of(study, judged, size, draws)
    contrasts = [(name, "bt") for name in models if name != "bt"]
    for method in SHOWN[:-1]:
        contrasts += [(f"{method}, {voters}", f"{method}, people") for voters in VOTERS[1:]]
    for voters in VOTERS:
        contrasts.append((f"signed margin, {voters}", f"permuted signed, {voters}"))
    contrasts.append(("votes, smollm2 calibrated", "votes, smollm2"))
    found = estimates(models, study.counts, study.groups, study.votes, contrasts)
    return dict(
        kind="judge",
        pairs=size,
        trained=trained,
        rated=RATED,
        draws=draws,
        judge=known_of_people(study, judged),
        levels=packed(found, list(models)),
        differences=packed(found, [f"{one} - {other}" for one, other in contrasts]),
        **cost,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ask", action="store_true", help="ask, and no more")
    parser.add_argument("--asked", type=int, default=ASKED, help="pairs, the first of the set")
    parser.add_argument("--sizes", default="300", help="training pairs, such as 100,300")
    parser.add_argument("--draws", type=int, default=8, help="0: what the judge knows alone")
    parser.add_argument("--append", action="store_true", help="keep the lines with the results")
    args = parser.parse_args()
    began = start()
    ds = load_comparisons(str(data_file("ukp")))
    prompts = [prompt_text(prompt) for prompt in ds["prompt"]]
    rows = asked_rows(topics(prompts, "ukp"), args.asked)
    votes = judge_votes(ds.select(rows), len(rows))
    if args.ask:
        return
    study = read_study("ukp", FEATURES if args.draws else "none")
    judged = Judged(study, ds.select(rows), rows, votes)
    known = dict(benchmark="votes_help", data="ukp", features=FEATURES, votes="smollm2")
    known |= dict(test_pairs=len(study.a), groups=int(study.groups.max() + 1), seed=0)
    if not args.draws:
        line = dict(kind="judge known", judge=known_of_people(study, judged))
        keep(known | line | how_made(began), RESULTS, args.append)
        return
    for size in map(int, args.sizes.split(",")):
        line = judge_line(study, judged, size, args.draws)
        keep(known | line | how_made(began), RESULTS, args.append)
        began = start()


if __name__ == "__main__":
    main()
