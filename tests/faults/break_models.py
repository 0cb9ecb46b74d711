"Model folders that are cut off, mutated, incomplete or hostile: an error that names the file, and no code runs."

import functools
import hashlib
import json
import logging
import pickle
import random
import shutil
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from common import Trial

from plurality_nb.data.build import from_rows
from plurality_nb.data.checks import check_row
from plurality_nb.errors import ContractError
from plurality_nb.rewards.classifier import Classifier

JSON_FILES = ["config.json", "tokenizer.json", "tokenizer_config.json"]
WEIGHTS = "model.safetensors"
TEMPLATE = "chat_template.jinja"
ODD_VALUES = [None, -1, 0, 10**15, "x" * 50, [], {}, 1e308, True]
Change = Callable[[Path], None]


class RunsCode:
    "Creates a file when it is unpickled."

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple:
        return Path.touch, (self.marker,)


def sound_model(folder: Path) -> None:
    from small_models import small_model, small_tokenizer

    small_model("Llama").save_pretrained(folder)
    small_tokenizer().save_pretrained(folder)


def header_of(path: Path) -> tuple[dict, bytes]:
    whole = path.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    return json.loads(whole[8 : 8 + length]), whole[8 + length :]


def write_weights(path: Path, header: dict, data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def cut(name: str, share: float) -> Change:
    def change(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(share * len(whole))])

    return change


def flip(name: str, seed: int, first: int | None = None) -> Change:
    "Some bytes changed at random, of the whole file or among the first."

    def change(folder: Path) -> None:
        rng, whole = random.Random(seed), bytearray((folder / name).read_bytes())
        for _ in range(rng.choice([1, 3, 20])):
            whole[rng.randrange(min(len(whole), first or len(whole)))] = rng.randrange(256)
        (folder / name).write_bytes(bytes(whole))

    return change


def write(name: str, content: bytes | str) -> Change:
    def change(folder: Path) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)

    return change


def without(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return change


def with_value(name: str, key: str, value: object) -> Change:
    def change(folder: Path) -> None:
        whole = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(whole | {key: value}))

    return change


def without_key(name: str, key: str) -> Change:
    def change(folder: Path) -> None:
        whole = json.loads((folder / name).read_text())
        whole.pop(key, None)
        (folder / name).write_text(json.dumps(whole))

    return change


def with_tensor(pick: int, **facts: object) -> Change:
    "The header says something else of one of the tensors."

    def change(folder: Path) -> None:
        header, data = header_of(folder / WEIGHTS)
        names = [name for name in header if name != "__metadata__"]
        tensor = header[names[pick % len(names)]]
        tensor |= facts
        write_weights(folder / WEIGHTS, header, data)

    return change


def renamed_tensor(folder: Path) -> None:
    header, data = header_of(folder / WEIGHTS)
    name = next(name for name in header if "q_proj" in name)
    header["model.layers.7.other"] = header.pop(name)
    write_weights(folder / WEIGHTS, header, data)


def not_numbers(folder: Path) -> None:
    header, data = header_of(folder / WEIGHTS)
    write_weights(folder / WEIGHTS, header, b"\xff" * len(data))


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with (folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump(RunsCode(folder.parent / "code-ran"), file)


def own_code(folder: Path) -> None:
    marker = folder.parent / "code-ran"
    (folder / "modeling_own.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    classes = {
        "AutoConfig": "modeling_own.C",
        "AutoModelForSequenceClassification": "modeling_own.M",
    }
    with_value("config.json", "auto_map", classes)(folder)
    with_value("config.json", "model_type", "own")(folder)


def own_tokenizer(folder: Path) -> None:
    marker = folder.parent / "code-ran"
    (folder / "tokenization_own.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    with_value(
        "tokenizer_config.json", "auto_map", {"AutoTokenizer": ["tokenization_own.T", None]}
    )(folder)
    with_value("tokenizer_config.json", "tokenizer_class", "T")(folder)


def sharded(names: dict[str, str]) -> Change:
    def change(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        index = dict(metadata={}, weight_map=names)
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return change


# Faults by what they do; none of them may load.
MUST_FAIL: dict[str, Change] = {
    "no config": without("config.json"),
    "no weights": without(WEIGHTS),
    "no tokenizer": without("tokenizer.json", "tokenizer_config.json"),
    "nothing in it": without("config.json", WEIGHTS, *JSON_FILES, TEMPLATE),
    "config of nothing": write("config.json", "{}"),
    "config is a list": write("config.json", "[]"),
    "config is not UTF-8": write("config.json", b"\xff\xfe\x00{"),
    "config nested deeply": write("config.json", '{"a":' * 100_000),
    "config without its kind": without_key("config.json", "model_type"),
    "kind is unknown": with_value("config.json", "model_type", "never-heard-of"),
    "layers: 10^9": with_value("config.json", "num_hidden_layers", 10**9),
    "layers: 50": with_value("config.json", "num_hidden_layers", 50),
    "layers: 1 of 2": with_value("config.json", "num_hidden_layers", 1),
    "width: 10^15": with_value("config.json", "hidden_size", 10**15),
    "width: 10^7": with_value("config.json", "hidden_size", 10**7),
    "vocabulary: 10^8": with_value("config.json", "vocab_size", 10**8),
    "labels: 10^9": with_value("config.json", "num_labels", 10**9),
    "two labels": with_value("config.json", "id2label", {"0": "a", "1": "b"}),
    "weights empty": write(WEIGHTS, b""),
    "weights of text": write(WEIGHTS, "version https://git-lfs.github.com/spec/v1\n"),
    "weights cut in half": cut(WEIGHTS, 0.5),
    "weights cut in the header": cut(WEIGHTS, 0.001),
    "header of 2^60 bytes": write(WEIGHTS, struct.pack("<Q", 2**60) + b"{}"),
    "header without tensors": write(WEIGHTS, struct.pack("<Q", 2) + b"{}"),
    "tensor of another shape": with_tensor(1, shape=[10**12]),
    "tensor of an unknown type": with_tensor(1, dtype="F99"),
    "tensors of whole numbers": with_tensor(2, dtype="I32"),
    "tensor beyond the file": with_tensor(3, data_offsets=[0, 10**12]),
    "tensor under another name": renamed_tensor,
    "weights that are no numbers": not_numbers,
    "pickled weights": pickled,
    "code of its own": own_code,
    "tokenizer of its own code": own_tokenizer,
    "shard missing": sharded({"score.weight": "model-00001-of-00002.safetensors"}),
    "shard elsewhere": sharded({"score.weight": "../model.safetensors"}),
    "index of nothing": sharded({}),
    "tokenizer empty": write("tokenizer.json", ""),
    "tokenizer of nothing": write("tokenizer.json", "{}"),
    "tokenizer cut in half": cut("tokenizer.json", 0.5),
    "tokenizer is not UTF-8": write("tokenizer.json", b"\xff\xfe\x00"),
    "template broken": write(TEMPLATE, "{% for m in messages %}{{ m"),
    "template refuses all": write(TEMPLATE, "{{ raise_exception('Not today') }}"),
    "template of nothing known": write(TEMPLATE, "{{ messages.foo.bar.baz() }}"),
    "template escapes": write(TEMPLATE, "{{ ''.__class__.__mro__[1].__subclasses__() }}"),
    "adapter without a base": lambda folder: (
        without("config.json")(folder),
        write("adapter_config.json", '{"peft_type": "LORA"}')(folder),
    ),
    "adapter of nothing": lambda folder: (
        without("config.json")(folder),
        write("adapter_config.json", "[1]")(folder),
    ),
}


def random_faults(count: int) -> Iterator[tuple[str, Change]]:
    "Any of these may be harmless; if it is not, the error has to name the file."
    rng = random.Random(0)
    for seed in range(count):
        name = rng.choice([*JSON_FILES, *JSON_FILES, TEMPLATE, WEIGHTS])
        kind = rng.choice(["cut", "flip", "value", "key"])
        if name.endswith(".json") and kind in ("value", "key"):
            key = rng.choice(sorted(json.loads((sound_folder() / name).read_text())))
            value = rng.choice(ODD_VALUES)
            if kind == "key":
                yield f"{seed}: {name} without {key}", without_key(name, key)
            else:
                yield f"{seed}: {name} with {key} {value!r:.12}", with_value(name, key, value)
        elif kind == "cut":
            share = rng.random()
            yield f"{seed}: {name} cut at {share:.2f}", cut(name, share)
        else:
            first = 2000 if name == WEIGHTS else None
            yield f"{seed}: {name} with other bytes", flip(name, seed, first)


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="broken-models-")


@functools.cache
def sound_folder() -> Path:
    folder = Path(_scratch().name) / "sound"
    sound_model(folder)
    return folder


@functools.cache
def pairs():
    prompt = [dict(role="user", content="Name a river.")]
    return from_rows([check_row(dict(prompt=prompt, response_a="The Nile.", response_b="A hat."))])


def contents(folder: Path) -> str:
    "Names and bytes of all files."
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    overall = hashlib.sha256()
    for path in files:
        overall.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return overall.hexdigest()


def what_went_wrong(folder: Path, must_fail: bool) -> str:
    "What the product did to or with a folder that it should not; empty where it held."
    before, marker = contents(folder), folder.parent / "code-ran"
    marker.unlink(missing_ok=True)
    problem = ""
    try:
        Classifier.load(folder, device="cpu").score(pairs(), progress=False)
        problem = "loaded and scored" if must_fail else ""
    except ContractError as error:
        names = [str(folder), *(path.name for path in sound_folder().iterdir()), "template"]
        if not any(name in str(error) for name in names):
            problem = f"names no file: {error}"
    except BaseException as error:
        problem = f"{type(error).__name__}: {str(error)[:100]}"
    if marker.exists():
        problem = f"ran code; {problem}"
    if contents(folder) != before:
        problem = f"changed the folder; {problem}"
    return problem


def trial(name: str, change: Change, must_fail: bool) -> Trial:
    folder = Path(_scratch().name) / "broken"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound_folder(), folder)
    change(folder)
    problem = what_went_wrong(folder, must_fail)
    return Trial("models", name, held=not problem, what_happened=problem)


def trials(size: str) -> Iterator[Trial]:
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("plurality_nb").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    for name, change in MUST_FAIL.items():
        yield trial(name, change, must_fail=True)
    for name, change in random_faults(20 if size == "small" else 400):
        yield trial(name, change, must_fail=False)
