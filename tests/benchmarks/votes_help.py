"""Do votes help a reward model, on real people? One person's vote is the label, others' are the votes, people's shares on other topics the test.

python tests/benchmarks/votes_help.py --data ukp --features minilm --append

The page nbs/experiments/votes_help.ipynb reads what is kept. For each size of training data a line of JSON: levels of every method, differences between them, and what was chosen. A draw is a partition of the groups
(topics, or prompts) into four folds, a person for each pair, whose vote is the label, and a sample of the training groups' pairs; each fold is tested once in
each draw, by models of the other three. Pairs whose drawn person calls a tie are not trained on by any method. Setting and step are chosen by
cross-validation among the training pairs, by the log loss of their single labels; so are temperatures. Draws are kept in the cache: a run goes on where it
stopped.

Intervals: a jackknife over groups (t with as many degrees of freedom as groups less one), plus what people add (`people_spreads`), plus the variance over
draws; differences are paired by pair and draw. `splits` has the corrected resampled t interval over test folds (Nadeau and Bengio 2003), which makes room
for other training groups.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from result_lines import how_made, keep, start
from votes_help_features import read_inputs
from votes_help_intervals import (
    MEASURES,
    Scored,
    bootstrapped,
    estimates,
    fold_spearmans,
    group_spearmans,
    paired,
    split_interval,
)
from votes_help_training import METHODS, WITH_TIES, Pairs, best_slopes, fit_all

from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.outputs import cache_folder
from plurality_nb.evaluation.ceilings import FITTED, fit_votes, mixture_ceilings
from plurality_nb.evaluation.crowds import division_label, known_aurocs
from plurality_nb.evaluation.people import NamedVotes, named_votes
from plurality_nb.models.tokens import prompt_text
from plurality_nb.votes.shares import votes_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "votes_help.jsonl"
FILES = dict(
    ukp="ukpconvarg1_votes.jsonl.gz",
    cobbler="cobbler_votes.jsonl.gz",
    wmt23="wmt23_votes.jsonl.gz",
)
FEATURES = ["minilm", "minilm_length", "smollm2", "smollm2_length"]  # with length so that it counts
TEST_FOLDS = 4
TRAINING_VERSION = 1  # to be raised when what is trained changes: draws are kept
# Training pairs (None: all) to draws, and to those of them with `crowd`, which takes longest.
SIZES = {100: (8, 0), 300: (8, 8), 1000: (12, 12), 3000: (4, 2), None: (2, 0)}
PRIMARY_SIZE = 1000
A, B, TIE = range(3)


@dataclass
class Study:
    "Pairs, people's votes on them, and what a probe reads of the responses."

    inputs: np.ndarray  # (responses, dim) float32
    a: np.ndarray  # (pairs,): number of the response
    b: np.ndarray  # (pairs,)
    lengths: np.ndarray  # (responses,): characters
    groups: np.ndarray  # (pairs,): 0, 1, ...; held out together
    counts: np.ndarray  # (pairs, 3): people's votes for A, B, tie
    judges: np.ndarray  # (pairs, 3): judges' votes, nan where there are none
    votes: NamedVotes

    @property
    def lead(self) -> np.ndarray:
        return (self.counts[:, A] - self.counts[:, B]) / self.counts.sum(1) / 2


def topics(prompts: list[str], data: str) -> np.ndarray:
    "(pairs,): both sides of a debate have one topic, which is the prompt's first line."
    names = [text.split("\n")[0] for text in prompts] if data == "ukp" else prompts
    return np.unique(names, return_inverse=True)[1]


def data_file(data: str) -> Path:
    return Path(os.environ.get("PLURALITY_DATA", "../shared/data")) / FILES[data]


def read_study(data: str, features: str, limit: int | None = None) -> Study:
    ds = load_comparisons(str(data_file(data)), limit=limit)
    prompts = [prompt_text(prompt) for prompt in ds["prompt"]]
    inputs_a, inputs_b = read_inputs(ds, features)
    texts = [*zip(prompts, ds["response_a"][:]), *zip(prompts, ds["response_b"][:])]
    numbers: dict[tuple[str, str], int] = {}
    response = np.array([numbers.setdefault(text, len(numbers)) for text in texts])
    inputs = np.zeros((len(numbers), inputs_a.shape[1]), np.float32)
    inputs[response] = np.concatenate([inputs_a, inputs_b])
    ballots = [[(x["annotator"], x["vote"]) for x in cast or []] for cast in ds["ballots"][:]]
    return Study(
        inputs,
        response[: len(ds)],
        response[len(ds) :],
        np.array([len(text) for _, text in numbers]),
        topics(prompts, data),
        np.stack(votes_of(ds, "human"), 1).astype(float),
        np.stack(votes_of(ds, "judge"), 1).astype(float),
        named_votes(ballots),
    )


class Draw:
    "A partition of the groups, and one person's vote on each pair."

    def __init__(self, study: Study, voters: str, seed: int):
        rng = np.random.default_rng([21, seed])
        groups = study.groups.max() + 1
        self.seed, self.study = seed, study
        self.fold = (rng.permutation(groups) % TEST_FOLDS)[study.groups]
        order = rng.permutation(len(study.votes.pair))
        first = np.full(len(study.a), -1)
        first[study.votes.pair[order]] = order
        self.label = study.votes.outcome[first]
        self.others = study.judges
        if voters == "people":
            self.others = study.counts.copy()
            self.others[np.arange(len(first)), self.label] -= 1
        self.order = rng.permutation(len(first))

    def rows(self, fold: int, size: int | None) -> np.ndarray:
        "So many pairs of the other folds; those of a smaller size are among those of a larger."
        usable = (self.fold != fold) & (self.label != TIE) & (self.others.sum(1) > 0)
        return np.sort(self.order[usable[self.order]][:size])

    def training(self, fold: int, size: int | None) -> Pairs:
        "What is learned from when a fold is held out."
        rows = self.rows(fold, size)
        is_a = self.label[rows] == A
        chosen = np.where(is_a, self.study.a[rows], self.study.b[rows])
        rejected = np.where(is_a, self.study.b[rows], self.study.a[rows])
        votes = np.where(is_a[:, None], self.others[rows], self.others[rows][:, [B, A, TIE]])
        used, number = np.unique(np.r_[chosen, rejected], return_inverse=True)
        halves = number[: len(rows)], number[len(rows) :]
        return Pairs(self.study.inputs[used], *halves, votes, self.study.groups[rows])


def run_draw(
    draw: Draw, size: int | None, methods: Sequence[str] = METHODS
) -> dict[str, np.ndarray]:
    "What models of the other folds say of each pair."
    study, n = draw.study, len(draw.study.a)
    delta, closeness = np.zeros((2, len(methods), n), np.float32)
    choices = np.zeros((TEST_FOLDS, len(methods), 4))
    trained = []
    for fold in range(TEST_FOLDS):
        pairs = draw.training(fold, size)
        test = np.flatnonzero(draw.fold == fold)
        used, number = np.unique(np.r_[study.a[test], study.b[test]], return_inverse=True)
        ends = number[: len(test)], number[len(test) :]
        said = fit_all(pairs, (study.inputs[used], *ends), draw.seed, methods)
        delta[:, test], closeness[:, test] = said.delta, said.closeness
        choices[fold] = [said.tuned[method] for method in methods]
        trained.append(len(pairs.chosen))
    return dict(
        delta=delta, closeness=closeness, choices=choices, fold=draw.fold, trained=np.array(trained)
    )


def draw_path(args: argparse.Namespace, size: int | None, seed: int) -> Path:
    "Where a draw is kept."
    folder = (cache_folder() or Path("/tmp")) / "votes_help" / f"version-{TRAINING_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{args.data}-{args.features}-{args.votes}-{size or 'all'}-{seed}.npz"


def draws_of(study: Study, args: argparse.Namespace, size: int | None) -> Iterator[dict]:
    "The draws of a size, computed or as they were kept; `crowd` is in the first ones alone."
    draws, with_crowd = SIZES[size]
    if args.draws is not None:
        draws, with_crowd = args.draws, args.crowd_draws
    for seed in range(draws):
        path = draw_path(args, size, seed)
        if not path.exists():
            start = time.process_time()
            methods = METHODS if seed < with_crowd else METHODS[:-1]
            if args.without_ties:
                methods = [method for method in methods if method not in WITH_TIES]
            draw = run_draw(Draw(study, args.votes, seed), size, methods)
            seconds = time.process_time() - start
            unfinished = path.with_suffix(".unfinished.npz")
            np.savez(unfinished, seconds=seconds, **draw)
            unfinished.rename(path)
            print(f"{path.stem}: {seconds:.0f} s", file=sys.stderr, flush=True)
        yield dict(np.load(path))


def contrasts_of(methods: list[str]) -> list[tuple[str, str]]:
    "Each method against tuned `bt`, and against what knows as much but the votes."
    others = [(method, "bt") for method in methods if method != "bt"]
    controls = [
        ("margin", "permuted margins"),
        ("margin", "constant margin"),
        ("signed margin", "permuted signed"),
        ("signed margin", "margin"),
        ("signed margin", "votes"),
        ("votes", "smoothing"),
        ("posterior", "smoothing"),
        ("ties", "votes"),
        ("crowd", "votes"),
        ("bt", "longer response"),
        ("bt", "random"),
    ]
    return [*others, *(pair for pair in controls if pair[0] in methods)]


def trivial_models(study: Study, draws: int) -> dict[str, Scored]:
    "The longer response at its best temperature, and chance."
    longer = np.log(study.lengths[study.a] / study.lengths[study.b])
    sign = np.where(study.lead < 0, -1, 1)
    slope = best_slopes((sign * longer)[study.lead != 0][:, None])[0]
    longer = np.tile(longer * slope, (draws, 1))
    random = 1e-6 * np.random.default_rng(0).normal(size=(draws, len(study.a)))
    return {
        "longer response": Scored(longer, -np.abs(longer)),
        "random": Scored(random, -np.abs(random)),
    }


def scored_models(draws: list[dict], name: str = "{}") -> dict[str, Scored]:
    "Method to its answers, of the draws that have it: all, or the first."
    models = {}
    for k, method in enumerate(METHODS):
        having = [draw for draw in draws if len(draw["delta"]) > k]
        if having:
            stack = [np.stack([draw[key][k] for draw in having]) for key in ("delta", "closeness")]
            models[name.format(method)] = Scored(*stack)
    return models


def rounded(numbers, digits: int = 5) -> list[float]:
    return [float(f"{number:.{digits}g}") for number in numbers]


def packed(found: dict, names: list[str]) -> dict[str, dict[str, list[float]]]:
    "Name to measure to value, low, high, p, error, degrees of freedom."
    table = {}
    for name in names:
        of_measures = {}
        for measure in MEASURES:
            e = found[name, measure]
            of_measures[measure] = rounded(
                [e.value, e.low, e.high, e.p, e.spread.error, e.spread.freedom], 4
            )
        table[name] = of_measures
    return table


def choices_of(draws: list[dict]) -> dict[str, dict]:
    "How often each setting was chosen, the median of the steps, how often nothing was learned."
    table = {}
    for k, method in enumerate(METHODS):
        having = [draw["choices"][:, k] for draw in draws if len(draw["delta"]) > k]
        if having:
            setting, steps = np.concatenate(having)[:, :2].T
            table[method] = dict(
                settings=np.bincount(setting.astype(int), minlength=4).tolist(),
                steps=float(np.median(steps)),
                nothing=round(float(np.mean(steps == 0)), 3),
            )
    return table


def size_line(study: Study, draws: list[dict], size: int | None) -> dict:
    "All that is kept of one size of training data."
    models = scored_models(draws)
    every = models | trivial_models(study, len(draws))
    contrasts = contrasts_of(list(models))
    found = estimates(every, study.counts, study.groups, study.votes, contrasts)
    names = [f"{one} - {other}" for one, other in contrasts]
    folds = np.stack([draw["fold"] for draw in draws])
    of_folds = {m: fold_spearmans(scored, study.lead, folds) for m, scored in models.items()}
    test_share, groups = 1 / (TEST_FOLDS - 1), int(study.groups.max() + 1)
    splits = {
        f"{one} - {other}": rounded(
            split_interval(paired(of_folds, one, other), test_share, groups), 4
        )
        for one, other in contrasts
        if one in of_folds and other in of_folds
    }
    primary = found["signed margin - bt", "spearman"].spread
    bootstrap = None  # of the primary comparison alone
    if size == PRIMARY_SIZE:
        one, other = models["signed margin"], models["bt"]
        bootstrap = rounded(bootstrapped(one, other, study.lead, study.groups), 4)
    return dict(
        kind="size",
        pairs=size,
        trained=round(float(np.mean([draw["trained"] for draw in draws]))),
        draws=len(draws),
        levels=packed(found, list(every)),
        differences=packed(found, names),
        splits=splits,
        primary_variances=rounded(primary[:3]),
        bootstrap=bootstrap,
        by_group={
            m: rounded(group_spearmans(x, study.lead, study.groups), 4) for m, x in every.items()
        },
        by_draw={m: rounded(of_draw, 4) for m, of_draw in draw_spearmans(models, study).items()},
        choices=choices_of(draws),
        training_seconds=round(sum(float(draw["seconds"]) for draw in draws)),
    )


def draw_spearmans(models: dict[str, Scored], study: Study) -> dict[str, np.ndarray]:
    one_fold = np.zeros_like(models["bt"].delta, dtype=int)
    return {m: fold_spearmans(scored, study.lead, one_fold) for m, scored in models.items()}


def data_line(study: Study) -> dict:
    "What is measured against, and what a model that knows the true shares would reach."
    n, people = study.counts.sum(1), np.unique(study.votes.person)
    mixture = fit_votes(*study.counts.T)
    ceilings = dict(zip(FITTED, mixture_ceilings(mixture, n)))
    ceilings["divided_auroc"] = known_aurocs(mixture, n)[0]
    divided = division_label(study.counts[:, A], study.counts[:, B])
    return dict(
        kind="data",
        responses=len(study.inputs),
        people=len(people),
        votes_of_most_active=int(np.bincount(study.votes.person).max()),
        ballots=int(n.sum()),
        tie_rate=round(float(study.counts[:, TIE].sum() / n.sum()), 4),
        divided=int((divided == 1).sum()),
        agreed=int((divided == 0).sum()),
        ceilings={measure: rounded([ceilings[measure]], 4)[0] for measure in MEASURES},
    )


def sizes_line(study: Study, draws: dict[int | None, list[dict]]) -> dict:
    "Differences between sizes of training data, on the draws that both have."
    order = sorted(draws, key=lambda size: size or np.inf)
    methods = ["bt", "signed margin", "votes"]
    contrasts: dict[str, dict] = {}
    for small, large in pairwise(order):
        shared = min(len(draws[small]), len(draws[large]))
        models = {}
        for size in (small, large):
            every = scored_models(draws[size][:shared], "{} " + str(size or "all"))
            models |= {name: x for name, x in every.items() if name.rsplit(" ", 1)[0] in methods}
        base = f"bt {large or 'all'}"
        pairs = [(base, f"bt {small}"), *((f"{m} {small}", base) for m in methods[1:])]
        found = estimates(models, study.counts, study.groups, study.votes, pairs)
        contrasts |= packed(found, [f"{one} - {other}" for one, other in pairs])
    return dict(kind="sizes", differences=contrasts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=list(FILES), default="ukp")
    parser.add_argument("--features", choices=FEATURES, default="minilm")
    parser.add_argument("--votes", choices=["people", "judges"], default="people")
    parser.add_argument(
        "--sizes", help="training pairs, such as 100,1000,all; all sizes if not given"
    )
    parser.add_argument("--lines", default="data,size,sizes", help="kinds of lines to write")
    parser.add_argument("--draws", type=int, help="of each size; else as in SIZES")
    parser.add_argument("--crowd-draws", type=int, default=0, help="of them, with `crowd`")
    parser.add_argument("--without-ties", action="store_true", help="no `ties`, no `crowd`")
    parser.add_argument("--append", action="store_true", help=f"keep lines in {RESULTS.name}")
    args = parser.parse_args()
    sizes = list(SIZES)
    if args.sizes:
        sizes = [None if name == "all" else int(name) for name in args.sizes.split(",")]
    study = read_study(args.data, args.features)
    known = dict(benchmark="votes_help", data=args.data, features=args.features, votes=args.votes)
    known |= dict(test_pairs=len(study.a), groups=int(study.groups.max() + 1), seed=0)
    kinds = args.lines.split(",")
    began = start()
    if "data" in kinds:
        keep(known | data_line(study) | how_made(began), RESULTS, args.append)
    if kinds == ["data"]:
        return
    draws = {}
    for size in sizes:
        began = start()
        draws[size] = list(draws_of(study, args, size))
        if "size" in kinds:
            line = size_line(study, draws[size], size)
            keep(known | line | how_made(began), RESULTS, args.append)
    began = start()
    if "sizes" in kinds and len(draws) > 1:
        keep(known | sizes_line(study, draws) | how_made(began), RESULTS, args.append)


if __name__ == "__main__":
    main()
