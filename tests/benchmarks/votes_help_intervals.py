"""Statistics of many models at once, and intervals over groups, people and draws (for votes_help.py)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from scipy.stats import t as student_t

from plurality_nb.evaluation.bootstrap import Measure, interval, resample
from plurality_nb.evaluation.comparison import holm
from plurality_nb.evaluation.correlation import spearman
from plurality_nb.evaluation.crowds import division_label
from plurality_nb.evaluation.people import NamedVotes, PeopleSpread, people_spreads, total_spread

MEASURES = ["spearman", "log_loss", "accuracy", "divided_auroc"]
UNITS = 40  # people, or groups of people, to leave out
Key = tuple[str, str]  # of a model or `a - b`, and a measure


class Scored(NamedTuple):
    "One model's answers, (draws, pairs) each."

    delta: np.ndarray  # A - B, tempered
    closeness: np.ndarray  # higher where people should be divided


def signed_ranks(x: np.ndarray) -> np.ndarray:
    "(..., pairs): ranks about their mean of values in both orders."
    return np.sign(x) * (rankdata(np.abs(x), axis=-1) - 0.5)


def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    "(draws,): of rows of x with y; 0 for a row of zeros."
    norm = np.sqrt((x * x).sum(-1) * (y * y).sum())
    return (x @ y) / np.where(norm > 0, norm, 1)


class Rows:
    "A model's answers prepared for any votes on the same pairs."

    def __init__(self, scored: Scored):
        self.delta = scored.delta.astype(float)
        self.ranks = signed_ranks(self.delta)
        self.cost_a = np.logaddexp(0, -self.delta)
        self.cost_b = np.logaddexp(0, self.delta)
        self.sign = np.sign(self.delta)
        self.order = np.argsort(scored.closeness, axis=1, kind="stable")
        self.says_nothing = np.ptp(scored.closeness, axis=1) == 0

    def areas(self, divided: np.ndarray) -> np.ndarray:
        "(draws,): AUROC of divided pairs."
        agreed = (divided == 0)[self.order]
        below = np.cumsum(agreed, 1)
        positive = (divided == 1)[self.order]
        pairs = positive[0].sum() * agreed[0].sum()
        areas = (below * positive).sum(1) / pairs if pairs else np.full(len(below), np.nan)
        return np.where(self.says_nothing, 0.5, areas)

    def values(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        "Measure to (draws,) values."
        total = counts.sum(1)
        has_votes = total > 0
        lead = np.where(has_votes, counts[:, 0] - counts[:, 1], 0) / np.maximum(total, 1) / 2
        share = np.where(has_votes, lead + 0.5, 0)
        rest = np.where(has_votes, 0.5 - lead, 0)
        decided = np.sign(lead)
        right = (self.sign @ decided / np.abs(decided).sum() + 1) / 2
        return dict(
            spearman=cosine(self.ranks, signed_ranks(lead)),
            log_loss=(self.cost_a @ share + self.cost_b @ rest) / has_votes.sum(),
            accuracy=right,
            divided_auroc=self.areas(division_label(counts[:, 0], counts[:, 1])),
        )


def part_of(scored: Scored, pairs: np.ndarray) -> Scored:
    return Scored(scored.delta[:, pairs], scored.closeness[:, pairs])


def paired(values: Mapping[str, np.ndarray], one: str, other: str) -> np.ndarray:
    "Differences on the draws that both have."
    shared = min(len(values[one]), len(values[other]))
    return values[one][:shared] - values[other][:shared]


def by_draw(models: Mapping[str, Rows], counts: np.ndarray, contrasts: Sequence[Key]) -> dict:
    "Model or difference, and measure, to (draws,) values."
    values = {
        (name, measure): column
        for name, rows in models.items()
        for measure, column in rows.values(counts).items()
    }
    for one, other in contrasts:
        for measure in MEASURES:
            of_measure = {name: values[name, measure] for name in (one, other)}
            values[f"{one} - {other}", measure] = paired(of_measure, one, other)
    return values


class Spread(NamedTuple):
    "Variance of a mean over draws, by where it comes from, and its degrees of freedom."

    groups: float
    people: float
    draws: float
    freedom: float

    @property
    def error(self) -> float:
        return float(np.sqrt(self.groups + self.people + self.draws))


def whole_spread(left_out: np.ndarray, people: PeopleSpread | None, draws: np.ndarray) -> Spread:
    "From values without each group, what people add, and the draws' values."
    groups = len(left_out)
    of_groups = (groups - 1) * float(np.var(left_out))
    both = total_spread(of_groups, groups, people)
    of_draws = float(np.var(draws, ddof=1) / len(draws)) if len(draws) > 1 else 0.0
    whole = both.variance + of_draws
    parts = both.variance**2 / both.freedom + of_draws**2 / max(len(draws) - 1, 1)
    return Spread(of_groups, both.variance - of_groups, of_draws, whole**2 / parts if parts else 1)


class Estimate(NamedTuple):
    "A mean over draws with its 95% interval and two-sided p of zero."

    value: float
    low: float
    high: float
    p: float
    spread: Spread


def estimate(value: float, spread: Spread) -> Estimate:
    half = student_t.ppf(0.975, spread.freedom) * spread.error
    p = 2 * student_t.sf(abs(value) / spread.error, spread.freedom) if spread.error else 1.0
    return Estimate(value, value - half, value + half, float(p), spread)


def estimates(
    models: Mapping[str, Scored],
    counts: np.ndarray,  # (pairs, 3): people's votes for A, B, tie
    codes: np.ndarray,  # (pairs,): group
    votes: NamedVotes,
    contrasts: Sequence[Key],
) -> dict[Key, Estimate]:
    "All models and differences, in all measures."
    rows = {name: Rows(scored) for name, scored in models.items()}
    whole = by_draw(rows, counts, contrasts)

    def without(removed: np.ndarray) -> dict[Key, np.ndarray]:
        left = [by_draw(rows, counts - of_one, contrasts) for of_one in removed]
        return {key: np.array([values[key].mean() for values in left]) for key in whole}

    people = people_spreads(without, votes, codes, most=UNITS, exchanges=UNITS)
    left_out: dict[Key, list[float]] = {key: [] for key in whole}
    for group in range(codes.max() + 1):
        kept = codes != group
        part = {name: Rows(part_of(scored, kept)) for name, scored in models.items()}
        for key, value in by_draw(part, counts[kept], contrasts).items():
            left_out[key].append(float(value.mean()))
    return {
        key: estimate(
            float(value.mean()), whole_spread(np.array(left_out[key]), people.get(key), value)
        )
        for key, value in whole.items()
    }


def split_interval(values: np.ndarray, test_share: float, groups: int) -> tuple[float, float]:
    """Corrected resampled t of (splits,) differences; test_share: test groups over the others.

    Further splits of the same groups add no degrees of freedom beyond those of the groups."""
    n = len(values)
    error = np.std(values, ddof=1) * np.sqrt(1 / n + test_share)
    half = student_t.ppf(0.975, min(n, groups) - 1) * error
    return float(values.mean() - half), float(values.mean() + half)


def fold_spearmans(scored: Scored, lead: np.ndarray, folds: np.ndarray) -> np.ndarray:
    "(draws * folds,): within each test fold of each draw."
    return np.array(
        [
            cosine(signed_ranks(delta[fold == k])[None], signed_ranks(lead[fold == k]))[0]
            for delta, fold in zip(scored.delta.astype(float), folds)
            for k in range(fold.max() + 1)
        ]
    )


def group_spearmans(scored: Scored, lead: np.ndarray, codes: np.ndarray) -> np.ndarray:
    "(groups,): within each group, mean over draws."
    return np.array(
        [
            cosine(signed_ranks(scored.delta[:, codes == g]), signed_ranks(lead[codes == g])).mean()
            for g in range(codes.max() + 1)
        ]
    )


def spearman_interval(
    delta: np.ndarray, lead: np.ndarray, codes: np.ndarray, other: np.ndarray | None = None
) -> tuple[float, float, float]:
    "Spearman's correlation, or how far it is above another's, and its jackknife interval over groups."

    def value(kept: np.ndarray) -> float:
        truth = signed_ranks(lead[kept])
        whole = cosine(signed_ranks(delta[kept])[None], truth)[0]
        less = 0.0 if other is None else cosine(signed_ranks(other[kept])[None], truth)[0]
        return float(whole - less)

    groups = np.unique(codes)
    left_out = np.array([value(codes != group) for group in groups])
    half = student_t.ppf(0.975, len(groups) - 1) * np.sqrt((len(groups) - 1) * np.var(left_out))
    whole = value(np.ones(len(codes), bool))
    return whole, float(whole - half), float(whole + half)


def bootstrapped(
    one: Scored, other: Scored, lead: np.ndarray, codes: np.ndarray, n_boot: int = 1000
) -> tuple[float, float]:
    "Percentile interval of a difference in Spearman, over groups and draws (Hesterberg 2015)."
    draws = len(one.delta)

    def difference(k: int) -> Measure:
        first = spearman(one.delta[k].astype(float), lead, codes)
        second = spearman(other.delta[k].astype(float), lead, codes)
        return Measure(lambda counts: first.values(counts) - second.values(counts))

    drawn = resample({k: difference(k) for k in range(draws)}, codes, n_boot)
    values = np.stack([drawn[k] for k in range(draws)], 1)[1:]
    shares = np.full(draws, 1 / draws)
    times = np.random.default_rng(0).multinomial(draws, shares, n_boot) / draws
    low, high = interval((values * times).sum(1), int(codes.max() + 1))
    return float(low), float(high)


def corrected(p: Sequence[float]) -> np.ndarray:
    "Holm's correction."
    return holm(np.array(p, dtype=float))
