"""How long labelling takes, and what it saves to embed each text once: one JSON line.

    python tests/benchmarks/taxonomy.py --pairs 10000

Pairs are made of the responses of real data sets, several to a prompt, so that texts recur as they do there; the cache is empty at the start.
The other side embeds both responses and the prompt of a pair each time, with the encoder's own batches, on fewer pairs, extrapolated.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["pandalm_testset_part.json", "hh_harmless_base_test.jsonl.gz"]


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--plain-pairs", type=int, default=200, help="pairs of the other side")
    return parser.parse_args()


def make_pairs(size: int, seed: int = 0) -> "Dataset":
    "Pairs of real responses to one prompt, filled up with pairs across prompts."
    import numpy as np

    from plurality_nb.data.build import to_comparisons
    from plurality_nb.data.loading import load_comparisons

    data = Path(os.environ.get("PLURALITY_DATA") or ROOT.parent / "shared" / "data")
    responses: dict[str, set[str]] = {}
    prompts: dict[str, list] = {}
    for name in SOURCES:
        for row in load_comparisons(data / name, strict=False):
            texts = [row["response_a"], row["response_b"]]
            responses.setdefault(row["group"], set()).update(texts)
            prompts[row["group"]] = row["prompt"]
    within = [
        (group, a, b)
        for group, texts in responses.items()
        for a, b in combinations(sorted(texts), 2)
    ]
    rng = np.random.default_rng(seed)
    pairs = [within[i] for i in rng.permutation(len(within))]
    groups = sorted(responses)
    while len(pairs) < size:  # responses of other prompts: as long, and read before
        first, second = (groups[i] for i in rng.choice(len(groups), 2))
        pairs.append((first, min(responses[first]), max(responses[second])))
    return to_comparisons(
        [
            dict(prompt=prompts[group], response_a=a, response_b=b, source="benchmark")
            for group, a, b in pairs[:size]
        ]
    )


def texts_of(ds: "Dataset") -> list[str]:
    from plurality_nb.models.tokens import prompt_text

    return [
        text
        for row in ds
        for text in (prompt_text(row["prompt"]), row["response_a"], row["response_b"])
    ]


def reading_seconds() -> float:
    "To read what the package was fitted to; the encoder, which takes longer, is loaded before."
    from plurality_nb.models.encoder import embed
    from plurality_nb.taxonomy.indistinguishability import alike_classifier
    from plurality_nb.taxonomy.prompt_classifier import plurality_classifier

    embed(["a text"])
    start = time.perf_counter()
    plurality_classifier()
    alike_classifier()
    return time.perf_counter() - start


def label_seconds(ds: "Dataset") -> float:
    from plurality_nb.taxonomy.quadrants import label_taxonomy

    start = time.perf_counter()
    label_taxonomy(ds, progress=False)
    return time.perf_counter() - start


def plain_seconds(texts: list[str]) -> float:
    "To embed all texts, repeated ones too, by the encoder alone."
    from plurality_nb.models.encoder import _load_encoder, encoder_folder

    start = time.perf_counter()
    _load_encoder(encoder_folder()).encode(texts, show_progress_bar=False)
    return time.perf_counter() - start


def main() -> None:
    options = read_options()
    os.environ.update(TQDM_DISABLE="1", PLURALITY_CACHE=tempfile.mkdtemp())
    # the package reads both settings when it is imported, so no import comes before
    from plurality_nb.models.encoder import ENCODER

    ds = make_pairs(options.pairs)
    reading = reading_seconds()
    labelling = label_seconds(ds)
    few = texts_of(ds.select(range(options.plain_pairs)))
    plain = plain_seconds(few) * options.pairs / options.plain_pairs
    texts = texts_of(ds)
    result = dict(
        benchmark="taxonomy",
        pairs=len(ds),
        texts=len(texts),
        different_texts=len(set(texts)),
        encoder=ENCODER,
        seconds=round(labelling, 1),
        reading_seconds=round(reading, 1),
        pairs_per_second=round(len(ds) / labelling, 1),
        embedding_anew_seconds=round(plain, 1),
        ratio=round(plain / labelling, 2),
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        python=sys.version.split()[0],
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
