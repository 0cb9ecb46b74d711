"""Times `correlate` with many resamples, and the plain loop: draw prompts, write the resample out, call scipy.

python tests/benchmarks/bootstrap.py [--rows 10000] [--resamples 10000] [--statistics pearson spearman]

Two models, three pairs a prompt on average, votes of ten people, no slices. Prints one JSON line: seconds of `correlate`, peak resident memory of
its process and how much of that it added, and the seconds of the plain loop, which runs `--plain` resamples, `plain_seconds` being theirs times
resamples/plain, and the ratio of the two. Both give the same numbers for the sample itself, which is checked. Results are kept in
`tests/benchmarks/results/bootstrap.jsonl`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from importlib.metadata import version

import numpy as np
from datasets import Dataset
from scipy import stats

from plurality_nb.evaluation.correlation import correlate

SCIPY = dict(pearson=stats.pearsonr, spearman=stats.spearmanr, kendall=stats.kendalltau)


def simulate(n):
    rng = np.random.default_rng(0)
    group = rng.integers(0, n // 3, n)
    wanted = rng.normal(size=n)
    tie = rng.binomial(10, 0.2, n)
    a = rng.binomial(10 - tie, 1 / (1 + np.exp(-wanted)))
    shared = dict(
        pair_id=[str(i) for i in range(n)],
        group=[str(g) for g in group],
        response_a=["a"] * n,
        human_a=a,
        human_b=10 - tie - a,
        human_tie=tie,
    )
    return {
        m: Dataset.from_dict(
            shared
            | dict(reward_a=wanted + rng.normal(size=n), reward_b=np.zeros(n), seen=[False] * n)
        )
        for m in ("one", "two")
    }


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )


def ours(n, resamples, statistics):
    models = simulate(n)
    correlate(
        models, None, n_boot=10, baselines=False, statistics=statistics
    )  # what is imported late is not counted
    before, start = peak_mib(), time.perf_counter()
    table = correlate(models, None, n_boot=resamples, baselines=False, statistics=statistics)
    seconds, peak = time.perf_counter() - start, peak_mib()
    return dict(
        seconds=round(seconds, 2),
        peak_mib=round(peak),
        added_mib=round(peak - before),
        values=table.value.tolist(),
    )


def plain(n, resamples, statistics):
    models = simulate(n)
    group = np.unique(models["one"]["group"][:], return_inverse=True)[1]
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    lead = {
        k: (np.array(d["human_a"][:]) - np.array(d["human_b"][:])) / 20 for k, d in models.items()
    }
    delta = {k: np.array(d["reward_a"][:]) - np.array(d["reward_b"][:]) for k, d in models.items()}

    def measure(at):
        for k in models:
            x, y = np.r_[delta[k][at], -delta[k][at]], np.r_[lead[k][at], -lead[k][at]]
            yield from (SCIPY[s](1 / (1 + np.exp(-x)), y)[0] for s in statistics)

    rng, start = np.random.default_rng(0), time.perf_counter()
    for _ in range(resamples):
        list(
            measure(
                np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
            )
        )
    return time.perf_counter() - start, list(measure(np.arange(n)))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--plain", type=int, default=20, help="resamples of the plain loop")
    parser.add_argument("--statistics", nargs="+", choices=SCIPY, default=["pearson", "spearman"])
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.ours:
        print(json.dumps(ours(args.rows, args.resamples, args.statistics)))
        return
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--ours"], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    measured = json.loads(done.stdout.splitlines()[-1])
    seconds, values = plain(args.rows, args.plain, args.statistics)
    np.testing.assert_allclose(measured.pop("values"), values, atol=1e-12)
    loop = seconds * args.resamples / args.plain
    run = dict(
        command=" ".join(["python", "tests/benchmarks/bootstrap.py", *sys.argv[1:]]),
        cpus=os.cpu_count(),
        threads=os.environ.get("OMP_NUM_THREADS"),
        versions={p: version(p) for p in ("numpy", "scipy")} | dict(python=sys.version.split()[0]),
    )
    print(
        json.dumps(
            dict(
                benchmark="bootstrap",
                **run,
                n=args.rows,
                models=2,
                statistics=args.statistics,
                resamples=args.resamples,
                **measured,
                plain_resamples=args.plain,
                plain_seconds=round(loop, 1),
                plain_is="extrapolated",
                ratio=round(loop / measured["seconds"], 1),
            )
        )
    )


if __name__ == "__main__":
    main()
