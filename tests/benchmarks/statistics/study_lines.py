"One line of JSON for each figure of the studies of our statistics."

import argparse
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

import plurality_nb

RESULTS = Path(__file__).resolve().parents[1] / "results" / "statistics.jsonl"


def parser(description: str) -> argparse.ArgumentParser:
    "Options that all studies share."
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--code", choices=["before", "after"], required=True)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--append", action="store_true", help=f"write to {RESULTS.name} as well")
    return options


class Study:
    "Prints figures, and keeps them where that is asked for."

    def __init__(self, check: str, arguments: argparse.Namespace) -> None:
        self.check = check
        self.arguments = arguments
        self.start = time.perf_counter()

    def write(
        self,
        setting: str,
        figure: str,
        value: float,
        target: str,
        runs: int,
        ends: tuple[float, float] = (np.nan, np.nan),  # of a 95% interval of the figure
    ) -> None:
        "One figure."
        script = Path(sys.argv[0])
        line = dict(
            check=self.check,
            code=self.arguments.code,
            setting=setting,
            figure=figure,
            value=round(float(value), 4),
            low=None if np.isnan(ends[0]) else round(float(ends[0]), 4),
            high=None if np.isnan(ends[1]) else round(float(ends[1]), 4),
            target=target,
            runs=runs,
            seed=self.arguments.seed,
            seconds=round(time.perf_counter() - self.start, 1),
            command=" ".join(
                ["python", f"tests/benchmarks/statistics/{script.name}", *sys.argv[1:]]
            ),
            versions=dict(
                python=sys.version.split()[0],
                numpy=version("numpy"),
                scipy=version("scipy"),
                plurality_nb=plurality_nb.__version__,
            ),
        )
        print(json.dumps(line), flush=True)
        if self.arguments.append:
            with RESULTS.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def write_rate(self, setting: str, figure: str, hits: list, target: str) -> None:
        "The rate of something that happened or not, with its Monte Carlo interval."
        times = int(np.sum(hits))
        ends = binomtest(times, len(hits)).proportion_ci(method="wilson")
        self.write(setting, figure, times / len(hits), target, len(hits), (ends.low, ends.high))
