"""Loads generated pairs from one JSONL.gz file with plurality_nb, and with `datasets.load_dataset` alone, each in a process of its own.

python tests/benchmarks/load.py [--rows 1000000]

Prints one JSON line: seconds of the loading call, rows a second and peak resident memory of both, and the ratio of the seconds.
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
from plurality_nb.sources import load_comparisons
start = time.perf_counter()
ds = load_comparisons(sys.argv[1])
"""
BARE = """
from datasets import load_dataset
start = time.perf_counter()
ds = load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])
"""
FRAME = """
import json, resource, sys, time
{}
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps(dict(rows=len(ds), seconds=round(seconds, 2), rows_per_second=round(len(ds) / seconds), peak_mib=round(peak / 2**20))))
"""


def generate(path, rows):
    "Two pairs a prompt; a prompt has some 100 characters, a response some 250."
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 10))) for _ in range(5000)]
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as f:
        for i in range(rows):
            say = lambda n: " ".join(draw.choices(words, k=n))
            if i % 2 == 0:
                prompt = f"{i} {say(14)}"
            f.write(json.dumps(dict(prompt=prompt, chosen=say(36), rejected=say(36))) + "\n")


def measure(code, *args):
    done = subprocess.run([sys.executable, "-c", FRAME.format(code), *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=1, help="measure so often, in turn, and print the fastest of each")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl.gz"
        generate(path, args.rows)
        runs = [(measure(OURS, path), measure(BARE, path, f"{folder}/cache{i}")) for i in range(args.repeats)]
        ours, bare = (min(r, key=lambda m: m["seconds"]) for r in zip(*runs))
        ratio = round(ours["seconds"] / bare["seconds"], 2)
        print(json.dumps(dict(benchmark="load", rows=args.rows, file_mib=round(path.stat().st_size / 2**20), plurality_nb=ours, load_dataset=bare, ratio=ratio)))


if __name__ == "__main__":
    main()
