"""How far do real people lean, all pairs alike? Panels whose ballots name annotators.

PLURALITY_DATA=../shared/data python tests/benchmarks/statistics/leaning.py --code after --append

The votes of a person, 1/2 for the side that a direction points to, -1/2 for the other, less the mean of all votes on the pair,
are averaged over the person's pairs. What these averages vary over persons beyond what the person's prompts explain
(clustered by prompt) is the leaning's variance; over that of one vote within a pair it is what
`plurality_nb.evaluation.people.LEANING` assumes. Directions: to the longer response, to the majority of the others, to A.
People with fewer than five prompts are left out. Intervals are those of a variance of as many people.
"""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import chi2
from study_lines import Study, parser

from plurality_nb.evaluation.people import LEANING

PANELS = ["ukpconvarg1", "cobbler", "wmt23"]
VALUE = dict(a=0.5, b=-0.5, tie=0.0)
LEAST_PROMPTS = 5


def read_votes(path):
    "One row a vote: pair, prompt, person, value, direction of length."
    with gzip.open(path, "rt") as file:
        pairs = [json.loads(line) for line in file]
    votes = [
        (
            number,
            json.dumps(pair["prompt"]),
            ballot["annotator"],
            VALUE[ballot["vote"]],
            np.sign(len(pair["response_a"]) - len(pair["response_b"])),
        )
        for number, pair in enumerate(pairs)
        for ballot in pair["ballots"]
    ]
    table = pd.DataFrame(votes, columns=["pair", "prompt", "person", "value", "length"])
    of_pair = table.groupby("pair").value
    table["votes"], table["mean"] = of_pair.transform("size"), of_pair.transform("mean")
    table = table[table.votes > 1]
    table["others"] = np.sign((table["mean"] * table.votes - table.value).round(9))
    return table


def spread_of_people(table, direction):
    "Variance of leaning, its noise, and how many people it rests on."
    votes = table[table[direction] != 0] if direction != "a" else table
    sign = votes[direction] if direction != "a" else 1
    votes = votes.assign(apart=sign * (votes.value - votes["mean"]))
    person, names = pd.factorize(votes.person)
    pair = pd.factorize(votes.pair)[0]
    sums = votes.groupby([person, "prompt"]).apart.sum()
    counts = np.bincount(person)
    prompts = sums.groupby(level=0).size().to_numpy()
    mean = np.bincount(person, votes.apart) / counts
    sizes = votes.groupby([person, "prompt"]).size()
    who = sums.index.get_level_values(0)
    squares = (sums - sizes * mean[who]) ** 2
    noise = squares.groupby(level=0).sum().to_numpy() / counts**2
    noise = noise * prompts / np.maximum(prompts - 1, 1)
    # Mean of a person is a sum of leanings: own, less those of who voted on the same pairs.
    signs = np.ones(len(votes)) * sign
    cast = csr_matrix((signs, (person, pair)))
    share = csr_matrix((signs / votes.votes.to_numpy(), (person, pair)))
    weights = (share @ cast.T).toarray() / counts[:, None]
    weights = np.eye(len(names)) - weights
    kept = prompts >= LEAST_PROMPTS
    weight = counts * kept
    centred = mean - np.average(mean, weights=weight)
    weights = weights - np.average(weights, axis=0, weights=weight)
    of_leaning = np.average((weights**2).sum(1), weights=weight)
    total = np.average(centred**2, weights=weight) / of_leaning
    chance = np.average(noise, weights=weight) / of_leaning
    people = weight.sum() ** 2 / (weight**2).sum()
    return total, chance, people, int(kept.sum())


def vote_variance(table):
    "Mean variance of one vote within a pair, as `panel_ratio` has it."
    return table.groupby("pair").value.var(ddof=1).mean()


def main():
    arguments = parser(__doc__).parse_args()
    study = Study("leaning of real people", arguments)
    folder = Path(os.environ.get("PLURALITY_DATA", "../shared/data"))
    for panel in PANELS:
        table = read_votes(folder / f"{panel}_votes.jsonl.gz")
        within = vote_variance(table)
        for direction in ("length", "others", "a"):
            total, chance, people, kept = spread_of_people(table, direction)
            ends = total * (people - 1) / chi2.ppf([0.975, 0.025], people - 1)
            low, high = np.maximum(ends - chance, 0) / within
            words = dict(length="the longer response", others="the others' majority", a="A")
            setting = f"{panel}, {kept} people, to {words[direction]}"
            figure = "part of a vote's variance that is leaning"
            study.write(setting, figure, (total - chance) / within, str(LEANING), 1, (low, high))


if __name__ == "__main__":
    main()
