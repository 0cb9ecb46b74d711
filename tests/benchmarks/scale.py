"""How seconds and memory of the statistics grow with the rows, from ten thousand to a million.

python tests/benchmarks/scale.py [--rows 10000 100000 1000000] [--stages correlate report ...] [--append]

Made-up comparisons, two pairs a prompt, with five people's votes and ten of a judge on each pair, the taxonomy, and the rewards of two models. Each stage runs in a
process of its own on an Arrow file that is mapped, not read; loading is another benchmark. A line per stage and size: seconds, the processor's seconds, and the peak
of resident memory, which counts the mapped pages of the file that were read; `before_mib` is what libraries and the opened file take before the stage begins. The
exponent between two sizes is the slope of seconds against rows, both as logarithms: 1 is linear. Lines that were kept stand in `tests/benchmarks/results/scale.jsonl`;
stage and size that stand there are left out, so that a broken run is taken up again.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from result_lines import finished, how_made, keep, start

RESULTS = Path(__file__).parent / "results" / "scale.jsonl"
BATCH = 10_000
OUTCOMES = ("a", "b", "tie")


def words(rng, n: int) -> np.ndarray:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return np.array(["".join(rng.choice(letters, rng.integers(2, 11))) for _ in range(n)])


def texts(rng, vocabulary: np.ndarray, n: int, mean: int) -> list[str]:
    "As many texts, of half to one and a half times the mean of words."
    lengths = rng.integers(mean // 2, mean + mean // 2 + 1, n)
    drawn = vocabulary[rng.integers(0, len(vocabulary), lengths.sum())].tolist()
    ends = np.cumsum(lengths).tolist()
    return [" ".join(drawn[end - k : end]) for end, k in zip(ends, lengths.tolist())]


def votes(rng, preference: np.ndarray, ties: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
    "Counts of n votes a pair: for A, for B, for neither."
    tie = rng.binomial(n, ties)
    a = rng.binomial(n - tie, preference)
    return a, n - tie - a, tie


def batch_columns(rng, vocabulary: np.ndarray, first: int, n: int) -> dict:
    "Rows from `first` on, as plain columns."
    from plurality_nb.taxonomy.quadrants import quadrant_of

    numbers = range(first, first + n)
    prompts = texts(rng, vocabulary, -(-n // 2), 15)
    wanted = rng.normal(size=n)
    plurality, indistinguishability = rng.random((2, n))
    ties = 0.1 + 0.3 * indistinguishability
    human = votes(rng, 1 / (1 + np.exp(-wanted)), ties, 5)
    judge = votes(rng, 1 / (1 + np.exp(-wanted - rng.normal(size=n))), ties, 10)
    columns: dict = dict(
        pair_id=[f"{i:016x}" for i in numbers],
        group=[f"{i // 2:016x}" for i in numbers],
        prompt=[
            [dict(role="user", content=f"{i // 2} {prompts[i // 2 - first // 2]}")] for i in numbers
        ],
        response_a=texts(rng, vocabulary, n, 36),
        response_b=texts(rng, vocabulary, n, 36),
        label=(rng.random(n) < 1 / (1 + np.exp(-wanted))).astype(float),
        label_source=["chosen"] * n,
        source=["made up"] * n,
        seen=[False] * n,
        plurality=plurality,
        indistinguishability=indistinguishability,
        quadrant=quadrant_of(plurality, indistinguishability),
        own_rewards=wanted + rng.normal(size=n),
        reward_b=np.zeros(n),
        other_rewards=wanted + 2 * rng.normal(size=n),
    )
    columns |= {f"human_{outcome}": count for outcome, count in zip(OUTCOMES, human)}
    return columns | {f"judge_{outcome}": count for outcome, count in zip(OUTCOMES, judge)}


def generate(path: Path, rows: int) -> None:
    "Write comparisons as an Arrow stream, the same ones for the same number of rows."
    import pyarrow as pa

    from plurality_nb.data.schema import FEATURES

    rng = np.random.default_rng(0)
    vocabulary = words(rng, 5000)
    own = [pa.field("own_rewards", pa.float64()), pa.field("other_rewards", pa.float64())]
    schema = pa.schema([*FEATURES.arrow_schema, *own])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        for first in range(0, rows, BATCH):
            n = min(BATCH, rows - first)
            columns = batch_columns(rng, vocabulary, first, n)
            arrays = [
                pa.array(columns[field.name], field.type, from_pandas=True)
                if field.name in columns
                else pa.nulls(n, field.type)
                for field in schema
            ]
            stream.write_batch(pa.record_batch(arrays, schema=schema))


def opened(path: Path) -> dict:
    "Two models' scored comparisons by name."
    from datasets import Dataset

    ds = Dataset.from_file(str(path))
    models = {}
    for name, column in dict(first="own_rewards", second="other_rewards").items():
        other = ({"own_rewards", "other_rewards"} - {column}).pop()
        models[name] = ds.remove_columns(["reward_a", other]).rename_column(column, "reward_a")
    return models


def explore_stage(models: dict) -> None:
    from plurality_nb.reports.exploration import Exploration

    state = Exploration(models)
    state.counts()
    state.forest()
    state.change_view(plural_at=0.6, sort="judge against people", text="walnut")


def report_stage(models: dict) -> None:
    from plurality_nb.studies.evaluate import write_report
    from plurality_nb.studies.measure import measure_models

    evaluation = dict(models=models, **measure_models(models, progress=False))
    with tempfile.TemporaryDirectory() as folder:
        write_report(evaluation, Path(folder) / "report.html")


def correlate_stage(models: dict) -> None:
    from plurality_nb.evaluation.correlation import correlate

    correlate(models)


def inspect_stage(models: dict) -> None:
    from plurality_nb.votes.inspection import inspect_comparisons

    str(inspect_comparisons(models["first"]))


def select_stage(models: dict) -> None:
    from plurality_nb.votes.selection import select_pairs

    select_pairs(models["first"], 1000, by="judge-model", voted=True)


STAGES: dict[str, Callable[[dict], None]] = dict(
    inspect=inspect_stage,
    select=select_stage,
    explore=explore_stage,
    correlate=correlate_stage,
    report=report_stage,
)


def peak_mib() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def run_stage(stage: str, path: Path) -> None:
    "In a process of its own: prints what one stage took."
    import datasets

    datasets.disable_progress_bars()
    models = opened(path)
    before = peak_mib()
    wall, processor = time.perf_counter(), time.process_time()
    STAGES[stage](models)
    taken = dict(
        seconds=round(time.perf_counter() - wall, 2),
        processor=round(time.process_time() - processor, 2),
        peak_mib=peak_mib(),
        before_mib=before,
    )
    print(json.dumps(taken))


def measured(stage: str, path: Path) -> dict:
    "What a stage takes in a process of its own."
    command = [sys.executable, __file__, "--stages", stage, "--one", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure_all(sizes: list[int], stages: list[str], append: bool) -> None:
    "A line per stage and size, without those that are kept already."
    there = finished(RESULTS, "name") if append else set()
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            missing = [stage for stage in stages if f"{stage} {rows}" not in there]
            path = Path(folder) / f"{rows}.arrow"
            if missing:
                make = [sys.executable, __file__, "--rows", str(rows), "--make", str(path)]
                subprocess.run(make, check=True)
            for stage in missing:
                began = start()
                taken = measured(stage, path)
                line = dict(benchmark="scale", name=f"{stage} {rows}", stage=stage, rows=rows)
                keep(
                    line | taken | how_made(began) | dict(seconds=taken["seconds"]), RESULTS, append
                )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--append", action="store_true", help="keep the lines")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # the file of the stage to run here
    parser.add_argument("--make", help=argparse.SUPPRESS)  # the file to write
    args = parser.parse_args()
    if args.make:
        generate(Path(args.make), args.rows[0])
    elif args.one:
        run_stage(args.stages[0], Path(args.one))
    else:
        measure_all(args.rows, args.stages, args.append)


if __name__ == "__main__":
    main()
