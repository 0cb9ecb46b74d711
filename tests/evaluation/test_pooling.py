"Pooled values against numerical integration, and how often their intervals hold."

import numpy as np
import pytest
from scipy import integrate, stats

from plurality_nb.evaluation.pooling import pool_estimates


@pytest.mark.parametrize(
    "value, se", [([0.1, -0.2, 0.3], [0.1, 0.2, 0.15]), ([1, 2, 9, 4], [1, 2, 3, 1])]
)
def test_pooled_values_are_the_posterior_means_of_an_integral(value, se):
    value, se = np.array(value, float), np.array(se, float)

    def likelihood(tau):
        v = se**2 + tau**2
        mean = (value / v).sum() / (1 / v).sum()
        density = np.prod(stats.norm.pdf(value, mean, np.sqrt(v)))
        return density / np.sqrt((1 / v).sum()), mean, se**2 / v

    def integral(f):
        return integrate.quad(f, 0, 500 * se.mean(), points=[se.min(), 5 * se.max()], limit=500)[0]

    total = integral(lambda tau: likelihood(tau)[0])
    for k in range(len(value)):

        def pooled(tau, k=k):
            weight, mean, drawn = likelihood(tau)
            return weight * ((1 - drawn[k]) * value[k] + drawn[k] * mean)

        want = integral(pooled) / total
        assert pool_estimates(value, se).value[k] == pytest.approx(want, abs=0.02 * se[k])


@pytest.mark.parametrize("spread", [0, 1, 4])
def test_pooling_lowers_the_error_and_keeps_the_coverage(spread):
    rng = np.random.default_rng(0)
    se = np.array([0.8, 1, 1, 1.3])
    truth = spread * rng.normal(size=(300, 4))
    own = truth + se * rng.normal(size=(300, 4))
    pooled = [pool_estimates(values, se) for values in own]
    value = np.array([p.value for p in pooled])
    error = np.array([p.se for p in pooled])
    assert np.square(value - truth).mean() < np.square(own - truth).mean()
    assert (np.abs(value - truth) < 1.96 * error).mean() > 0.92


def test_what_cannot_be_pooled_is_nan_and_the_rest_is():
    pooled = pool_estimates(np.array([1.0, np.nan, 2, 3, 4]), np.array([1.0, 1, 0, 1, np.nan]))
    assert np.isnan(pooled.value).all()
    pooled = pool_estimates(np.array([1.0, np.nan, 2, 3]), np.array([1.0, 1, 1, 1]))
    assert np.isnan(pooled.value).tolist() == [False, True, False, False]
    same = pool_estimates(np.zeros(4), np.ones(4))
    assert same.value == pytest.approx(np.zeros(4)) and (same.se < 1).all()
