"""Selected pairs, estimates from a judge and a few people, and the alternative annotator test, where
the truth is known."""

import numpy as np
from study_lines import Study, parser

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.judges.collect import collect_votes
from plurality_nb.simulation.users import PopulationJudge, sample_population, simulate_votes
from plurality_nb.votes.selection import select_pairs
from plurality_nb.votes.shares import tie_rate, votes_of

LEVEL = "90 to 98%"


def judged_sample(fidelity):
    crowd = sample_population()
    sample = load_sample()
    sample = with_columns(sample, quadrant=sample["written_quadrant"][:])
    judge = PopulationJudge(crowd, fidelity=fidelity)
    judged = collect_votes(sample, judge, 10, progress=False)
    return judged, simulate_votes(judged, crowd)


def selection_bias(study, runs=500):
    "The mean tie rate of the selected pairs less that of all."
    judged, everybody = judged_sample(0.9)
    ties = dict(zip(everybody["pair_id"], tie_rate(*votes_of(everybody))))
    values = np.array(list(ties.values()))
    for by in ["disagreement", "random"]:
        errors = {"plain": [], "Horvitz-Thompson": [], "Hajek": []}
        for seed in range(runs):
            chosen = select_pairs(judged, 40, by, seed=seed)
            of_chosen = np.array([ties[pair] for pair in chosen["pair_id"]])
            errors["plain"].append(of_chosen.mean() - values.mean())
            if "inclusion" in chosen.column_names:
                weights = 1 / np.array(chosen["inclusion"])
                total = (weights * of_chosen).sum() / len(values)
                errors["Horvitz-Thompson"].append(total - values.mean())
                errors["Hajek"].append(np.average(of_chosen, weights=weights) - values.mean())
        for kind, differences in errors.items():
            if differences:
                mean = np.mean(differences)
                error = np.std(differences) / np.sqrt(runs)
                ends = (mean - 1.96 * error, mean + 1.96 * error)
                setting = f"40 of 256 pairs by {by}, {kind} mean"
                study.write(
                    setting,
                    "bias of the tie rate",
                    mean,
                    "0 if weighted (Hajek: near 0)",
                    runs,
                    ends,
                )


def mean_coverage(study, runs=300):
    "Coverage of intervals for a mean; the judge is helpful, biased, useless or contrary."
    from plurality_nb.evaluation.prediction_powered import powered_mean

    judges = dict(helpful=(1, 0), biased=(1, 1), useless=(0, 0), contrary=(-1, 0))
    rng = np.random.default_rng(study.arguments.seed)
    for prompts in [20, 50, 200]:
        for name, (weight, shift) in judges.items():
            hits, classical, ratio = [], [], []
            for seed in range(runs):
                groups = np.repeat(np.arange(5 * prompts), 2)
                people = rng.normal(size=5 * prompts)[groups] + rng.normal(size=len(groups))
                judge = weight * people + rng.normal(size=len(groups)) + shift
                is_asked = np.isin(groups, rng.choice(5 * prompts, prompts, replace=False))
                seen = np.where(is_asked, people, np.nan)
                result = powered_mean(seen, judge, groups, n_boot=400, seed=seed)
                hits.append(result["low"] < 0 < result["high"])
                classical.append(result["classical_low"] < 0 < result["classical_high"])
                width = result["high"] - result["low"]
                ratio.append(width / (result["classical_high"] - result["classical_low"]))
            setting = f"mean, {prompts} labelled of {5 * prompts} prompts, {name} judge"
            study.write_rate(setting, "coverage of the 95% interval", hits, LEVEL)
            if name == "helpful":
                alone = f"{setting}, without it"
                study.write_rate(alone, "coverage of the 95% interval", classical, LEVEL)
            study.write(
                setting, "width over the classical width", np.mean(ratio), "1 at most", runs
            )


def annotator_panels(study, runs=300):
    "How often a judge passes that is as much worse as is allowed, or as good as people."
    from scipy.stats import false_discovery_control

    from plurality_nb.evaluation.stand_in import advantage_p

    rng = np.random.default_rng(study.arguments.seed)
    for people, pairs in [(3, 40), (3, 200), (6, 100)]:
        for worse in [0.1, 0.0]:
            passes = []
            for _ in range(runs):
                # A difference is 1, -1 or 0; its mean is how much worse the judge is.
                chances = [0.25 + worse / 2, 0.25 - worse / 2, 0.5]
                p = [
                    advantage_p(rng.choice([1, -1, 0], pairs, p=chances), np.arange(pairs), 0.1)
                    for _ in range(people)
                ]
                passes.append(np.mean(false_discovery_control(p, method="by") < 0.05) >= 0.5)
            target = "5% at most" if worse else "as high as can be"
            setting = f"{people} people, {pairs} pairs each, judge worse by {worse}, epsilon 0.1"
            figure = "rate of passing the alternative annotator test"
            study.write_rate(setting, figure, passes, target)


if __name__ == "__main__":
    arguments = parser(__doc__).parse_args()
    study = Study("standin", arguments)
    selection_bias(study)
    if arguments.code == "after":
        mean_coverage(study)
        annotator_panels(study)
