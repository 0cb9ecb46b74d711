"Calibrated votes are counts of votes, whatever rounding does."

import numpy as np
import pytest

from plurality_nb.data.build import to_comparisons
from plurality_nb.votes import calibration


@pytest.mark.parametrize("share", [0.0, 1.0, 1e-17, 0.3, 0.61, 0.72])
def test_no_side_has_less_than_no_votes(share, monkeypatch):
    totals = np.random.default_rng(0).uniform(0.1, 20, 200).astype(np.float32)
    rows = [
        dict(
            prompt=f"Tea {i}?",
            response_a="Yes",
            response_b="No",
            judge_a=n,
            judge_b=0,
            judge_tie=4 * n,
        )
        for i, n in enumerate(totals.tolist())
    ]
    monkeypatch.setattr(calibration, "calibrated_shares", lambda ds, *how: np.full(len(ds), share))
    ds = calibration.calibrate_votes(to_comparisons(rows))
    a, b, tie = (np.array(ds[f"judge_{outcome}"][:]) for outcome in ("a", "b", "tie"))
    assert min(a.min(), b.min(), tie.min()) >= 0
    np.testing.assert_allclose(a + b + tie, 5 * totals, rtol=1e-6)
    np.testing.assert_allclose((a + tie / 2) / (a + b + tie), share, atol=1e-6)
