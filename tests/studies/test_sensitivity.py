"A study says whether it could have found anything."

import numpy as np
import pytest

from plurality_nb.data.arrow import take
from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.studies.sensitivity import assay_sensitivity


@pytest.fixture(scope="module")
def people():
    return simulate_votes(load_sample(), sample_population(), n=10)


def rewarded(ds, delta):
    return with_columns(ds, reward_a=delta / 2, reward_b=-delta / 2, seen=[False] * len(ds))


def lead(ds):
    return (np.array(ds["human_a"][:]) - np.array(ds["human_b"][:])) / 10


def test_noise_is_rarely_sensitive(people):
    rng = np.random.default_rng(0)
    noise = [rewarded(people, rng.normal(size=len(people))) for _ in range(4)]
    sensitive = [assay_sensitivity(control, n_perm=200).is_sensitive for control in noise]
    assert not any(sensitive)


def test_what_knows_people_is_sensitive_and_the_text_gives_the_numbers(people):
    noisy = lead(people) + 0.2 * np.random.default_rng(0).normal(size=len(people))
    found = assay_sensitivity(rewarded(people, noisy), n_perm=500)
    assert found.is_sensitive
    assert "longer response (spearman " in found.text and "p = " in found.text


def test_degenerate_controls_say_that_nothing_can_be_tested(people):
    for control, plain in (
        (rewarded(people, 0 * lead(people)), {}),
        (rewarded(people, lead(people)), {"bt": rewarded(people, lead(people))}),
        (take(rewarded(people, lead(people)), np.arange(5)), {}),
    ):
        found = assay_sensitivity(control, plain, n_perm=100)
        assert not found.is_sensitive
        assert found.text.startswith("Cannot be tested with this model.")
