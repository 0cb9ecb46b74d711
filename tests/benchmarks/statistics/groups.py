"""Held-out pairs whose conversation, or nearly whose prompt, is trained on.

    python tests/benchmarks/statistics/groups.py --code after --append

HH-RLHF (harmless, test split) is read from $PLURALITY_DATA."""

import os
from inspect import signature
from pathlib import Path

import numpy as np
from study_lines import Study, parser

from plurality_nb.data.build import to_comparisons
from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.split import PARTS, part_of
from plurality_nb.rewards.targets import exclude_groups

SPLITS = 50
LEAST_WORDS = 25  # of a prompt in which one is changed


def first_turns(ds) -> np.ndarray:
    "(rows,): the first user turn, in lower case and without blanks at its ends."
    prompts = ds["prompt"]
    texts = [next(turn["content"] for turn in p if turn["role"] == "user") for p in prompts]
    return np.array([text.strip().lower() for text in texts])


def continued(study: Study, path: Path) -> None:
    "Held-out pairs that begin as a pair that is trained on."
    has_choice = "group_by" in signature(read_comparisons).parameters
    how = dict(group_by="first_turn") if has_choice else {}
    ds = load_comparisons(path, format="hh", strict=False, **how)
    turns = first_turns(ds)
    counts = np.array(
        [
            np.isin(turns[part == 2], turns[part == 0]).sum()
            for part in (part_of(ds, PARTS, seed) for seed in range(SPLITS))
        ]
    )
    tested = np.array([(part_of(ds, PARTS, seed) == 2).sum() for seed in range(SPLITS)])
    share = counts / tested
    spread = 1.96 * share.std(ddof=1) / np.sqrt(SPLITS)
    study.write(
        f"HH harmless, test split, {len(ds)} pairs, parts 80/10/10",
        "share of held-out pairs whose first user turn is trained on",
        share.mean(),
        "0",
        SPLITS,
        (share.mean() - spread, share.mean() + spread),
    )


def changed(study: Study, path: Path) -> None:
    "Prompts of the evaluation with one word changed, that stay in training."
    ds = load_comparisons(path, format="hh", strict=False)
    rng = np.random.default_rng(study.arguments.seed)
    rows = []
    for prompt in ds["prompt"][:]:
        words = prompt[-1]["content"].split()
        if len(prompt) > 1 or len(words) < LEAST_WORDS:
            continue
        other = list(words)
        other[rng.integers(len(words))] = "something"
        rows.append([" ".join(words), " ".join(other)])
    evaluated, repeats = (
        to_comparisons([dict(prompt=text, response_a="Yes", response_b="No") for text in texts])
        for texts in zip(*rows)
    )
    fresh = [dict(prompt=f"Name number {n}.", response_a="1", response_b="2") for n in range(50)]
    train = to_comparisons([*repeats, *fresh])
    has_choice = "near" in signature(exclude_groups).parameters
    left = exclude_groups(train, evaluated if has_choice else evaluated["group"][:])
    kept = np.isin(repeats["pair_id"][:], left["pair_id"][:])
    study.write_rate(
        f"one word changed in prompts of {LEAST_WORDS} words or more; exclude= the originals",
        "share of the changed prompts that are trained on",
        kept.tolist(),
        "0",
    )
    study.write_rate(
        "exclude= prompts about something else",
        "share of other prompts that are left out",
        (~np.isin(train["pair_id"][-50:], left["pair_id"][:])).tolist(),
        "0",
    )


def main() -> None:
    study = Study("prompts that are nearly the same", parser(__doc__).parse_args())
    path = Path(os.environ["PLURALITY_DATA"]) / "hh_harmless_base_test.jsonl.gz"
    continued(study, path)
    changed(study, path)


if __name__ == "__main__":
    main()
