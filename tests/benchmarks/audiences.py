"""Does a probe that knows a trait of the voters predict votes of new people better? On people, and where the truth is known.

python tests/benchmarks/audiences.py --data opposite --objective crowd --append

`audience_losses` trains a probe `by_trait` without a part of the people and a part of the prompts, and predicts their votes, once as the whole crowd's and
once as those of people with the voter's value; `audience_gains` has the means with intervals over prompts and people.

Simulated worlds, whose pairs and features are those of `simulated_comparisons`: 60 users in two camps, five of whom vote on each pair. In `opposite` the
camps are equal and each likes what the other dislikes, in `minority` a fifth likes what the others dislike, in `chance` the camps are as in `opposite`, but
the trait is dealt out at random, so that nothing can be gained and something could be lost. The line has the losses of the truth as well: of votes by the
shares of all users, and of the users of the voter's camp.

On people (`ukpconvarg1_votes`, `wmt23_votes`, `cobbler_votes`) ballots have no trait but the annotator; prompts alone are held out.

Prints a line of JSON, and with `--append` keeps it in results/audiences.jsonl: numbers alone, no texts.
"""

import argparse
import contextlib
import json
import os
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from result_lines import how_made, keep, start

from plurality_nb.data.build import with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.evaluation.by_trait import audience_gains
from plurality_nb.rewards.new_people import audience_losses
from plurality_nb.rewards.probe_model import ProbeInputs
from plurality_nb.simulation.population import opposite_camps, true_shares
from plurality_nb.simulation.trials import simulated_comparisons, trial_population
from plurality_nb.simulation.users import simulate_votes

RESULTS = Path(__file__).resolve().parent / "results" / "audiences.jsonl"
WORLDS = dict(opposite=0.5, minority=0.2, chance=0.5)  # to the weight of the second camp
PEOPLE, VOTERS = 60, 5
TASTES = tuple(0.7 * (-1) ** k for k in range(6))
DATA = ["ukpconvarg1_votes", "wmt23_votes", "cobbler_votes"]


def real(name, limit, seed):
    folder = Path(os.environ.get("PLURALITY_DATA", "../shared/data"))
    return load_comparisons(str(folder / f"{name}.jsonl.gz"), limit=limit, seed=seed)


def camps_of(world):
    return opposite_camps(WORLDS[world], mean=TASTES, spread=0.5)


def with_dealt_traits(ds, seed):
    "The same ballots, whose camps are dealt out at random among the people."
    names = sorted({ballot["annotator"] for ballots in ds["ballots"] for ballot in ballots})
    dealt = np.random.default_rng(seed).permutation(np.arange(len(names)) % 2)
    camp_of = {name: ["majority", "minority"][k] for name, k in zip(names, dealt, strict=True)}
    ballots = [
        [b | dict(traits=[dict(name="camp", value=camp_of[b["annotator"]])]) for b in of_pair]
        for of_pair in ds["ballots"]
    ]
    return with_columns(ds, ballots=ballots)


def simulated(world, limit, seed):
    crowd = trial_population(camps=camps_of(world))
    pairs = simulated_comparisons(limit // 2, 2, crowd, blur=0.05, seed=seed)
    voted = simulate_votes(pairs, crowd.panel(PEOPLE, seed), VOTERS, seed=seed + 1, ballots=True)
    return with_dealt_traits(voted, seed + 2) if world == "chance" else voted


def simulated_inputs(ds, encoder=None, progress=True):
    "What the probe reads instead of embeddings, of about their size, which its step size suits."
    plural = np.array(ds["plurality"][:], dtype=float)[:, None]
    features = (np.array(ds[f"features_{side}"][:]) for side in "ab")
    inputs = (3 * np.hstack([x, plural * x]) for x in features)
    return ProbeInputs(*(torch.from_numpy(x.astype(np.float32)) for x in inputs))


def true_losses(ds, losses, world):
    "Mean losses of the votes by the true shares of all users, and of those of the voter's camp."
    whole = trial_population(camps=camps_of(world))
    of_camps = {
        camp.name: trial_population(camps=(camp.__class__(camp.mean, 1.0, camp.spread, camp.name),))
        for camp in camps_of(world)
    }
    row_of = {pair_id: row for row, pair_id in enumerate(ds["pair_id"])}
    row = losses.pair_id.map(row_of).to_numpy()
    outcome = losses.vote.map(dict(a=0, b=1, tie=2)).to_numpy()
    shares = {name: true_shares(ds, crowd) for name, crowd in of_camps.items()}
    own = np.array([shares[v][r, o] for v, r, o in zip(losses.value, row, outcome, strict=True)])
    return dict(
        whole=round(float(-np.log(true_shares(ds, whole)[row, outcome]).mean()), 4),
        own=round(float(-np.log(own).mean()), 4),
    )


def reading(world):
    if world not in WORLDS:
        return contextlib.nullcontext()
    stack = contextlib.ExitStack()
    for module in ("probe", "new_people"):
        stack.enter_context(patch(f"plurality_nb.rewards.{module}.probe_inputs", simulated_inputs))
    return stack


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=[*WORLDS, *DATA], required=True)
    parser.add_argument("--objective", default="crowd")
    parser.add_argument("--limit", type=int, default=2000, help="pairs")
    parser.add_argument("--folds", type=int, default=5, help="of the prompts")
    parser.add_argument("--n-boot", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--append", action="store_true", help=f"keep the line in {RESULTS.name}")
    args = parser.parse_args()
    began, is_simulated = start(), args.data in WORLDS
    make = partial(simulated if is_simulated else real, args.data)
    ds, trait = make(args.limit, args.seed), "camp" if is_simulated else "annotator"
    with reading(args.data):
        losses = audience_losses(
            ds, trait, args.objective, folds=args.folds, seed=args.seed, progress=False
        )
    table = audience_gains(losses, args.n_boot, args.seed)
    known = is_simulated and args.data != "chance" and args.objective == "crowd"
    shown = table[table.group_of_people.isin(["overall", "worst", "majority", "minority"])]
    line = dict(
        benchmark="audiences",
        data=args.data,
        trait=trait,
        objective=args.objective,
        pairs=len(ds),
        prompts=len(set(ds["group"])),
        people=int(losses.annotator.nunique()),
        votes=len(losses),
        truth=true_losses(ds, losses, args.data) if known else None,
        table=json.loads(shown.round(4).to_json(orient="records")),
        seed=args.seed,
    )
    keep(line | how_made(began), RESULTS, args.append)


if __name__ == "__main__":
    main()
