"Lines of results: how they were made, which are there, and where they are kept."

import json
import math
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import plurality_nb


class Start(NamedTuple):
    "When a line was begun, in seconds of the clock and of the processor."

    wall: float
    processor: float


def start() -> Start:
    return Start(time.perf_counter(), time.process_time())


def how_made(began: Start) -> dict:
    "The command of this process, what it took, and what it ran on."
    packages = ("numpy", "scipy", "torch", "datasets")
    versions = {name: version(name) for name in packages}
    return dict(
        command=" ".join(["python", f"tests/benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        seconds=round(time.perf_counter() - began.wall),
        processor_seconds=round(time.process_time() - began.processor),
        cpus=os.cpu_count(),
        threads=os.environ.get("OMP_NUM_THREADS"),
        versions=versions
        | dict(python=sys.version.split()[0], plurality_nb=plurality_nb.__version__),
    )


def finished(path: Path, key: str) -> set:
    "The values of a key in the lines of a file."
    if not path.exists():
        return set()
    return {json.loads(line)[key] for line in path.read_text().splitlines()}


def strict(value: Any) -> Any:
    "The value with None where a number is not one: JSON has no other way to say so."
    if isinstance(value, dict):
        return {name: strict(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [strict(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def keep(line: dict, path: Path, append: bool) -> None:
    "Print a line, and add it to a file if wanted."
    text = json.dumps(strict(line), separators=(",", ":"), allow_nan=False)
    print(text)
    if append:
        with path.open("a") as file:
            file.write(text + "\n")
