"""Probes for every objective and setting at once, tuned alike by held-out single labels (for votes_help.py).

A reward is linear in what is known of a response, and pairs share responses. So rewards are computed once for each response, and the gradient of a pair's
loss is added up by response: the cost of a step hardly depends on the number of pairs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.special import expit
from torch import Tensor

from plurality_nb.rewards.objectives import pair_losses, posterior_share
from plurality_nb.rewards.outcomes import anchor_of_votes, outcome_log_probs, read_outputs
from plurality_nb.rewards.probe import STEP_SIZES
from plurality_nb.rewards.probe_model import Probe, start_tastes
from plurality_nb.rewards.targets import group_folds

FOLDS = 4  # of the training pairs' groups, for the choice of setting and step
MOMENTUM = 0.9
MOST_STEPS = 600
STOPS = np.unique(np.geomspace(1, MOST_STEPS, 45).astype(int))
MOST_PACE = 10  # rewards have further to go for larger margins, so that steps are larger
DECAYS = [0, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3]
FEWER_DECAYS = [0.03, 0.1, 0.3, 1]  # of probes with several outputs, which take longer
SCALES = [(scale, decay) for decay in (0.03, 0.3) for scale in (1, 3, 10, 30)]
SMOOTHED = [(share, decay) for decay in (0.03, 0.3) for share in (0.95, 0.9, 0.8, 0.7)]
WEIGHTS = [(weight, decay) for decay in (0.03, 0.3) for weight in (1, 3, 10, 30)]
MARGINS = {  # method to what its margin is a multiple of
    "constant margin": "constant",
    "permuted margins": "permuted",
    "permuted signed": "permuted_signed",
    "margin": "decisiveness",
    "signed margin": "signed",
}
SCALAR = ["bt", *MARGINS, "smoothing", "votes", "posterior", "all votes", "majority"]
WITH_TIES = ["ties", "crowd"]
METHODS = [*SCALAR, *WITH_TIES]


class Pairs(NamedTuple):
    "What is learned from; responses are rows of `inputs`."

    inputs: np.ndarray  # (responses, dim) float32
    chosen: np.ndarray  # (pairs,): number of the response
    rejected: np.ndarray  # (pairs,)
    votes: np.ndarray  # (pairs, 3): others' votes for chosen, rejected, tie
    groups: np.ndarray  # (pairs,): pairs of one group are held out together


class Setting(NamedTuple):
    "What one probe is trained with."

    method: str
    margin: np.ndarray  # (pairs,) logits; 0 for none
    share: np.ndarray  # (pairs,) the share that its loss follows; 1 for the label
    decay: float
    pace: float = 1.0  # what the step size is multiplied by


class Tuned(NamedTuple):
    "The best setting of a method."

    setting: int
    steps: int
    slope: float  # what held-out rewards are best multiplied by
    loss: float  # of held-out labels, nats


def unit_margins(votes: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    "(pairs,) each: what margins are multiples of."
    signed = (votes[:, 0] - votes[:, 1]) / votes.sum(1)
    size = np.abs(signed)
    return dict(
        signed=signed,
        decisiveness=size,
        constant=np.full(len(size), size.mean()),
        permuted=rng.permutation(size),
        permuted_signed=rng.permutation(signed),
    )


def scalar_settings(pairs: Pairs, seed: int) -> list[Setting]:
    "Eight settings for each method whose model has one output."
    n = len(pairs.chosen)
    none, label = np.zeros(n), np.ones(n)
    total = pairs.votes.sum(1)
    share = (pairs.votes[:, 0] + pairs.votes[:, 2] / 2) / total
    with_label = (share * total + 1) / (total + 1)
    majority = (1 + np.sign(with_label - 0.5)) / 2
    settings = [Setting("bt", none, label, decay) for decay in DECAYS]
    units = unit_margins(pairs.votes, np.random.default_rng(seed))
    for method, kind in MARGINS.items():
        settings += [
            Setting(method, scale * units[kind], label, decay, min(scale, MOST_PACE))
            for scale, decay in SCALES
        ]
    settings += [Setting("smoothing", none, s * label, decay) for s, decay in SMOOTHED]
    for method, target in {"votes": share, "all votes": with_label, "majority": majority}.items():
        settings += [Setting(method, none, target, decay) for decay in DECAYS]
    for weight, decay in WEIGHTS:
        target = posterior_share(torch.from_numpy(share), weight).numpy()
        settings.append(Setting("posterior", none, target, decay))
    return settings


def best_slopes(delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    "(probes,) slope and log loss of labels, nats, by held-out (pairs, probes) chosen - rejected."
    spread = np.sqrt(np.mean(delta.astype(float) ** 2, 0))
    unit = delta / np.maximum(spread, 1e-30).astype(delta.dtype)
    slope = np.zeros(delta.shape[1])
    for _ in range(12):
        p = expit(-slope.astype(delta.dtype) * unit)
        gradient = (p * unit).mean(0, dtype=float)
        curvature = (p * (1 - p) * unit * unit).mean(0, dtype=float)
        slope = np.clip(slope + gradient / np.maximum(curvature, 1e-9), 0, slope * 3 + 3)
    loss = np.logaddexp(0, -slope.astype(delta.dtype) * unit).mean(0, dtype=float) + 1 / len(delta)
    loss = np.where((spread > 0) & (slope > 0), loss, np.log(2))
    return np.where(spread > 0, slope / np.maximum(spread, 1e-30), 0), loss


class Descent:
    """Gradient descent of many probes with one output each, on parts of the same pairs.

    Weights are sums of responses' inputs, so the descent is that of the sums' coefficients."""

    def __init__(self, pairs: Pairs, settings: list[Setting], parts: np.ndarray):
        # parts: (pairs, parts), weight of each pair in each part's mean loss
        n, self.shape = len(pairs.chosen), (len(settings), parts.shape[1])
        self.inputs = pairs.inputs
        self.products = torch.from_numpy(pairs.inputs @ pairs.inputs.T)
        ends = np.r_[np.ones(n), -np.ones(n)].astype(np.float32)
        row, column = np.r_[np.arange(n), np.arange(n)], np.r_[pairs.chosen, pairs.rejected]
        self.design = csr_matrix((ends, (row, column)), (n, len(pairs.inputs)))
        self.by_response = self.design.T.tocsr()
        self.parts = (parts / parts.sum(0)).astype(np.float32)[:, None, :]
        self.start(settings, torch.zeros(len(pairs.inputs), int(np.prod(self.shape))))

    def start(self, settings: list[Setting], coefficients: Tensor, speed: Tensor | None = None):
        self.settings, self.shape = settings, (len(settings), self.parts.shape[2])
        self.margin = np.stack([s.margin for s in settings], 1).astype(np.float32)[:, :, None]
        self.share = np.stack([s.share for s in settings], 1).astype(np.float32)[:, :, None]
        of_probe = np.repeat([(s.decay, s.pace) for s in settings], self.shape[1], 0)
        self.decay, self.pace = torch.from_numpy(of_probe.astype(np.float32)).T
        self.coefficients = coefficients
        self.speed = torch.zeros_like(coefficients) if speed is None else speed

    def keep(self, kept: np.ndarray) -> None:
        "Goes on with some settings alone; kept: (settings,) bool."
        columns = torch.from_numpy(np.repeat(kept, self.shape[1]))
        settings = [s for s, is_kept in zip(self.settings, kept) if is_kept]
        self.start(settings, self.coefficients[:, columns], self.speed[:, columns])

    def deltas(self) -> np.ndarray:
        "(pairs, settings, parts)"
        rewards = (self.products @ self.coefficients).numpy()
        return (self.design @ rewards).reshape(-1, *self.shape)

    def step(self) -> None:
        # the derivative of softplus(margin - delta) + (1 - share) * delta
        slope = (expit(self.deltas() - self.margin) - self.share) * self.parts
        by_response = self.by_response @ slope.reshape(len(slope), -1)
        gradient = torch.from_numpy(by_response) + self.decay * self.coefficients
        self.speed = MOMENTUM * self.speed + gradient
        size = STEP_SIZES["bt"] * self.pace
        self.coefficients = self.coefficients - size * (gradient + MOMENTUM * self.speed)

    def rewards(self, inputs: np.ndarray, probe: int) -> np.ndarray:
        return inputs @ (self.coefficients[:, probe].numpy() @ self.inputs)


class OutcomeDescent:
    "The same for probes that predict ties, with several outputs each."

    def __init__(self, pairs: Pairs, settings: list[Setting], parts: np.ndarray):
        self.objective = settings[0].method
        self.shape = (len(settings), parts.shape[1])
        shares = pairs.votes / pairs.votes.sum(1)[:, None]
        self.threshold = anchor_of_votes(self.objective, shares[:, 2])
        self.outcomes = torch.from_numpy(shares.astype(np.float32))
        self.chosen, self.rejected = (
            torch.from_numpy(np.asarray(v)) for v in (pairs.chosen, pairs.rejected)
        )
        inputs = torch.from_numpy(pairs.inputs)
        self.mean = (inputs[self.chosen] + inputs[self.rejected]).mean(0) / 2
        self.inputs = inputs - self.mean
        self.parts = torch.from_numpy((parts / parts.sum(0)).astype(np.float32))
        outputs = dict(ties=2, crowd=10)[self.objective]
        start = Probe(inputs.shape[1], outputs)
        if outputs > 2:
            start_tastes(start, inputs[self.chosen] - inputs[self.rejected])
        probes = int(np.prod(self.shape))
        weight = start.head.weight.detach().T[:, :, None].repeat(1, 1, probes)
        self.weights = weight.contiguous().requires_grad_()  # (dim, outputs, probes)
        self.bias = torch.zeros(probes, requires_grad=True)
        self.decay = torch.tensor(np.repeat([s.decay for s in settings], parts.shape[1])).float()
        self.optimizer = torch.optim.SGD(
            [self.weights, self.bias],
            lr=STEP_SIZES[self.objective],
            momentum=MOMENTUM,
            nesterov=True,
        )

    def outputs(self, inputs: Tensor) -> Tensor:
        "(responses, outputs, probes)"
        out = (inputs @ self.weights.flatten(1)).unflatten(1, self.weights.shape[1:])
        return torch.cat([out[:, :1], out[:, 1:2] + self.bias, out[:, 2:]], 1)

    def deltas(self) -> np.ndarray:
        with torch.no_grad():
            rewards = self.inputs @ self.weights[:, 0]
        return (rewards[self.chosen] - rewards[self.rejected]).numpy().reshape(-1, *self.shape)

    def _said(self, out: Tensor, chosen: Tensor, rejected: Tensor) -> Tensor:
        "(outputs, 2, pairs * probes): as `read_outputs` wants them."
        sides = torch.stack([out[chosen], out[rejected]], 2)  # (pairs, outputs, 2, probes)
        return sides.permute(1, 2, 0, 3).flatten(2)

    def step(self) -> None:
        said = read_outputs(self._said(self.outputs(self.inputs), self.chosen, self.rejected))
        probes = self.weights.shape[2]
        losses = pair_losses(
            self.objective,
            said.delta,
            second=said.second,
            outcomes=self.outcomes.repeat_interleave(probes, 0),
            tastes=said.tastes,
            tie_threshold=self.threshold,
        ).unflatten(0, (-1, *self.shape))
        self.optimizer.zero_grad()
        penalty = (self.decay / 2 * self.weights.square().sum((0, 1))).sum()
        ((losses * self.parts[:, None, :]).sum() + penalty).backward()
        self.optimizer.step()

    @torch.no_grad()
    def predicted(
        self, inputs: np.ndarray, one: np.ndarray, other: np.ndarray, probe: int
    ) -> np.ndarray:
        "(pairs, 3): log probabilities of the one, the other, a tie."
        out = self.outputs(torch.from_numpy(inputs) - self.mean)[:, :, probe : probe + 1]
        said = read_outputs(self._said(out, torch.from_numpy(one), torch.from_numpy(other)))
        given = (said.delta, said.second, self.threshold, said.tastes)
        return outcome_log_probs(self.objective, *given).numpy()

    @torch.no_grad()
    def rewards(self, inputs: np.ndarray, probe: int) -> np.ndarray:
        return ((torch.from_numpy(inputs) - self.mean) @ self.weights[:, 0, probe]).numpy()


def tuned(descent: Descent | OutcomeDescent, settings: list[Setting], fold: np.ndarray) -> dict:
    "Method to the setting and step whose held-out labels cost least, at the best slope."
    best_loss = np.full(len(settings), np.log(2))
    best_step, best_slope = np.zeros(len(settings), int), np.zeros(len(settings))
    active = np.arange(len(settings))
    for step in range(1, MOST_STEPS + 1):
        descent.step()
        if step not in STOPS:
            continue
        slope, loss = best_slopes(descent.deltas()[np.arange(len(fold)), :, fold])
        better = loss < best_loss[active]
        i = active[better]
        best_loss[i], best_step[i], best_slope[i] = loss[better], step, slope[better]
        waits = step <= 2 * best_step[active] + 40
        if not waits.any():
            break
        if isinstance(descent, Descent) and not waits.all():
            descent.keep(waits)
            active = active[waits]
    found = {}
    for method in dict.fromkeys(s.method for s in settings):
        rows = [i for i, s in enumerate(settings) if s.method == method]
        k = int(np.argmin(best_loss[rows]))
        i = rows[k]
        found[method] = Tuned(k, int(best_step[i]), float(best_slope[i]), float(best_loss[i]))
    return found


class Predictions(NamedTuple):
    "What tuned probes say of test pairs, (methods, pairs) each."

    delta: np.ndarray  # A - B, at the temperature that suits held-out labels
    closeness: np.ndarray  # higher where people should be divided
    tuned: dict[str, Tuned]


def fit_all(
    pairs: Pairs,
    test: tuple[np.ndarray, np.ndarray, np.ndarray],  # inputs of responses, numbers of A and of B
    seed: int,
    methods: Sequence[str] = METHODS,
) -> Predictions:
    "Every method on the same pairs."
    fold = group_folds([str(g) for g in pairs.groups], FOLDS, seed)
    held_in = (fold[:, None] != np.arange(FOLDS)).astype(float)
    everything = np.ones((len(fold), 1))
    none = np.zeros(len(fold))
    blocks = [(Descent, scalar_settings(pairs, seed))]
    for method in [m for m in WITH_TIES if m in methods]:
        blocks.append((OutcomeDescent, [Setting(method, none, none, d) for d in FEWER_DECAYS]))
    inputs, a, b = test
    delta, closeness, choices = {}, {}, {}
    for kind, settings in blocks:
        best = tuned(kind(pairs, settings, held_in), settings, fold)
        choices |= best
        of_method = {m: [s for s in settings if s.method == m] for m in best}
        chosen = [of_method[m][t.setting] for m, t in best.items()]
        final = kind(pairs, chosen, everything)
        for step in range(max(t.steps for t in best.values()) + 1):
            if step:
                final.step()
            for i, (method, t) in enumerate(best.items()):
                if step == t.steps:
                    rewards = final.rewards(inputs, i)
                    delta[method] = t.slope * (rewards[a] - rewards[b])
                    closeness[method] = -np.abs(delta[method])
                    if kind is OutcomeDescent:
                        log_p = final.predicted(inputs, a, b, i)
                        closeness[method] = -np.abs(log_p[:, 0] - log_p[:, 1])
    stack = [np.stack([of[m] for m in methods]) for of in (delta, closeness)]
    return Predictions(*stack, {m: choices[m] for m in methods})
