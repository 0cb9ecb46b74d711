"Few rows, ties alone or one prompt: no warning of NumPy reaches the user."

import numpy as np
import pytest

from plurality_nb.data.arrow import take
from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.taxonomy.quadrants import label_taxonomy

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(scope="module")
def rated():
    ds = label_taxonomy(simulate_votes(load_sample(), sample_population(), 7))
    votes = {
        f"judge_{o}": np.array(ds[f"human_{o}"], float)[::-1].copy() for o in ("a", "b", "tie")
    }
    rewards = np.random.default_rng(0).normal(size=(2, len(ds)))
    scored = dict(reward_a=rewards[0], reward_b=rewards[1], seen=[False] * len(ds))
    return with_columns(ds, **votes, **scored)


def one_prompt(ds):
    group = max(ds["group"], key=list(ds["group"]).count)
    return take(ds, np.flatnonzero(np.array(ds["group"]) == group))


def few(n):
    return lambda ds: ds.select(range(0, 3 * n, 3))


def ties(ds):
    n = 12
    return with_columns(ds.select(range(n)), human_a=[0] * n, human_b=[0] * n, human_tie=[5] * n)


def equal_rewards(ds):
    return with_columns(ds.select(range(12)), reward_a=[1.0] * 12, reward_b=[1.0] * 12)


def single_votes(ds):
    return with_columns(
        ds.select(range(12)), human_a=[1] * 12, human_b=[0] * 12, human_tie=[0] * 12
    )


def one_reward(ds):
    return with_columns(ds.select(range(12)), reward_a=[1.0] + [None] * 11)


SMALL = {f"{n} rows": few(n) for n in (1, 2, 3, 6)} | dict(
    ties=ties,
    one_prompt=one_prompt,
    equal_rewards=equal_rewards,
    single_votes=single_votes,
    one_reward=one_reward,
)
COMMANDS = [
    "correlate small.parquet --n-boot 50",
    "correlate small.parquet all.parquet --n-boot 50",
    "correlate small.parquet --n-boot 50 --votes judge",
    "report small.parquet --n-boot 50 --out report.html --overwrite",
    "report small.parquet all.parquet --n-boot 50 --out report.html --overwrite",
    "stand-in small.parquet --n-boot 50",
    "inspect small.parquet",
]


def check_all(commands, name, rated, command_line):
    save_comparisons(SMALL[name](rated), "small.parquet")
    save_comparisons(rated.select(range(30)), "all.parquet")
    for command in commands:
        code, out, err = command_line(*command.split())
        assert "Warning" not in out + err, command
        assert code in (0, 1) and (code == 0) == ("error:" not in err), (command, err)


@pytest.mark.parametrize("name", ["1 rows", "3 rows", "ties"])
def test_small_tables_come_without_warnings(name, rated, command_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_all(COMMANDS[:4:3], name, rated, command_line)


@pytest.mark.longest
@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_so_do_all_small_tables(name, rated, command_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_all(COMMANDS, name, rated, command_line)
