"""Times what the explorer does between a click and its answer, beside the plain way with `Dataset.filter`, `map` and `sort`.

python tests/benchmarks/explore.py [--rows 20000] [--repeats 5]

One question: the pairs of one quadrant at moved thresholds, with five votes of people or more and a word in prompt or response, sorted by how far judge
and people are apart. Made-up texts of about 200 words; three pairs a prompt. Prints one JSON line: medians of seconds of the first answer (the text is
searched), of a further one (another order, the same text), of sending a page and a pair to a panel, of the counts and of the correlations at a moved
threshold; of the plain way; and the ratio of that to the first answer. Both must give the same pairs in the same order. Lines that were kept stand in
`tests/benchmarks/results/explore.jsonl`.
"""

import argparse
import json
import os
import sys
import time
from importlib.metadata import version
from statistics import median

import datasets
import numpy as np

from plurality_nb.data.build import from_rows, with_columns
from plurality_nb.reports.explorer import Explorer, explore
from plurality_nb.taxonomy.quadrants import quadrant_of

ASK = dict(
    quadrants=("plural_distinct",),
    min_votes=5,
    text="walnut",
    sort="judge against people",
    plural_at=0.6,
    alike_at=0.4,
)


def simulate(n):
    rng = np.random.default_rng(0)
    words = np.array(
        "the a of river walnut light seven paper quiet engine road green answer because window under music north simple carry".split()
    )

    def text(length):
        return " ".join(words[np.minimum(rng.geometric(0.15, length), len(words)) - 1])

    rows = [
        dict(
            pair_id=str(i),
            group=str(i // 3),
            prompt=[dict(role="user", content=f"{i // 3} {text(20)}")],
            response_a=text(rng.integers(50, 150)),
            response_b=text(rng.integers(50, 150)),
            source=f"source {i % 4}",
            seen=False,
        )
        for i in range(n)
    ]
    wanted = rng.normal(size=n)
    tie = rng.binomial(8, 0.2, n)
    a = rng.binomial(8 - tie, 1 / (1 + np.exp(-wanted)))
    judge = rng.binomial(10, 1 / (1 + np.exp(-wanted)))
    p, i = rng.random((2, n))
    return with_columns(
        from_rows(rows),
        human_a=a,
        human_b=8 - tie - a,
        human_tie=tie,
        judge_a=judge,
        judge_b=10 - judge,
        judge_tie=0 * judge,
        plurality=p,
        indistinguishability=i,
        quadrant=quadrant_of(p, i),
        reward_a=wanted + rng.normal(size=n),
        reward_b=0 * wanted,
    )


def plain(ds):
    def keep(r):
        said = " ".join(
            [*(t["content"] for t in r["prompt"]), r["response_a"], r["response_b"]]
        ).lower()
        return (
            r["plurality"] >= ASK["plural_at"]
            and r["indistinguishability"] < ASK["alike_at"]
            and r["human_a"] + r["human_b"] + r["human_tie"] >= 5
            and ASK["text"] in said
        )

    def gap(r):
        share = {
            w: (r[f"{w}_a"] + r[f"{w}_tie"] / 2) / (r[f"{w}_a"] + r[f"{w}_b"] + r[f"{w}_tie"])
            for w in ("human", "judge")
        }
        return dict(gap=-abs(share["human"] - share["judge"]))

    return (
        ds.filter(keep, load_from_cache_file=False).map(gap, load_from_cache_file=False).sort("gap")
    )


def timed(action, repeats):
    def once():
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    return round(median(once() for _ in range(repeats)), 4)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    datasets.disable_progress_bars()
    ds = simulate(args.rows)
    start = time.perf_counter()
    e = Explorer(ds)
    opened = time.perf_counter() - start

    def first():
        e.facts._text_rows.clear()
        e.show(**ASK)

    def turn():
        e.show(descending=not e.view.descending)

    seconds = dict(
        open=round(opened, 3),
        first_answer=timed(first, args.repeats),
        next_answer=timed(turn, 2 * args.repeats),
    )
    e.show(**ASK, descending=True)
    found = e.selection["pair_id"][:]
    theirs = timed(lambda: plain(ds), max(1, args.repeats // 2))
    # Arrays sort equal differences in the file's order, `Dataset.sort` in any: compared are the pairs, and the differences in order.
    other, key = plain(ds), dict(zip(e.facts.ids, e.facts.sorts[ASK["sort"]](e.view)))
    assert sorted(found) == sorted(other["pair_id"]) and np.allclose(
        [key[i] for i in found], [-g for g in other["gap"]]
    )
    panel = explore(ds, sort="split of people")
    at = iter(range(10**6))

    def ask():
        panel.widget().ask = dict(
            n=(k := next(at)), view={}, at=k * 37 % len(panel), start=k * 37 % len(panel)
        )

    seconds["page_and_pair"] = timed(ask, 4 * args.repeats)

    def slide():
        panel.widget().ask = dict(n=next(at), view=dict(plural_at=0.3 + 0.01 * (next(at) % 40)))

    seconds["moved_threshold"] = timed(slide, args.repeats)
    seconds["counts"], seconds["forest"] = (
        timed(panel.counts, args.repeats),
        timed(panel.forest, args.repeats),
    )
    run = dict(
        command=" ".join(["python", "tests/benchmarks/explore.py", *sys.argv[1:]]),
        cpus=os.cpu_count(),
        threads=os.environ.get("OMP_NUM_THREADS"),
        versions={p: version(p) for p in ("numpy", "pyarrow", "datasets")}
        | dict(python=sys.version.split()[0]),
    )
    print(
        json.dumps(
            dict(
                benchmark="explore",
                **run,
                rows=args.rows,
                pairs_found=len(found),
                seconds=seconds,
                plain_seconds=theirs,
                ratio=round(theirs / seconds["first_answer"], 1),
                ratio_next=round(theirs / seconds["next_answer"], 1),
            )
        )
    )


if __name__ == "__main__":
    main()
