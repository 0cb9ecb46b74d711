"The probes of all folds descend together as each would alone."

import numpy as np
import pytest
import torch

from plurality_nb.rewards.objectives import OBJECTIVES
from plurality_nb.rewards.probe import _Descent, _MeasuredDescents, _TrainingData

PAIRS, DIM = 23, 6


def training_data(objective: str) -> _TrainingData:
    rng = np.random.default_rng(0)
    settings = {} if OBJECTIVES[objective].outputs == 1 else dict(tie_threshold=0.4)
    columns = dict(
        inputs_a=rng.normal(size=(PAIRS, DIM)) + 3,
        inputs_b=rng.normal(size=(PAIRS, DIM)) + 3,
        sign=rng.choice([-1, 1], size=PAIRS),
        margin=rng.uniform(size=PAIRS),
        share=rng.uniform(size=PAIRS),
        outcomes=rng.dirichlet(np.ones(3), size=PAIRS),
    )
    tensors = {name: torch.from_numpy(values).float() for name, values in columns.items()}
    return _TrainingData(objective, settings, validation_share=None, **tensors)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_folds_together_are_each_fold_alone(objective):
    data = training_data(objective)
    fold = torch.from_numpy(np.random.default_rng(1).integers(3, size=PAIRS))
    together = _MeasuredDescents(data, fold, 0.05)
    alone = [_Descent(data, fold != number, 0.05) for number in range(3)]
    for _ in range(20):
        together.step()
        for descent in alone:
            descent.step()
    delta, losses = np.empty(PAIRS), np.empty(PAIRS)
    for number, descent in enumerate(alone):
        torch.testing.assert_close(together.weights[number], descent.probe.head.weight)
        part = fold == number
        with torch.no_grad():
            a, b = data.inputs_a[part], data.inputs_b[part]
            delta[part] = data.sign[part] * (descent.probe(a) - descent.probe(b))
            losses[part] = data.losses(descent.probe.both(a, b), data.targets(part))
    held_out = together.measure()
    np.testing.assert_allclose(held_out.delta, delta, atol=1e-4)
    assert held_out.own_loss == pytest.approx(losses.mean(), abs=1e-5)
    assert together.weights.abs().max() > 0.1
