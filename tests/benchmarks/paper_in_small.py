"""Prepares the data of nbs/experiments/paper_in_small.toml, and collects its results as numbers.

python tests/benchmarks/paper_in_small.py prepare FOLDER   # people.parquet, pairs.parquet, the TOML
plurality study run FOLDER/paper_in_small.toml --out FOLDER/study
python tests/benchmarks/paper_in_small.py collect FOLDER   # writes results/paper_in_small.jsonl

PandaLM's test set is looked for in $PLURALITY_DATA, or in shared/data next to the repository: its
pairs of at most 70 words, prompt included, so that a CPU can judge them; half of the prompts
evaluate, the other half is learned from, with one person's vote, drawn, as the label.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from result_lines import strict

FILE = "pandalm_testset_part.json"
MOST_WORDS = 70
RESULTS = Path(__file__).with_name("results") / "paper_in_small.jsonl"
TOML = Path(__file__).resolve().parents[2] / "nbs" / "experiments" / "paper_in_small.toml"


def data_file():
    here = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("PLURALITY_DATA") or here) / FILE
    if not path.exists():
        sys.exit(f"{path} is missing: set PLURALITY_DATA to the folder of {FILE}")
    return path


def words(row):
    texts = [turn["content"] for turn in row["prompt"]] + [row["response_a"], row["response_b"]]
    return sum(len(text.split()) for text in texts)


def prepare(folder):
    from plurality_nb.data.arrow import take
    from plurality_nb.data.loading import read_comparisons
    from plurality_nb.data.saving import save_comparisons
    from plurality_nb.votes.margins import draw_labels

    pairs, _ = read_comparisons(data_file(), strict=False, progress=False)
    pairs = take(pairs, np.array([words(row) <= MOST_WORDS for row in pairs]))
    groups = np.array(pairs["group"][:])
    drawn = np.random.default_rng(0).permutation(np.unique(groups))
    evaluates = np.isin(groups, drawn[: len(drawn) // 2])
    folder.mkdir(parents=True, exist_ok=True)
    save_comparisons(take(pairs, evaluates), folder / "people.parquet")
    labelled = draw_labels(take(pairs, ~evaluates), "human", seed=0)
    save_comparisons(labelled, folder / "pairs.parquet")
    shutil.copy(TOML, folder)
    print(evaluates.sum(), (~evaluates).sum())


def answered(folder, step, steps):
    "People's pairs that a way of asking has been answered on in both orders, and the votes."
    from plurality_nb.data.arrow import take
    from plurality_nb.judges.collect import ordered_pairs
    from plurality_nb.judges.prompts import answer_votes
    from plurality_nb.judges.store import StoredAnswers
    from plurality_nb.studies.stages import VoteTask, pairs_to_judge

    inputs = {i: folder / "study" / steps[i].file for i in [*step.after, *step.optional]}
    judge = VoteTask(**step.settings).open_judge(inputs)
    ds = pairs_to_judge(inputs)
    votes = np.full((len(ds), 2, 4), np.nan)
    with StoredAnswers(folder / "study" / "votes.sqlite") as store:
        for pair in ordered_pairs(ds, judge):
            known = store.get(pair.keys)
            for key in pair.keys:
                if key in known:
                    first, second, tie, failed = answer_votes(known[key].answer)
                    a, b = (first, second) if pair.order == 0 else (second, first)
                    votes[pair.row, pair.order] = np.array([a, b, tie, failed]) * [5, 5, 5, 1]
    twins = np.array([a == b for a, b in zip(ds["response_a"], ds["response_b"])])
    votes[twins, 1] = votes[twins, 0]
    whole = ~np.isnan(votes).any((1, 2))
    return take(ds, whole), votes[whole]


def rows_of(table, what, **facts):
    columns = ["statistic", "value", "low", "high", "n", "groups"]
    for row in table[["model", *columns]].to_dict("records"):
        yield dict(what=what, **facts, **row)


def collect(folder):
    from plurality_nb.data.build import with_columns
    from plurality_nb.data.loading import load_comparisons
    from plurality_nb.evaluation.ceilings import estimate_ceilings
    from plurality_nb.evaluation.correlation import correlate
    from plurality_nb.evaluation.disagreement import order_effects
    from plurality_nb.judges.collect import add_votes
    from plurality_nb.reports.page import versions
    from plurality_nb.rewards.probe import cross_score
    from plurality_nb.studies.config import load_study
    from plurality_nb.studies.stages import ask_judge
    from plurality_nb.studies.steps import study_steps

    study = load_study(folder / TOML.name)
    steps = {step.id: step for step in study_steps(study)}
    how = dict(by=None, n_boot=2000, seed=0)
    scored = {}
    for path in sorted((folder / "study" / "scores").rglob("*.parquet")):
        name = str(path.relative_to(folder / "study" / "scores").with_suffix(""))
        if "judges" not in name:
            scored[name.removesuffix("/seed-0")] = load_comparisons(path, merge=False)
    people = next(iter(scored.values()))
    probe = cross_score(people, "votes", 5, 0, False, votes="human")
    scored["probe on people's votes"] = probe
    lines = list(rows_of(correlate(scored, **how), "model"))
    lines += rows_of(estimate_ceilings(people, **how), "ceiling")
    for step in steps.values():
        if step.make is not ask_judge or not step.id.endswith(" of people"):
            continue
        way = step.id.removeprefix("votes ").removesuffix(" of people")
        ds, votes = answered(folder, step, steps)
        if not len(ds):
            continue
        judged = add_votes(ds, votes)
        nothing = [0.0] * len(ds)
        a = np.array(judged["judge_a"][:], dtype=float)
        model = with_columns(judged, reward_a=a, reward_b=nothing, seen=[False] * len(ds))
        lines += rows_of(correlate({"judge": model}, **how), "judge", way=way)
        effects = order_effects(votes, ds["group"][:]).reset_index(names="statistic")
        groups = len(set(ds["group"][:]))
        effects = effects.assign(model="judge", n=len(ds), groups=groups)
        lines += rows_of(effects, "order", way=way)
    for note in sorted((folder / "study" / "stages" / "margins").rglob("*.json")):
        mean = json.loads(note.read_text())["account"]["mean"]
        lines.append(dict(what="margin", way=note.parent.name, statistic="mean", value=mean))
    facts = dict(
        command="plurality study run paper_in_small.toml --out study",
        seed=0,
        versions=versions(),
        machine="two cores of an AMD EPYC, shared with other work",
        trained_on=52,
    )
    with RESULTS.open("w") as file:
        file.writelines(json.dumps(strict(line | facts), allow_nan=False) + "\n" for line in lines)


if __name__ == "__main__":
    dict(prepare=prepare, collect=collect)[sys.argv[1]](Path(sys.argv[2]))
