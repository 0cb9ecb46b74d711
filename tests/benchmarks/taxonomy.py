"""How long labelling takes, and what it saves to embed each text once: one JSON line.

    python tests/benchmarks/taxonomy.py --pairs 10000

Pairs are made of the responses of real data sets, several to a prompt, so that texts recur as they do there; the cache is empty at the start.
The other side embeds both responses and the prompt of a pair anew, with the encoder's own batches, on fewer pairs, extrapolated.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pairs(n, seed=0):
    import numpy as np

    from plurality_nb.data.build import to_comparisons
    from plurality_nb.data.loading import load_comparisons

    root = Path(os.environ.get("PLURALITY_DATA") or ROOT.parent / "shared" / "data")
    rng, said, prompts = np.random.default_rng(seed), {}, {}
    for name in ["pandalm_testset_part.json", "hh_harmless_base_test.jsonl.gz"]:
        for r in load_comparisons(root / name, strict=False):
            said.setdefault(r["group"], set()).update([r["response_a"], r["response_b"]])
            prompts[r["group"]] = r["prompt"]
    every = [(g, a, b) for g, s in said.items() for a in sorted(s) for b in sorted(s) if a < b]
    own = [every[i] for i in rng.permutation(len(every))]
    groups = sorted(said)
    while len(own) < n:  # responses of other prompts: as long, and read before
        g, h = rng.choice(len(groups), 2)
        own.append((groups[g], sorted(said[groups[g]])[0], sorted(said[groups[h]])[-1]))
    return to_comparisons(
        [
            dict(prompt=prompts[g], response_a=a, response_b=b, source="benchmark")
            for g, a, b in own[:n]
        ]
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--plain-pairs", type=int, default=200, help="pairs of the other side")
    how = parser.parse_args()
    os.environ.update(TQDM_DISABLE="1", PLURALITY_CACHE=tempfile.mkdtemp())
    from plurality_nb.models.encoder import ENCODER, _load, encoder_folder
    from plurality_nb.models.tokens import prompt_text
    from plurality_nb.taxonomy.indistinguishability import alike_classifier
    from plurality_nb.taxonomy.plurality import plurality_classifier
    from plurality_nb.taxonomy.quadrants import label_taxonomy

    ds = pairs(how.pairs)
    start = time.perf_counter()
    plurality_classifier(), alike_classifier()
    fitted = time.perf_counter() - start
    start = time.perf_counter()
    label_taxonomy(ds, progress=False)
    seconds = time.perf_counter() - start
    texts = [
        t
        for r in ds.select(range(how.plain_pairs))
        for t in (prompt_text(r["prompt"]), r["response_a"], r["response_b"])
    ]
    start = time.perf_counter()
    _load(encoder_folder()).encode(texts, show_progress_bar=False)
    plain = (time.perf_counter() - start) * how.pairs / how.plain_pairs
    every = [t for r in ds for t in (prompt_text(r["prompt"]), r["response_a"], r["response_b"])]
    print(
        json.dumps(
            dict(
                benchmark="taxonomy",
                pairs=len(ds),
                texts=len(every),
                different_texts=len(set(every)),
                encoder=ENCODER,
                seconds=round(seconds, 1),
                fitting_seconds=round(fitted, 1),
                pairs_per_second=round(len(ds) / seconds, 1),
                embedding_anew_seconds=round(plain, 1),
                ratio=round(plain / seconds, 2),
                peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                python=sys.version.split()[0],
            )
        )
    )


if __name__ == "__main__":
    main()
