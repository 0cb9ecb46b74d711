"""What does a spread of people's differences have to see, to predict votes in the simulated world?

python tests/benchmarks/crowd_scales.py --limit 800

Mean log loss of the true shares less their entropy, in nats. The first lines are given the true mean of people's differences, and fit one spread and
threshold to all pairs, or to those of each kind. The others are trained on votes out of fold by prompt, by L-BFGS with a ridge, on what the probe of
crowds.py reads of simulated responses; a spread is made of their outputs in several ways. The tutorial "Divided or indifferent?" has the figures.
"""

import argparse
import json

import numpy as np
import torch
from crowds import simulated, simulated_inputs
from scipy.optimize import minimize
from scipy.special import ndtr, xlogy

from plurality_nb.data.build import number_column
from plurality_nb.rewards.outcomes import (
    outcome_log_probs,
    pair_scale,
    probit_log_probs,
    rao_kupper_log_probs,
    tie_anchor,
)
from plurality_nb.rewards.targets import group_folds
from plurality_nb.simulation.trials import trial_population
from plurality_nb.votes.shares import votes_of

FACTORS = 8


def excess(predicted, true):
    entropy = -xlogy(true, true).sum(1)
    return float((-xlogy(true, np.clip(predicted, 1e-12, 1)).sum(1) - entropy).mean())


def with_true_means(mean, true, kinds):
    "A spread and a threshold fitted to the pairs of each kind."
    predicted = np.zeros_like(true)
    for kind in np.unique(kinds):
        rows = kinds == kind

        def shares(x, rows=rows):
            scale, threshold = np.exp(x)
            sides = [ndtr((sign * mean[rows] - threshold) / scale) for sign in (1, -1)]
            return np.stack([*sides, 1 - sum(sides)], 1)

        fitted = minimize(
            lambda x, rows=rows, shares=shares: excess(shares(x), true[rows]),
            [0, 0],
            method="Nelder-Mead",
        )
        predicted[rows] = shares(fitted.x)
    return excess(predicted, true)


class Outputs(torch.nn.Module):
    def __init__(self, dim, tie_share):
        super().__init__()
        self.reward = torch.nn.Parameter(torch.zeros(dim))
        self.second = torch.nn.Parameter(torch.zeros(dim))
        self.bias = torch.nn.Parameter(torch.zeros(1))
        start = torch.randn(dim, FACTORS, generator=torch.Generator().manual_seed(0))
        self.factors = torch.nn.Parameter(start / 2 / dim**0.5)
        self.anchors = {name: tie_anchor(name, tie_share) for name in ("crowd", "ties")}


def of_responses(m, delta, second, a, b):
    return probit_log_probs(delta, pair_scale(second / 2), m.anchors["crowd"])


def logistic(m, delta, second, a, b):
    scale = pair_scale(second / 2)
    return rao_kupper_log_probs(delta / scale, m.anchors["ties"] / scale)


def of_products(m, delta, second, a, b):
    log_variance = second.mean(1) + ((a @ m.factors) * (b @ m.factors)).sum(1)
    return probit_log_probs(delta, (log_variance.clamp(-20, 20) / 2).exp(), m.anchors["crowd"])


def of_squares(m, delta, second, a, b):
    log_variance = second.mean(1) + (a - b) ** 2 @ m.factors[:, 0] / 10
    return probit_log_probs(delta, (log_variance.clamp(-20, 20) / 2).exp(), m.anchors["crowd"])


def ties(m, delta, second, a, b):
    return outcome_log_probs("ties", delta, second, m.anchors["ties"])


def of_tastes(m, delta, second, a, b):
    scale = pair_scale(second / 2, (a - b) @ m.factors)
    return probit_log_probs(delta, scale, m.anchors["crowd"])


WAYS = [of_responses, logistic, of_products, of_squares, ties, of_tastes]


def log_probs(m, way, a, b):
    second = torch.stack([a @ m.second, b @ m.second], 1) + m.bias
    return way(m, (a - b) @ m.reward, second, a, b)


def out_of_fold(way, a, b, shares, groups, ridge):
    fold, predicted = group_folds(groups), np.zeros(shares.shape)
    for k in np.unique(fold):
        train, test = fold != k, fold == k
        middle = (a[train] + b[train]).mean(0) / 2
        size = (a[train] - middle).std(0)
        one, other = (a - middle) / size, (b - middle) / size
        ties_of = shares[train][:, 2]
        m = Outputs(a.shape[1], float((ties_of.sum() + 0.5) / (len(ties_of) + 1))).double()
        descent = torch.optim.LBFGS(
            m.parameters(), max_iter=300, line_search_fn="strong_wolfe", history_size=20
        )

        def loss(m=m, train=train, one=one, other=other, descent=descent):
            descent.zero_grad()
            weights = (m.reward, m.second, m.factors)
            fit = -(shares[train] * log_probs(m, way, one[train], other[train])).sum(1).mean()
            total = fit + ridge * sum((weight**2).sum() for weight in weights)
            total.backward()
            return total

        descent.step(loss)
        with torch.no_grad():
            predicted[test] = log_probs(m, way, one[test], other[test]).exp().numpy()
    return predicted


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=int, default=800, help="pairs")
    parser.add_argument("--ridge", type=float, default=0.001)
    args = parser.parse_args()
    ds = simulated(args.limit, 0)
    population = trial_population()
    mean = population.views(*population.gaps(ds))[0][:, 0]
    true = np.stack([number_column(ds, f"true_{k}") for k in ("a", "b", "tie")], 1)
    kinds = dict(
        all=np.zeros(len(ds)),
        plural=number_column(ds, "plurality"),
        quadrant=np.array(ds["quadrant"]),
    )
    for name, kind in kinds.items():
        line = dict(given="true means", kinds=name, excess=with_true_means(mean, true, kind))
        print(json.dumps(line), flush=True)
    a, b = (side.double() for side in simulated_inputs("responses", ds))
    votes = np.stack(votes_of(ds), 1)
    shares = torch.from_numpy(votes / votes.sum(1, keepdims=True))
    for way in WAYS:
        predicted = out_of_fold(way, a, b, shares, ds["group"][:], args.ridge)
        print(json.dumps(dict(trained=way.__name__, excess=excess(predicted, true))), flush=True)


if __name__ == "__main__":
    main()
