"""Do intervals cover the truth where a few people cast all votes?

python tests/benchmarks/statistics/people.py --code after [--prompts 164] [--panels 3 10 100 0]

Prompts have three pairs of three votes. A vote is for the response of which the voter thinks more:
the quality of its pair and prompt, the voter's liking for length times the difference in length,
and noise. Voters differ in their liking and in how often they see a tie. A panel's members vote on
all pairs alike; panel 0 is a new voter for each vote. Two models follow quality and length.
The truth is the statistic on 100,000 prompts with a new voter for each vote.
"""

import numpy as np
import pandas as pd
from study_lines import Study, parser

from plurality_nb.evaluation.bootstrap import Measure, mean_measure
from plurality_nb.evaluation.correlation import spearman
from plurality_nb.evaluation.scores import accuracy, log_loss
from plurality_nb.evaluation.tables import PairRows, tabulate
from plurality_nb.votes.shares import Votes

VOTES = ["a", "b", "tie"]


def simulate(prompts, panel, rng, leaning):
    "Rows as from `rows_that_count`, with ballots."
    group = np.repeat(np.arange(prompts), 3)
    pairs = len(group)
    quality = 0.5 * rng.normal(size=prompts)[group] + 0.8 * rng.normal(size=pairs)
    length = rng.normal(size=pairs)
    if panel == 0:
        voter = np.arange(3 * pairs).reshape(pairs, 3)
    else:
        voter = np.argsort(rng.random((pairs, panel)), axis=1)[:, :3]
    liking = 0.3 + leaning * rng.normal(size=voter.max() + 1)
    tied = 0.3 * np.exp(0.3 * rng.normal(size=len(liking)))
    noise = 0.8 * rng.logistic(size=(pairs, 3))
    wanted = quality[:, None] + liking[voter] * length[:, None] + noise
    outcome = np.where(np.abs(wanted) < tied[voter], 2, np.where(wanted > 0, 0, 1))
    a, b, tie = ((outcome == k).sum(1).astype(float) for k in range(3))
    ballots = [tuple((str(v), VOTES[o]) for v, o in zip(*pair)) for pair in zip(voter, outcome)]
    deltas = dict(
        one=quality + 0.7 * length + 0.5 * rng.normal(size=pairs),
        other=quality + 0.2 * length + 0.8 * rng.normal(size=pairs),
    )
    return PairRows(
        index=np.arange(pairs),
        group=group,
        slice=np.full(pairs, None),
        ballots=pd.Series(ballots, dtype=object).to_numpy(),
        weight=np.full(pairs, np.nan),
        votes=Votes(a, b, tie),
        deltas=deltas,
    )


def measures(part, codes):
    lead = part.lead
    one, other = part.deltas.values()
    ranks = spearman(one, lead, codes)
    other_ranks = spearman(other, lead, codes)
    difference = Measure(lambda counts: ranks.values(counts) - other_ranks.values(counts))
    return {
        ("one", "spearman"): ranks,
        ("one", "accuracy"): accuracy(one, lead, codes),
        ("one", "log_loss"): mean_measure(log_loss(one, lead), codes),
        ("one - other", "spearman"): difference,
    }


def target_of(prompts, panel):
    if panel == 3:
        return "at least 0.80"
    return "0.90 to 0.97"


def main():
    options = parser(__doc__)
    options.add_argument("--prompts", type=int, default=164)
    options.add_argument("--panels", type=int, nargs="+", default=[3, 10, 100, 0])
    options.add_argument("--replications", type=int, default=100)
    options.add_argument("--resamples", type=int, default=1000)
    options.add_argument("--leaning", type=float, default=0.45)
    arguments = options.parse_args()
    study = Study("people as a random factor", arguments)
    rng = np.random.default_rng(arguments.seed)
    population = simulate(100_000, 0, rng, arguments.leaning)
    once = np.ones((1, 100_000))
    truth = {
        name: measure.values(once).item()
        for name, measure in measures(population, population.codes).items()
    }
    for panel in arguments.panels:
        tables = []
        for run in range(arguments.replications):
            rows = simulate(arguments.prompts, panel, rng, arguments.leaning)
            table = tabulate(rows, None, measures, arguments.resamples, run)
            true = [truth[key] for key in zip(table.model, table.statistic)]
            covered = (table.low <= true) & (true <= table.high)
            tables.append(table.assign(covered=covered, width=table.high - table.low))
        together = pd.concat(tables)
        who = f"panel of {panel}" if panel else "a new person for each vote"
        for (model, statistic), part in together.groupby(["model", "statistic"], sort=False):
            setting = f"{arguments.prompts} prompts, {who}, {statistic} of {model}"
            figure = "coverage of the 95% interval"
            target = target_of(arguments.prompts, panel)
            study.write_rate(setting, figure, part.covered.tolist(), target)
            study.write(setting, "mean width of the interval", part.width.mean(), "", len(part))


if __name__ == "__main__":
    main()
