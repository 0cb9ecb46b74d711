"""Margins of controls, stopping, sharing in half precision, and the positive control.

`python tests/benchmarks/statistics/train.py --code after [--people]`; about two minutes, with
`--people` (real votes) four."""

import logging
import os
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr, t
from study_lines import Study, parser

from plurality_nb.data.arrow import take
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.judges.collect import collect_votes
from plurality_nb.judges.registry import load_judge
from plurality_nb.models.attention import tree_attention
from plurality_nb.models.packing import micro_batches
from plurality_nb.models.sharing import may_share, packable, pair_rewards
from plurality_nb.rewards import probe
from plurality_nb.rewards.objectives import OBJECTIVES
from plurality_nb.rewards.probe import _MeasuredDescents, cross_score, train_probe
from plurality_nb.rewards.targets import training_targets
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.votes.margins import add_margins, draw_labels
from plurality_nb.votes.shares import vote_share, votes_of

sys.path.insert(0, str(Path(__file__).parents[2]))
from small_models import small_model

try:
    from plurality_nb.models.heads import widen_head
except ImportError:  # before

    def widen_head(model):
        return []


def mean_and_interval(values):
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return np.mean(values), (np.mean(values) - half, np.mean(values) + half)


def controls(study, voted):
    "Mean margin of the rows that are trained on, by arm."
    for kind in ("decisiveness", "constant", "permuted"):
        means = []
        for seed in range(20):
            ds = add_margins(draw_labels(voted, seed=seed), kind, seed=seed)
            targets = training_targets(ds, "margin")
            means.append(targets["margin"][targets["keep"]].mean())
        value, ends = mean_and_interval(means)
        study.write(f"sample, {kind}", "mean margin trained with", value, "equal", 20, ends)


@contextmanager
def own_loss():
    "Within it, each objective stops by its own loss, as it did before."
    measure, rule = _MeasuredDescents.measure, probe.preference_loss
    measured = []

    def noted(self):
        measured.append(measure(self))
        return measured[-1]

    _MeasuredDescents.measure = noted
    probe.preference_loss = lambda *_: measured[-1].own_loss
    try:
        yield
    finally:
        _MeasuredDescents.measure, probe.preference_loss = measure, rule


def stopping(study, voted, seeds=6):
    """Rank correlation with 200 users on other prompts, by objective and by rule.

    Both rules in the same code and on the same folds: the names of groups, by which folds are
    drawn, are others in the code before."""
    people = simulate_votes(voted, sample_population(), n=200)
    rules = dict(zip(("its own loss", "one rule"), (own_loss, nullcontext)))
    got = {(objective, rule): [] for objective in OBJECTIVES for rule in rules}
    for seed in range(seeds):
        labelled = draw_labels(voted, seed=seed)
        groups = sorted(set(labelled["group"]))
        drawn = np.random.default_rng(seed).permutation(groups)[: len(groups) // 2]
        train = np.isin(labelled["group"][:], drawn)
        lead = vote_share(*votes_of(take(people, ~train))) - 0.5
        for objective, rule in got:
            kind = "signed" if objective == "signed_margin" else "decisiveness"
            ds = take(add_margins(labelled, kind, scale=3), train)
            with rules[rule]():
                model = train_probe(ds, objective, seed=seed, progress=False)
            scored = model.score(take(labelled, ~train), progress=False)
            delta = np.subtract(scored["reward_a"][:], scored["reward_b"][:])
            both = np.concatenate([delta, -delta]), np.concatenate([lead, -lead])
            correlation = spearmanr(*both).statistic if delta.any() else 0.0
            got[objective, rule].append((correlation, delta.any()))
    for (objective, rule), pairs in got.items():
        values, learned = np.array(pairs, dtype=float).T
        value, ends = mean_and_interval(values)
        setting = f"{objective}, stopped by {rule}"
        study.write(setting, "Spearman on other prompts", value, "no loss", seeds, ends)
        study.write_rate(setting, "rate of models that learned something", learned, "no loss")


def random_pairs(n, seed):
    rng = np.random.default_rng(seed)
    words = lambda low, high: rng.integers(1, 600, rng.integers(low, high)).tolist()  # noqa: E731
    pairs = []
    for _ in range(n):
        prompt = words(5, 30)
        pairs.append((prompt + words(3, 20), prompt + words(3, 20)))
    return pairs


def sharing(study, models=20):
    "How often the check lets a model share that reads across pairs, and what it gives then."
    pairs = random_pairs(24, 0)
    for kind in ("GPTJ", "Bloom", "Llama"):
        allowed, correlations = [], []
        for seed in range(models):
            model = small_model(kind, seed=seed).to(torch.bfloat16)
            with torch.no_grad():
                model.score.weight.normal_(std=0.005)  # small rewards, as of a new head
            packable(model)
            widen_head(model)
            allowed.append(may_share(model, pairs[:4]))
            if not allowed[-1]:
                continue
            with torch.no_grad():
                rewards = torch.empty(2, len(pairs))
                with tree_attention(model):
                    for piece in micro_batches(pairs, 10**6):
                        rewards[:, piece["pairs"]] = pair_rewards(model, piece).float()
                wide = model.float()
                alone = torch.tensor(
                    [[wide(torch.tensor([ids])).logits.item() for ids in p] for p in pairs]
                ).T
            delta, truth = (r[0] - r[1] for r in (rewards, alone))
            correlations.append(np.corrcoef(delta, truth)[0, 1])
        target = "1" if kind == "Llama" else "0"
        study.write_rate(f"{kind}, bfloat16", "rate of models that may share", allowed, target)
        if correlations:
            figure = "correlation of differences with those of each text alone, in float32"
            study.write(f"{kind}, bfloat16", figure, np.mean(correlations), "1", len(correlations))


def heads(study):
    "Close pairs that tie, of rewards near 25."
    model = small_model("Llama").to(torch.bfloat16)
    widen_head(model)
    tokens = torch.randint(1, 600, (400, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        hidden = model.model(tokens).last_hidden_state[:, -1].float()
        centre = hidden.mean(0)
        weight = model.score.weight.float()
        weight -= weight @ centre[:, None] * centre / (centre @ centre)
        model.score.weight.copy_(0.05 * weight + 25 * centre / (centre @ centre))
        truth = hidden @ model.score.weight.float()[0]
        rewards = model(tokens).logits[:, 0].float()
    first, second = torch.triu_indices(400, 400, 1)
    gap = (truth[first] - truth[second]).abs()
    close = (gap > 0.01) & (gap < 0.2) & (truth[first] > 16) & (truth[first] < 32)
    ties = (rewards[first] == rewards[second])[close].float().mean()
    setting = "Llama, bfloat16, rewards of 16 to 32 that are .01 to .2 apart"
    study.write(setting, "share of pairs that tie", ties, "0", int(close.sum()))


def counted_twice(study, voted):
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("plurality_nb").addHandler(handler)
    training_targets(draw_labels(voted), "posterior")
    warned = any("count twice" in line for line in lines)
    study.write("posterior on drawn labels", "warned", warned, "1", 1)


def people_control(study, limit=600):
    "Whether a probe trained on people's own votes beats the longer response."
    folder = Path(os.environ.get("PLURALITY_DATA", "../shared/data"))
    ds = load_comparisons(folder / "pandalm_testset_part.json", strict=False, limit=limit)
    scored = cross_score(ds, "votes", votes="human", progress=False)
    lead = vote_share(*votes_of(scored)) - 0.5
    length = np.array([len(a) - len(b) for a, b in zip(ds["response_a"], ds["response_b"])])
    rewards = np.subtract(scored["reward_a"][:], scored["reward_b"][:])
    for name, delta in dict(positive_control=rewards, longer_response=length).items():
        both = np.concatenate([delta, -delta]), np.concatenate([lead, -lead])
        value = spearmanr(*both).statistic
        study.write(f"PandaLM, {name}", "Spearman", value, "control ahead", len(ds))
    if study.arguments.code == "after":
        from plurality_nb.studies.sensitivity import assay_sensitivity

        found = assay_sensitivity(scored)
        print(found.text)
        study.write("PandaLM", "assay sensitivity", found.is_sensitive, "0 or 1", len(ds))


if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--people", action="store_true", help="the check on real votes alone")
    arguments = options.parse_args()
    logging.getLogger("plurality_nb").setLevel(logging.ERROR)
    study = Study("training", arguments)
    if arguments.people:
        people_control(study)
        raise SystemExit
    voted = collect_votes(load_sample(), load_judge("population"), progress=False)
    controls(study, voted)
    sharing(study)
    heads(study)
    logging.getLogger("plurality_nb").setLevel(logging.WARNING)
    counted_twice(study, voted)
    logging.getLogger("plurality_nb").setLevel(logging.ERROR)
    if arguments.code == "after":
        stopping(study, voted)
