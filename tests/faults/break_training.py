"Breaks training: bad targets, divergence, kills at every file operation, damaged models and runs."

import math
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice, product
from pathlib import Path

from common import Trial

KIND = "training"
VALUES = dict(
    null=[1.0, None, 0.5],
    nan=[1.0, math.nan, 0.5],
    infinite=[1.0, math.inf, 0.5],
    negative=[1.0, -1.0, 0.5],
    too_large=[1.0, 1e300, 0.5],
    text=["1", "2", "3"],
    truth=[True, False, True],
    lists=[[1.0], [0.5], [0.0]],
    all_null=[None, None, None],
)
OBJECTIVES = ["margin", "signed_margin", "votes", "posterior", "bt", "smoothing"]


def outcome(attempt: Callable[[], object]) -> str:
    "done, refused (by the project's own error), or the type of a foreign error."
    from plurality_nb.errors import ContractError

    try:
        attempt()
    except ContractError:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def target_trials(size: str) -> Iterator[Trial]:
    "What no model can learn from never reaches a trainer, in a Dataset or a stream."
    import numpy as np
    from datasets import Dataset

    from plurality_nb.rewards.collation import checked_pairs

    missing = ["drop"] if size == "small" else ["drop", "label", "raise"]
    for objective, (name, values), how, streams in product(
        OBJECTIVES, VALUES.items(), missing, [False, True]
    ):
        columns = dict(chosen=["a", "b", "c"], rejected=["d", "e", "f"])
        column = "chosen_share" if objective in ("votes", "posterior") else "margin"
        rows = Dataset.from_dict(columns | {column: values})
        kept = []

        def attempt(rows=rows, objective=objective, how=how, streams=streams, kept=kept):
            given = rows.to_iterable_dataset() if streams else rows
            kept.extend(checked_pairs(given, objective, how))

        result = outcome(attempt)
        needs = {"votes": "chosen_share", "posterior": "chosen_share"}.get(objective, "margin")
        used = [row[needs] for row in kept] if objective not in ("bt", "smoothing") else [0.0]
        is_clean = bool(np.isfinite(np.array(used, dtype=float)).all())
        held = result == "refused" or (result == "done" and is_clean)
        yield Trial(KIND, f"{objective} {name} {how} streams={streams}", held, f"{result} {used}")


class Workshop:
    "A folder with a base model, rows, and a model that was trained before."

    def __init__(self, folder: Path):
        import torch
        import transformers
        from small_models import small_model, small_tokenizer

        from plurality_nb.data.trl import from_trl

        torch.set_num_threads(1)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self.base = folder / "base"
        self.place = folder / "place"
        self.rows = from_trl(
            dict(prompt=f"Q {i}", chosen=f"Good {i}", rejected=f"Bad {i}") for i in range(4)
        )
        for part in (small_model("Llama"), small_tokenizer()):
            part.save_pretrained(self.base)
        self.train()
        self.before = self.files()

    def train(self, **settings: object) -> None:
        from plurality_nb.rewards.run import train_model

        quick = dict(max_steps=2, save_steps=1, use_cpu=True, progress=False, objective="bt")
        train_model(self.rows, self.base, self.place / "mine", **quick | settings)

    def reset(self) -> None:
        "The place as it was: the earlier model alone."
        shutil.rmtree(self.place)
        shutil.copytree(self.base.parent / "saved", self.place)

    def files(self) -> dict[str, bytes]:
        "The model that stands under its name."
        folder = self.place / "mine"
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    def is_whole(self) -> bool:
        "Whether the model is the earlier one, byte for byte, or a complete new one."
        import json

        files = self.files()
        if files == self.before:
            return True
        note = json.loads(files.get("plurality.json", b"{}"))
        return sorted(files) == note.get("files")

    def is_finite(self) -> bool:
        "Whether all weights of the model are numbers."
        from safetensors.torch import load_file

        weights = load_file(self.place / "mine" / "model.safetensors").values()
        return all(bool(values.isfinite().all()) for values in weights)


def killed_at(workshop: Workshop, event: int, **settings: object) -> int:
    "Trains in a child that is killed at an event of its files; how many events there were."
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        count = 0

        def watch(name: str, arguments: tuple) -> None:
            nonlocal count
            touches = name in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")
            writes = name == "open" and isinstance(arguments[2], int) and arguments[2] & 3
            if (touches or writes) and str(workshop.place) in str(arguments[0]):
                count += 1
                os.write(writer, b".")
                if count == event:
                    os.kill(os.getpid(), signal.SIGKILL)

        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        sys.addaudithook(watch)
        try:
            workshop.train(**settings)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as events:
        count = len(events.read())
    os.waitpid(child, 0)
    return count


def kill_trials(size: str, workshop: Workshop) -> Iterator[Trial]:
    "Killed wherever it touches a file, training leaves a whole model, and goes on afterwards."
    workshop.reset()
    count = killed_at(workshop, 10**9, learning_rate=1e-3)
    whole = workshop.is_whole()
    yield Trial(KIND, f"not killed, {count} events", whole and count > 30, f"{count} events")
    events = list(range(1, count + 1))
    random.Random(0).shuffle(events)
    for event in events[:3] if size == "small" else events:
        workshop.reset()
        killed_at(workshop, event, learning_rate=1e-3)
        held = workshop.is_whole()
        again = outcome(lambda: workshop.train(learning_rate=1e-3)) if size != "small" else "done"
        left = sorted(path.name for path in workshop.place.iterdir())
        goes_on = again == "done" and workshop.is_whole()
        what = f"whole {held}, then {again}, {left}"
        yield Trial(KIND, f"killed at event {event} of {count}", held and goes_on, what)


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "garbage":
        path.write_bytes(random.Random(0).randbytes(len(content)))
    else:
        path.unlink()


def damage_trials(size: str, workshop: Workshop) -> Iterator[Trial]:
    "A damaged model is refused by the project's own error, or does no harm; it is never changed."
    from plurality_nb.rewards.model import RewardModel

    model = workshop.base.parent / "saved" / "mine"
    names = sorted(path.name for path in model.iterdir())
    faults = list(product(names, ["cut", "empty", "garbage", "gone"]))
    for name, how in islice(
        random.Random(1).sample(faults, len(faults)), 8 if size == "small" else None
    ):
        copy = workshop.base.parent / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(model, copy)
        damage(copy / name, how)
        before = {path.name: path.read_bytes() for path in copy.iterdir()}
        result = outcome(lambda copy=copy: RewardModel.load(copy))
        unchanged = before == {path.name: path.read_bytes() for path in copy.iterdir()}
        held = result in ("refused", "done") and unchanged
        yield Trial(KIND, f"{name} {how}", held, f"{result}, unchanged {unchanged}")


def divergence_trials(size: str, workshop: Workshop) -> Iterator[Trial]:
    "A run that diverges keeps the earlier model."
    rates = [1e5] if size == "small" else [1e3, 1e5, 1e10, 1e38]
    for rate in rates:
        workshop.reset()
        result = outcome(lambda rate=rate: workshop.train(learning_rate=rate, max_steps=12))
        kept = workshop.files() == workshop.before
        held = kept if result == "refused" else result == "done" and workshop.is_finite()
        yield Trial(KIND, f"learning rate {rate:g}", held, f"{result}, kept {kept}")


def trials(size: str) -> Iterator[Trial]:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    yield from target_trials(size)
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder).resolve())
        shutil.copytree(workshop.place, workshop.base.parent / "saved")
        yield from damage_trials(size, workshop)
        yield from divergence_trials(size, workshop)
        yield from kill_trials(size, workshop)
