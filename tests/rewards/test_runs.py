"A run of training destroys nothing, shares its folder with nobody, and finds what is wrong before its first step."

import json
import os
import socket
import subprocess
import sys

import pytest
from small_models import small_model, small_tokenizer

from plurality_nb.data.trl import from_trl
from plurality_nb.errors import ContractError
from plurality_nb.rewards.run import train_model
from plurality_nb.rewards.saving import hold_output
from plurality_nb.rewards.trainer import MarginTrainer

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = dict(max_steps=2, use_cpu=True, progress=False, objective="bt")


@pytest.fixture(scope="module")
def rows():
    return from_trl(
        dict(prompt=f"Q {i}", chosen=f"Good {i}", rejected=f"Bad {i}") for i in range(6)
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "base"
    for part in (small_model("Llama"), small_tokenizer()):
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def out(rows, base, tmp_path):
    "A model that was trained before."
    train_model(rows, base, tmp_path / "mine", **QUICK)
    return tmp_path / "mine"


def tree_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


HOLDER = """
import sys
from plurality_nb.rewards.saving import hold_output
with hold_output(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_training_on_one_folder_is_refused(rows, base, tmp_path):
    out = tmp_path / "mine"
    command = [sys.executable, "-c", HOLDER, str(out)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        owner = f"held by process {other.pid} on {socket.gethostname()}"
        with pytest.raises(ContractError, match=owner):
            train_model(rows, base, out, **QUICK)
        other.kill()
    assert (tmp_path / ".mine.lock").exists()  # it was killed, so nobody removed it
    train_model(rows, base, out, **QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_lock_of_another_host_is_told(rows, base, tmp_path):
    lock = tmp_path / ".mine.lock"
    lock.write_text(json.dumps(dict(pid=7, host="node-2", since="Monday")))
    with pytest.raises(ContractError, match=r"process 7 on node-2, begun Monday.*delete '.*lock'"):
        train_model(rows, base, tmp_path / "mine", **QUICK)
    lock.write_text("what is this")
    with hold_output(tmp_path / "mine"):  # nothing says that it is another host's
        assert json.loads(lock.read_text())["pid"] == os.getpid()


@pytest.mark.parametrize(
    "model, message",
    [
        ("mistyped", "'mistyped': no folder here, not in the cache"),
        ("./mistyped", "'./mistyped': no such folder"),
        ("/data/models/mistyped", "no such folder"),
    ],
)
def test_an_unknown_model_leaves_nothing(model, message, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ContractError, match=message) as failure:
        train_model(rows, model, tmp_path / "mine", **QUICK)
    if model != "mistyped":
        assert "connect" not in str(failure.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(objective="margin"), "6 without a margin of 6 rows"),
        (dict(objective="votes"), "6 without a vote of 6 rows"),
        (dict(optim="nonsense"), "`settings`: want settings that transformers takes"),
        (dict(nonsense=1), "`settings`: want settings of `MarginConfig`"),
        (dict(max_steps=-1, num_train_epochs=0), "`train_dataset`: want rows for at least one"),
    ],
)
def test_what_can_be_checked_is_checked_before_the_first_step(
    change, message, rows, base, tmp_path, monkeypatch
):
    monkeypatch.setattr(MarginTrainer, "training_step", None)
    with pytest.raises(ContractError, match=message):
        train_model(rows, base, tmp_path / "mine", **QUICK | change)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["mine.parquet", "mine.json", "votes.csv"])
def test_a_name_of_a_file_is_refused(name, rows, base, tmp_path):
    with pytest.raises(ContractError, match=r"ends like a file. Give '(mine|votes)'"):
        train_model(rows, base, tmp_path / name, **QUICK)


def test_a_disk_that_is_too_small_is_told_before_the_first_step(rows, base, tmp_path, monkeypatch):
    usage = type("Usage", (), dict(free=1000))
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    monkeypatch.setattr(MarginTrainer, "training_step", None)
    with pytest.raises(ContractError, match=r"`out`: want 0.00 GB free for the model"):
        train_model(rows, base, tmp_path / "mine", **QUICK)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "where",
    [
        "checkpoint",
        "model",
        pytest.param("note", marks=pytest.mark.slow),
        pytest.param("card", marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_fills_up_keeps_the_model_and_names_the_file(
    where, rows, base, out, monkeypatch
):
    before = tree_of(out)
    error = OSError(28, "No space left on device", str(out.parent / f"{where}.file"))

    def full(*args, **kwargs):
        raise error

    places = dict(
        checkpoint="torch.save",
        model="transformers.modeling_utils.safe_save_file",
        note="plurality_nb.rewards.run.list_files",
        card="plurality_nb.rewards.trainer._card_section",
    )
    monkeypatch.setattr(places[where], full)
    with pytest.raises(ContractError, match=rf"{where}\.file' .*No space left on device"):
        train_model(rows, base, out, **QUICK | dict(learning_rate=1e-3))
    assert tree_of(out) == before
    monkeypatch.undo()
    train_model(rows, base, out, **QUICK | dict(learning_rate=1e-3))
    assert [path.name for path in out.parent.iterdir()] == ["mine"]
    assert tree_of(out) != before


def stop_after_a_checkpoint(rows, base, out):
    "As a run that was killed in its third step: two checkpoints are left."
    step = MarginTrainer.training_step

    def killed(self, *args):
        if self.state.global_step == 2:
            raise KeyboardInterrupt
        return step(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MarginTrainer, "training_step", killed)
        with pytest.raises(KeyboardInterrupt):
            train_model(rows, base, out, **QUICK | dict(max_steps=4, save_steps=1))
    return out.with_name(f"{out.name}.run")


def cut(name):
    def spoil(run):
        path = run / "checkpoint-2" / name
        path.write_bytes(path.read_bytes()[:-20])

    return spoil


@pytest.mark.parametrize(
    "spoil, message",
    [
        (cut("model.safetensors"), r"checkpoint-2/model.safetensors'.*Delete '.*checkpoint-2'"),
        (cut("optimizer.pt"), r"checkpoint-2/optimizer.pt'.*--restart"),
        (lambda run: (run / "thesis.tex").write_text("mine"), "also contains 'thesis.tex'"),
        (lambda run: (run / "run.json").write_text("{"), "a folder of something else"),
    ],
)
def test_a_broken_run_is_named_and_nothing_is_deleted(spoil, message, rows, base, tmp_path):
    run = stop_after_a_checkpoint(rows, base, tmp_path / "mine")
    spoil(run)
    before = tree_of(tmp_path)
    with pytest.raises(ContractError, match=message):
        train_model(rows, base, tmp_path / "mine", **QUICK | dict(max_steps=4, save_steps=1))
    assert tree_of(tmp_path) == before


def test_a_run_of_other_settings_is_refused_and_a_half_written_checkpoint_skipped(
    rows, base, tmp_path
):
    run = stop_after_a_checkpoint(rows, base, tmp_path / "mine")
    before = tree_of(tmp_path)
    with pytest.raises(ContractError, match=r"other learning_rate.*--restart"):
        changed = QUICK | dict(max_steps=4, save_steps=1, learning_rate=3e-3)
        train_model(rows, base, tmp_path / "mine", **changed)
    assert tree_of(tmp_path) == before
    (run / "checkpoint-2" / "trainer_state.json").unlink()
    settings = QUICK | dict(max_steps=4, save_steps=1)
    trained = train_model(rows, base, tmp_path / "mine", **settings)
    assert trained.state.global_step == 4
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


PROBE = """
import sys
from plurality_nb.cli import app
sys.argv = ["plurality", "train", sys.argv[1], "--objective", "bt", "--out", sys.argv[2]]
app.main()
"""


@pytest.mark.longest
@pytest.mark.slow
def test_torchrun_trains_a_probe_once(tmp_path):
    texts = [dict(prompt=f"Q {i}", chosen=f"Good {i}", rejected=f"Bad {i}") for i in range(12)]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in texts))
    loaded = tmp_path / "loaded.jsonl"
    from_trl(texts).to_json(loaded)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PROBE, str(loaded), str(tmp_path / "probe")],
            env=os.environ | dict(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank)),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    assert "wrote" in errors[0]
    assert "wrote" not in errors[1]
