"""Fits anew what the taxonomy's scores rest on: `python .ci/weights.py [DATA]`.

DATA is a folder with the votes of ukpconvarg1_votes.jsonl.gz, wmt23_votes.jsonl.gz and pandalm_testset_part.json. With it, the weights of
resources/tie_weights.toml are fitted; without it they stay. resources/plural.npz is then fitted to the authored prompts, and resources/alike.npz to the authored pairs, which takes half a minute.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from plurality_nb.evaluation.yardsticks import read_yardsticks
from plurality_nb.taxonomy.indistinguishability import (
    AlikeClassifier,
    alike_features,
    fit_alike_classifier,
)
from plurality_nb.taxonomy.prompt_classifier import fit_plurality_classifier
from plurality_nb.taxonomy.ties import TIE_INPUTS, monotone_weights, tie_inputs, tie_weights
from plurality_nb.taxonomy.training_pairs import authored_pairs

RESOURCES = Path(__file__).resolve().parents[1] / "plurality_nb" / "resources"
VOTES = ["ukpconvarg1_votes.jsonl.gz", "wmt23_votes.jsonl.gz", "pandalm_testset_part.json"]


def inputs_of(classifier: AlikeClassifier, pairs: pd.DataFrame) -> np.ndarray:
    texts = [pairs[column].tolist() for column in ("a", "b", "prompt")]
    features = alike_features(*texts, progress=False)
    evidence = classifier.evidence(features, *texts)
    length = (pairs.a.str.len() + pairs.b.str.len()).to_numpy()
    return classifier.fit.standardised(tie_inputs(features, length, evidence))


def sets_of_votes(data: Path) -> dict[str, pd.DataFrame]:
    "Pairs with the share of people who call them a tie, and the sample's."
    sets = {}
    for name in VOTES:
        sets |= read_yardsticks(data / name)
    authored = authored_pairs().rename(columns=dict(response_a="a", response_b="b"))
    is_sample = authored["kind"].str.startswith(("single_", "plural_"))
    sets["sample"] = authored[is_sample].assign(graded=authored.alike.astype(float))
    return sets


def fit_weights(data: Path) -> pd.Series:
    classifier = fit_alike_classifier()
    sets = sets_of_votes(data).values()
    inputs = [inputs_of(classifier, pairs) for pairs in sets]
    prior = np.array(list(TIE_INPUTS.values()))
    weights = monotone_weights(inputs, [pairs.graded.to_numpy() for pairs in sets], prior)
    return pd.Series(weights, index=list(TIE_INPUTS))


def write_weights(weights: pd.Series) -> None:
    path = RESOURCES / "tie_weights.toml"
    text = path.read_text(encoding="utf-8")
    for name, weight in weights.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {weight:.3f}", text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    tie_weights.cache_clear()


def main() -> None:
    if len(sys.argv) > 1:
        write_weights(fit_weights(Path(sys.argv[1])))
    fit_plurality_classifier(path=RESOURCES / "plural.npz")
    fit_alike_classifier(path=RESOURCES / "alike.npz")
    print(tie_weights().to_string())


if __name__ == "__main__":
    main()
