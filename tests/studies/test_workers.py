"Several processes give what one gives, and lose no more than a block where one is killed."

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import transformers
from small_models import small_config, small_model, small_tokenizer

from plurality_nb.cli.sharing import parts_folder
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import read_settings, save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.studies.workers import Workers

ROWS = 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "Pairs, a reward model and a language model."
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("workers")
    save_comparisons(load_sample().select(range(ROWS)), folder / "pairs.parquet")
    judge = transformers.AutoModelForCausalLM.from_config(small_config("Llama"))
    for name, model in dict(reward=small_model("Llama"), judge=judge).items():
        small_tokenizer().save_pretrained(folder / name)
        model.save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="module")
def cluster():
    "A Ray session of two workers that the tests share, since it takes ten seconds to start."
    if not find_spec("ray"):  # which is not imported: it has to be set up before
        pytest.skip("the extra `ray` is not installed")
    from plurality_nb.studies.workers import ray_session

    with pytest.MonkeyPatch.context() as environment:
        # else workers would read what one process has kept
        environment.setenv("PLURALITY_CACHE", "off")
        with ray_session(Workers(2)) as fleet:
            address = fleet.ray.get_runtime_context().gcs_address
            assert address.startswith("127.0.0.1:")
            yield address


@pytest.fixture
def run(folder, monkeypatch, command_line):
    monkeypatch.chdir(folder)
    return lambda line: command_line(*line.split())


def both(run, line, folder, how="--workers 1"):
    "The same command in one process and by workers; imports take a worker longer than its work."
    for name, more in dict(one="", two=how).items():
        code, _, err = run(f"{line} --out {name}.parquet --overwrite {more}")
        assert code == 0, err
    assert not parts_folder(folder / "two.parquet").exists()
    return [load_comparisons(folder / f"{name}.parquet") for name in ("one", "two")]


def same(one, two, columns):
    assert one["pair_id"][:] == two["pair_id"][:]
    for column in columns:
        values = [np.array(ds[column][:], dtype=float) for ds in (one, two)]
        np.testing.assert_allclose(*values, atol=1e-5, equal_nan=True, err_msg=column)


def kill_one(parts, killed):
    "Kills a worker once a block has come."
    while not list(parts.glob("part-*")):
        time.sleep(0.02)
    for process in psutil.process_iter(["cmdline"]):
        if not killed and any("MapWorker" in part for part in process.info["cmdline"] or []):
            process.kill()
            killed.append(process.pid)


@pytest.mark.longest
@pytest.mark.slow(seconds=30)
def test_scores_are_those_of_one_process_though_a_worker_is_killed(run, folder, cluster):
    killed = []
    parts = parts_folder(folder / "two.parquet")
    threading.Thread(target=kill_one, args=[parts, killed], daemon=True).start()
    one, two = both(run, "score pairs.parquet --model reward", folder, "--workers 2")
    assert killed
    same(one, two, ["reward_a", "reward_b", "seen"])
    notes = [read_settings(folder / f"{name}.parquet")["score"] for name in ("one", "two")]
    assert notes[0] == notes[1]


@pytest.mark.longest
@pytest.mark.slow(seconds=30)
def test_votes_are_those_of_one_process(run, folder, cluster):
    line = "vote pairs.parquet --judge local:judge --votes 2 --min-mass 0 --store"
    for name, how in dict(one="", two=" --workers 1").items():
        code, out, err = run(f"{line} {name}.sqlite --out {name}.parquet --json{how}")
        assert code == 0, err
        assert json.loads(out)["asked"] == 2 * ROWS
    one, two = (load_comparisons(folder / f"{name}.parquet") for name in ("one", "two"))
    same(one, two, ["judge_a", "judge_b", "judge_tie"])
    code, out, err = run(f"{line} two.sqlite --out again.parquet --json")
    assert (json.loads(out)["asked"], json.loads(out)["stored"]) == (0, 2 * ROWS), err


@pytest.mark.longest
@pytest.mark.slow(seconds=30)
def test_labels_are_those_of_one_process(run, folder, cluster):
    one, two = both(run, "taxonomy pairs.parquet --base-rate estimate", folder)
    same(one, two, ["plurality", "indistinguishability", "same_meaning", "doubtful"])
    assert one["quadrant"][:] == two["quadrant"][:]


@pytest.mark.longest
@pytest.mark.slow(seconds=30)
def test_a_killed_command_goes_on_where_it_was(folder, cluster):
    out = folder / "resumed.parquet"
    line = [sys.executable, "-c", "from plurality_nb.cli.app import main; main()"]
    line += [
        "score",
        "pairs.parquet",
        "--model",
        "reward",
        "--max-tokens",
        "64",
        "--ray",
        cluster,
        "--workers",
        "1",
    ]
    line += ["--out", out.name]
    environment = os.environ | dict(PYTHONUNBUFFERED="1")
    first = subprocess.Popen(line, cwd=folder, env=environment, stderr=subprocess.PIPE)
    parts = parts_folder(out)
    while not list(parts.glob("part-*")):
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = {part: part.stat().st_mtime_ns for part in parts.glob("part-*")}
    assert kept
    second = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert "are there from an unfinished run" in second.stderr
    assert len(load_comparisons(out)) == ROWS


@pytest.mark.longest
@pytest.mark.slow(seconds=60)
def test_a_lost_machine_costs_its_block_alone(folder):
    if not find_spec("ray"):
        pytest.skip("the extra `ray` is not installed")
    line = [sys.executable, Path(__file__).with_name("two_machines.py"), folder]
    run = subprocess.run(line, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["machines"] == 1
    assert found["gap"] < 1e-5
    assert found["kept"]
    assert not found["again"]
    assert "its block goes to another one" in run.stderr


def test_workers_need_ray_and_a_number(run, monkeypatch):
    code, _, err = run("score pairs.parquet --model reward --workers 0 --out none.parquet")
    assert (code, "--workers" in err) == (2, True)
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = run("score pairs.parquet --model reward --workers 2 --out none.parquet")
    assert code == 1
    assert "pip install '.[ray]' in the clone, or leave --workers and --ray out" in err


@pytest.mark.parametrize(
    "line, remedy",
    [
        ("score pairs.parquet --model random --workers 2", "leave --workers and --ray out"),
        ("vote pairs.parquet --judge population --workers 2", "local:MODEL or reward:MODEL"),
        ("vote pairs.parquet --judge chat:m --workers 2", "local:MODEL or reward:MODEL"),
        ("vote pairs.parquet --judge local:judge --workers 2 --max-questions 3", "Leave it out"),
        ("taxonomy pairs.parquet --prompts responses --workers 2", "want classifier"),
        ("score pairs.parquet --model reward --ray ray://head:10001", "a machine of the cluster"),
    ],
)
def test_what_workers_cannot_do_has_a_remedy(run, line, remedy):
    code, _, err = run(f"{line} --out none.parquet")
    assert code in (1, 2)
    assert remedy in " ".join(err.replace("│", " ").split())


def test_a_launcher_is_told_of_workers(run, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for line in ("score pairs.parquet --model reward", "taxonomy pairs.parquet"):
        code, _, err = run(f"{line} --out none.parquet")
        assert code == 1
        assert "--workers N shares the pairs among processes" in err


def test_damaged_and_foreign_parts_are_not_used(tmp_path):
    import pyarrow as pa

    from plurality_nb.studies.blocks import BlockResult, open_blocks

    ds = load_sample().select(range(8))
    blocks = open_blocks(tmp_path / "b", ds, ["group"], dict(stage="s"), size=4)
    whole = BlockResult(pa.table(dict(x=[1, 2, 3, 4])), {}).to_bytes()
    assert not blocks.keep(0, whole[:40] + b"?" + whole[41:])
    assert not blocks.keep(0, BlockResult(pa.table(dict(x=[1])), {}).to_bytes())
    assert blocks.keep(0, whole)
    assert blocks.missing() == [1]
    other = load_sample().select(range(1, 9))
    assert open_blocks(tmp_path / "b", other, ["group"], dict(stage="s"), 4).missing() == [0, 1]
    with pytest.raises(ContractError, match="something else"):
        (tmp_path / "mine").mkdir()
        open_blocks(tmp_path / "mine", ds, ["group"], {})
