"""What a model that knows the truth is charged for three outcomes, and how well pairs that divide people are ranked.

python tests/benchmarks/statistics/crowds.py --code after --append

Divided, indifferent and agreed pairs: tie rates are beta(1, 3), sides beta(.7, .7) distributed. 100 samples of 500
pairs, one a prompt, at 3, 5 and 20 votes. `preference` has the log odds of the true share, a tie counting half for
each side, as a Bradley-Terry model at its best would; ties are fitted to it on the other folds' prompts.
"""

import numpy as np
import study_lines

from plurality_nb.evaluation import crowds
from plurality_nb.evaluation.ceilings import fit_votes

RUNS, PAIRS = 100, 500


def figures(n: int, rng: np.random.Generator) -> dict[str, float]:
    "Of one sample."
    codes, once = np.arange(PAIRS), np.ones((1, PAIRS))
    tie, side = rng.beta(1, 3, PAIRS), rng.beta(0.7, 0.7, PAIRS)
    truth = np.stack([(1 - tie) * side, (1 - tie) * (1 - side), tie], 1)
    votes = rng.multinomial(n, truth).astype(float)
    lead = truth[:, 0] - truth[:, 1]
    delta = 2 * np.arctanh(lead)
    fitted = crowds.cross_fitted_outcomes(delta, *votes.T, codes)
    values = {}
    for name, predicted in [("the truth", truth), ("preference", fitted)]:
        values[f"squared distance of {name}, uncorrected"] = (
            ((predicted - votes / n) ** 2).sum(1).mean()
        )
        for statistic in (crowds.crowd_error, crowds.crowd_distance):
            values[f"{statistic.__name__} of {name}"] = (
                statistic(predicted, *votes.T, codes).values(once).item()
            )
    values["true squared distance of preference"] = ((fitted - truth) ** 2).sum(1).mean()
    values["true total variation of preference"] = np.abs(fitted - truth).sum(1).mean() / 2
    labels = dict(divided=crowds.division_label(*votes.T[:2]), tied=crowds.tie_label(*votes.T))
    knower = dict(divided=-np.abs(np.log(side / (1 - side))), tied=tie)
    mixture = crowds.known_aurocs(fit_votes(*votes.T), votes.sum(1))
    for (kind, label), known in zip(labels.items(), mixture):
        for name, score in [("the truth", knower[kind]), ("preference", -np.abs(delta))]:
            values[f"{kind}_auroc of {name}"] = (
                crowds.auroc(score, label, codes).values(once).item()
            )
        values[f"{kind}_auroc of the noise ceiling"] = known
    return values


def target(figure: str) -> str:
    "What a figure should be."
    if figure in ("crowd_error of the truth", "crowd_distance of the truth"):
        return "0"
    if figure == "crowd_error of preference":
        return "true squared distance of preference"
    if figure.endswith("ceiling"):
        return figure.replace("the noise ceiling", "the truth")
    return ""


def main():
    arguments = study_lines.parser(__doc__).parse_args()
    study = study_lines.Study("crowds", arguments)
    rng = np.random.default_rng(arguments.seed)
    for n in (3, 5, 20):
        runs = [figures(n, rng) for _ in range(RUNS)]
        for figure in runs[0]:
            values = np.array([run[figure] for run in runs])
            margin = 1.96 * values.std(ddof=1) / np.sqrt(RUNS)
            ends = values.mean() - margin, values.mean() + margin
            study.write(f"{n} votes", figure, values.mean(), target(figure), RUNS, ends)


if __name__ == "__main__":
    main()
