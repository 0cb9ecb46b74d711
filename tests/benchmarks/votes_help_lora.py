"""What a fine-tuned model costs, and what can be seen of it: SmolLM2 with LoRA, bt against signed margin (for votes_help.py).

python tests/benchmarks/votes_help_lora.py --pairs 24 --test-pairs 96 --append

Short pairs of UKPConvArg1, the shortest of each topic, one draw, one held-out fold of topics. One person's vote is the label, the others' are the votes. Seconds are of processor.
"""

import argparse
import tempfile
import time

import numpy as np
from datasets import Dataset
from peft import LoraConfig
from result_lines import how_made, keep, start
from votes_help import RESULTS, TIE, Draw, Study, data_file, read_study, rounded
from votes_help_intervals import cosine, signed_ranks, spearman_interval

from plurality_nb.data.build import with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.models.smollm2 import SMOLLM2, named_model
from plurality_nb.rewards.classifier import Classifier
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer

OBJECTIVES = ["bt", "signed_margin"]
SETTINGS = dict(
    num_train_epochs=1,
    learning_rate=2e-4,
    per_device_train_batch_size=8,
    votes="human",
    use_cpu=True,
    seed=0,
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
)
RANK = 8
SCALE = 3  # of the signed margin
FOLD = 0  # held out


def short_rows(study: Study, usable: np.ndarray, number: int) -> np.ndarray:
    "Rows of the usable pairs with the shortest texts, as many of each group as there are."
    length = study.lengths[study.a] + study.lengths[study.b]
    order = np.argsort(length, kind="stable")
    order = order[usable[order]]
    turn = np.zeros(len(length), int)
    for group in np.unique(study.groups[order]):
        rows = order[study.groups[order] == group]
        turn[rows] = np.arange(len(rows))
    return order[np.argsort(turn[order], kind="stable")][:number]


def labelled(ds: Dataset, draw: Draw, rows: np.ndarray) -> Dataset:
    "Comparisons with the drawn person's label and the votes of the others."
    label = (draw.label[rows] == 0).astype(float)
    names = ["human_a", "human_b", "human_tie"]
    votes = dict(zip(names, draw.others[rows].T.astype(int)))
    signed = (draw.others[rows, 0] - draw.others[rows, 1]) / draw.others[rows].sum(1)
    margin = SCALE * signed * np.where(label, 1, -1)
    return with_columns(ds.select(rows), label=label, margin=margin, **votes)


def trained(objective: str, pairs: Dataset, test: Dataset) -> tuple[np.ndarray, dict]:
    "Differences of rewards on the test pairs, and the seconds and tokens that took."
    adapter = LoraConfig(
        task_type="SEQ_CLS",
        r=RANK,
        lora_alpha=2 * RANK,
        target_modules="all-linear",
        exclude_modules=["score"],
        modules_to_save=["score"],
    )
    with tempfile.TemporaryDirectory() as folder:
        args = MarginConfig(folder, objective=objective, **SETTINGS)
        trainer = MarginTrainer("smollm2", args, pairs, peft_config=adapter)
        rows = trainer.train_dataset
        tokens = sum(map(len, [*rows["ids_a"][:], *rows["ids_b"][:]]))
        clock = time.process_time()
        trainer.train()
        training = time.process_time() - clock
        trainer.save_model(folder)
        model = Classifier.load(folder, base=named_model(SMOLLM2))
        clock = time.process_time()
        scored = model.score(test, progress=False)
        scoring = time.process_time() - clock
    delta = np.array(scored["reward_a"][:]) - np.array(scored["reward_b"][:])
    return delta, dict(training=round(training, 1), tokens=tokens, scoring=round(scoring, 1))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=128)
    parser.add_argument("--test-pairs", type=int, default=256)
    parser.add_argument("--append", action="store_true")
    args = parser.parse_args()
    began = start()
    study = read_study("ukp", "none")
    ds = load_comparisons(str(data_file("ukp")))
    draw = Draw(study, "people", 0)
    rows = short_rows(study, (draw.fold != FOLD) & (draw.label != TIE), args.pairs)
    tested = short_rows(study, draw.fold == FOLD, args.test_pairs)
    pairs, test = labelled(ds, draw, rows), ds.select(tested)
    delta, cost = {}, {}
    for objective in reversed(OBJECTIVES):
        delta[objective], cost[objective] = trained(objective, pairs, test)
        print(objective, cost[objective], flush=True)
    lead, codes = study.lead[tested], study.groups[tested]
    truth = signed_ranks(lead)
    keep(
        dict(
            benchmark="votes_help",
            kind="lora",
            data="ukp",
            features="smollm2",
            votes="people",
            pairs=len(rows),
            tested=len(tested),
            topics=len(np.unique(codes)),
            rank=RANK,
            spearman={
                m: rounded(cosine(signed_ranks(x)[None], truth))[0] for m, x in delta.items()
            },
            difference=rounded(
                spearman_interval(delta["signed_margin"], lead, codes, delta["bt"]), 4
            ),
            cost=cost,
        )
        | how_made(began),
        RESULTS,
        args.append,
    )


if __name__ == "__main__":
    main()
