"""Loads generated pairs from one JSONL.gz file with plurality_nb, and with `datasets.load_dataset` alone, each in a process of its own.

python tests/benchmarks/load.py [--rows 1000000]

Prints one JSON line: rows kept, seconds of the loading call, rows read a second and peak resident memory of both, and the ratio of the
seconds; then the same of loading nine tenths (`limit`), the training part (`part`), and a file as long in which every pair stands twice
(`repeated`), which one row a pair is made of.
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = """
from plurality_nb.data.loading import load_comparisons
start = time.perf_counter()
ds = load_comparisons(sys.argv[1], {})
"""
BARE = """
from datasets import load_dataset
start = time.perf_counter()
ds = load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=sys.argv[3])
"""
FRAME = """
import json, resource, sys, time
{}
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps(dict(rows=len(ds), seconds=round(seconds, 2), rows_per_second=round(int(sys.argv[2]) / seconds), peak_mib=round(peak / 2**20))))
"""


def say(draw, words, n):
    return " ".join(draw.choices(words, k=n))


def generate(path, rows, times=1):
    "Two pairs a prompt; a prompt has some 100 characters, a response some 250. Again from the start until each pair was written so often, every third time the other way round."
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as f:
        for again in range(times):
            draw = random.Random(0)
            words = [
                "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 10)))
                for _ in range(5000)
            ]
            for i in range(rows // times):
                if i % 2 == 0:
                    prompt = f"{i} {say(draw, words, 14)}"
                won, lost = say(draw, words, 36), say(draw, words, 36)
                if again and i % 3 == 0:
                    won, lost = lost, won
                f.write(json.dumps(dict(prompt=prompt, chosen=won, rejected=lost)) + "\n")


def measure(code, *args):
    done = subprocess.run(
        [sys.executable, "-c", FRAME.format(code), *map(str, args)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--repeats",
        type=int,
        default=1,
        help="measure so often, in turn, and print the fastest of each",
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, twice, n = Path(folder) / "pairs.jsonl.gz", Path(folder) / "twice.jsonl.gz", args.rows
        generate(path, n)
        generate(twice, n, 2)
        how = dict(
            plurality_nb=(path, ""),
            limit=(path, f"limit={n * 9 // 10}"),
            part=(path, "part='train'"),
            repeated=(twice, ""),
        )
        cases = {
            k: lambda i, f=f, given=given: measure(OURS.format(given), f, n)
            for k, (f, given) in how.items()
        }
        cases["load_dataset"] = lambda i: measure(BARE, path, n, f"{folder}/cache{i}")
        best = {
            k: min((case(i) for i in range(args.repeats)), key=lambda m: m["seconds"])
            for k, case in cases.items()
        }
        ratio = round(best["plurality_nb"]["seconds"] / best["load_dataset"]["seconds"], 2)
        print(
            json.dumps(
                dict(
                    benchmark="load",
                    rows=n,
                    file_mib=round(path.stat().st_size / 2**20),
                    **best,
                    ratio=ratio,
                )
            )
        )


if __name__ == "__main__":
    main()
