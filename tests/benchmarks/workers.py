"""How much faster several workers score, judge and label, and what memory they take: JSON lines.

    OMP_NUM_THREADS=1 python tests/benchmarks/workers.py --pairs 20000 --append

One process works on the pairs, then workers on this machine do. On a machine that others use,
seconds of the clock say little, so seconds of the processor are given too: `speedup_by_processor`
is what one process took over what the busiest worker took, the loading of the model included.
Models are small and random; the pairs are strings of words of the authored sample.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import result_lines

if TYPE_CHECKING:
    from datasets import Dataset

RESULTS = Path(__file__).parent / "results" / "workers.jsonl"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--stages", nargs="+", default=["score", "vote", "taxonomy"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--words", type=int, default=12, help="in a response, about")
    parser.add_argument(
        "--without-one", action="store_true", help="do not compare with one process"
    )
    parser.add_argument("--append", action="store_true", help=f"add the lines to {RESULTS.name}")
    return parser.parse_args()


def make_pairs(size: int, words: int) -> "Dataset":
    "Short pairs, two on each prompt."
    import random

    from plurality_nb.data.build import to_comparisons
    from plurality_nb.data.sample import load_sample

    known = " ".join(load_sample()["response_a"]).split()
    draw = random.Random(0)

    def text() -> str:
        return " ".join(draw.choices(known, k=draw.randint(2, 2 * words)))

    prompts = [f"{text()} {number}?" for number in range(-(-size // 2))]
    return to_comparisons(
        dict(prompt=prompts[row // 2], response_a=text(), response_b=text()) for row in range(size)
    )


def save_models(folder: Path) -> None:
    "Two layers, random weights."
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import torch
    import transformers
    from small_models import small_config, small_model, small_tokenizer

    torch.manual_seed(0)
    judge = transformers.AutoModelForCausalLM.from_config(small_config("Llama"))
    for name, model in dict(reward=small_model("Llama"), judge=judge).items():
        small_tokenizer().save_pretrained(folder / name)
        model.save_pretrained(folder / name)


def stages(folder: Path) -> dict[str, Any]:
    from plurality_nb.studies.row_stages import JudgeStage, LabelStage, ScoreStage

    return dict(
        score=ScoreStage(str(folder / "reward")),
        vote=JudgeStage(f"local:{folder / 'judge'}", dict(min_mass=0.0), votes=2),
        taxonomy=LabelStage(),
    )


def largest_difference(one: Any, several: Any) -> float:
    import numpy as np

    gaps = []
    for name in several.column_names:
        a, b = (np.asarray(table[name].to_numpy(), dtype=float) for table in (one, several))
        gaps.append(float(np.nanmax(np.abs(a - b), initial=0)))
    return max(gaps)


def measure(ds: "Dataset", name: str, stage: Any, options: argparse.Namespace, place: Path) -> dict:
    from plurality_nb.studies.workers import Workers, map_blocks

    line: dict[str, Any] = dict(stage=name, pairs=len(ds), words=options.words)
    line["workers"] = options.workers
    one = None
    if not options.without_one:
        began = result_lines.start()
        one = stage.open()(ds).columns
        line["one_seconds"] = round(time.perf_counter() - began.wall, 1)
        line["one_processor_seconds"] = round(time.process_time() - began.processor, 1)
    began = result_lines.start()
    parts = place / f"{name}.parts"
    merged = map_blocks(ds, stage, Workers(options.workers), parts, progress=False)
    line["workers_seconds"] = round(time.perf_counter() - began.wall, 1)
    took: dict[int, float] = {}
    for block in merged.facts:
        use = block["took"]
        took[use["pid"]] = took.get(use["pid"], 0) + use["processor_seconds"]
    line["worker_processor_seconds"] = sorted(round(seconds, 1) for seconds in took.values())
    line["worker_peak_mib"] = max(block["took"]["peak_mib"] for block in merged.facts)
    line["blocks"] = len(merged.facts)
    if one is not None:
        line["largest_difference"] = largest_difference(one, merged.columns)
        busiest = max(took.values())
        line["speedup_by_clock"] = round(line["one_seconds"] / line["workers_seconds"], 2)
        line["speedup_by_processor"] = round(line["one_processor_seconds"] / busiest, 2)
    return line


def main() -> None:
    import os

    options = read_options()
    ds = make_pairs(options.pairs, options.words)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PLURALITY_CACHE"] = "off"  # workers would find what one process has embedded
        save_models(Path(folder))
        for name, stage in stages(Path(folder)).items():
            if name not in options.stages:
                continue
            began = result_lines.start()
            line = measure(ds, name, stage, options, Path(folder))
            load = round(os.getloadavg()[1], 1)
            whole = dict(benchmark="workers") | line | dict(load_average=load)
            result_lines.keep(whole | result_lines.how_made(began), RESULTS, options.append)


if __name__ == "__main__":
    main()
