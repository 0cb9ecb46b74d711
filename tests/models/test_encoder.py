"What is kept of a fit to an encoder's vectors."

import io
from pathlib import Path

import numpy as np
import pytest

from plurality_nb.models.encoder import ENCODER, encoder_folder, encoder_id, read_fit, save_fit

ARRAYS = dict(weights=np.array([0.5, -2.0]), intercept=np.array(1.0))


def own_encoder():
    return np.array(encoder_id(encoder_folder(ENCODER)))


def npy():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def test_a_fit_is_read_as_it_was_kept(tmp_path):
    path = tmp_path / "fit.npz"
    save_fit(path, ENCODER, ARRAYS)
    read = read_fit(path, ENCODER)
    assert read.keys() == ARRAYS.keys()
    assert all((read[name] == array).all() for name, array in ARRAYS.items())
    assert [file.name for file in tmp_path.iterdir()] == ["fit.npz"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK"),
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: np.savez(path, weights=np.zeros(2)),
        lambda path: np.savez(path, **ARRAYS, encoder=np.array("another")),
        lambda path: np.savez(path, weights=np.array([dict()]), encoder=own_encoder()),
        lambda path: path.open("wb").write(npy()),
        Path.unlink,
    ],
    ids=["empty", "no archive", "cut", "no encoder", "another encoder", "pickled", "npy", "absent"],
)
def test_a_fit_that_cannot_be_used_counts_as_none(tmp_path, spoil):
    path = tmp_path / "fit.npz"
    save_fit(path, ENCODER, ARRAYS)
    spoil(path)
    assert read_fit(path, ENCODER) is None


def test_no_byte_that_changed_raises(tmp_path):
    path = tmp_path / "fit.npz"
    save_fit(path, ENCODER, ARRAYS)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        assert set(read_fit(path, ENCODER) or {}) <= set(ARRAYS)
