"""Do intervals of people's labels cover the truth where a few people gave all labels?

python tests/benchmarks/statistics/labellers.py --code after --append

Sixty prompts, each labelled by all members of a panel, who lean to 1 or to 0. The figure is the share of labels that
are 1, which is one half with other people.
"""

import inspect

import numpy as np
from study_lines import Study, parser

from plurality_nb.evaluation.labels import reliability_curve

PROMPTS, RUNS = 60, 200


def simulate(people, rng, leaning=1.5):
    "Scores, labels, prompts and names, (labels,) each."
    wanted = rng.normal(size=PROMPTS)
    lean = leaning * rng.normal(size=people)
    chance = 1 / (1 + np.exp(-2 * wanted[:, None] - lean))
    labels = (rng.random((PROMPTS, people)) < chance).ravel().astype(float)
    scores = np.repeat(1 / (1 + np.exp(-2 * wanted)), people)
    return (
        scores,
        labels,
        np.repeat(np.arange(PROMPTS), people),
        np.tile(np.arange(people), PROMPTS),
    )


def main():
    arguments = parser(__doc__).parse_args()
    study = Study("people as a random factor", arguments)
    rng = np.random.default_rng(arguments.seed)
    takes_people = "people" in inspect.signature(reliability_curve).parameters
    for people in (3, 10):
        covered = []
        for seed in range(RUNS):
            *sample, names = simulate(people, rng)
            of_people = dict(people=names.astype(str)) if takes_people else {}
            row = reliability_curve(*sample, 1, 200, seed, **of_people).iloc[0]
            covered.append(row.low <= 0.5 <= row.high)
        setting = f"{PROMPTS} prompts, panel of {people}, share of labels that are 1"
        target = "at least 0.80" if people == 3 else "0.90 to 0.97"
        study.write_rate(setting, "coverage of the 95% interval", covered, target)


if __name__ == "__main__":
    main()
