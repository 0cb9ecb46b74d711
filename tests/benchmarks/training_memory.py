"""Peak memory of a few training steps on 10,000 and on 200,000 generated pairs.

Each size is measured in a process of its own.

python tests/benchmarks/training_memory.py [--rows 10000 200000] [--steps 5]

The pairs are written to disk first; the measured process opens them, tokenises all of them and
trains a tiny Qwen3 on some. `anonymous` is memory that the process holds for itself, sampled all
along; `resident` also counts pages of the files it has read, which the system takes back at will.
Prints one JSON line; `ratio` is that of `anonymous`.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def generate(rows, folder):
    from plurality_nb.data.build import to_comparisons

    draw = random.Random(0)
    words = "rain bread stone letter green north quick table music river".split()

    def text(length):
        return " ".join(draw.choices(words, k=length))

    pairs = (
        dict(
            prompt=f"{i}: {text(12)}",
            response_a=text(20),
            response_b=text(15),
            label=float(i % 2),
            margin=draw.random(),
        )
        for i in range(rows)
    )
    result = to_comparisons(pairs)
    comparisons = result[0] if isinstance(result, tuple) else result
    comparisons.save_to_disk(folder)


def train_and_print_peak(folder, steps):
    import torch
    from datasets import load_from_disk
    from small_models import small_model, small_tokenizer

    from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer

    torch.set_num_threads(1)
    peak = dict(RssAnon=0, VmRSS=0)

    def watch():
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in peak:
                    peak[name] = max(peak[name], int(value.split()[0]))
            time.sleep(0.01)

    threading.Thread(target=watch, daemon=True).start()
    with tempfile.TemporaryDirectory() as out:
        args = MarginConfig(
            out,
            max_steps=steps,
            report_to="none",
            use_cpu=True,
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = MarginTrainer(
            small_model("Qwen3"), args, load_from_disk(folder), processing_class=small_tokenizer()
        )
        trainer.train()
        trainer.save_model(f"{out}/m")
    print(
        json.dumps(
            {
                "pairs": len(trainer.train_dataset),
                "anonymous_mib": round(peak["RssAnon"] / 1024),
                "resident_mib": round(peak["VmRSS"] / 1024),
            }
        )
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"
    if args.measure:
        return train_and_print_peak(args.measure, args.steps)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for n in args.rows:
            generate(n, f"{folder}/{n}")
            start = time.perf_counter()
            run = subprocess.run(
                [
                    sys.executable,
                    __file__,
                    "--measure",
                    f"{folder}/{n}",
                    "--steps",
                    str(args.steps),
                ],
                check=True,
                capture_output=True,
                text=True,
            )
            runs.append(
                json.loads(run.stdout.splitlines()[-1])
                | dict(seconds=round(time.perf_counter() - start, 1))
            )
    print(
        json.dumps(
            dict(
                benchmark="training_memory",
                runs=runs,
                ratio=round(runs[-1]["anonymous_mib"] / runs[0]["anonymous_mib"], 3),
            )
        )
    )


if __name__ == "__main__":
    main()
