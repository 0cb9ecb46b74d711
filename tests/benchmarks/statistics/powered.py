"""Does it matter that the reliance on a judge is tuned on the labels that it is used with?

python tests/benchmarks/statistics/powered.py --code after --append

The mean of 1,000 pairs, one a prompt, of which some are labelled; people's numbers are standard normal, the judge's
follow them (correlation .7) or not. Figures: bias of the mean over its standard deviation, coverage of its interval, and the number
of labels that an interval of width .2 is said to need, over the number that the true variances give at the power tuned
on as many labels. `split` tunes on one half of the labels and estimates on the other, both ways, and averages.
"""

import numpy as np
from scipy.stats import t as student_t
from study_lines import Study, parser

from plurality_nb.evaluation.prediction_powered import powered_mean

PAIRS, RUNS, WIDTH = 1000, 300, 0.2
JUDGES = dict(helpful=1.0, useless=0.0)  # weight of people's number, beside noise as large


def true_number(weight, labelled):
    "Labels that the true variances ask for; the labelled pairs are among all of them."
    judge = weight**2 + 1
    power = weight / judge
    wanted = (WIDTH / 2 / student_t.ppf(0.975, labelled - 1)) ** 2
    by_labels = 1 - 2 * power * weight + power**2 * judge
    powered = by_labels / (wanted - power**2 * judge / PAIRS)
    return min(powered, 1 / wanted)


def split_mean(people, judge, labelled, rng):
    "Power from one half of the labels, mean from the other."
    halves = np.array_split(rng.permutation(labelled), 2)
    means = []
    for tuned, used in [halves, halves[::-1]]:
        covariance = np.cov(people[tuned], judge[tuned])
        power = np.clip(covariance[0, 1] / covariance[1, 1], 0, 1)
        means.append((people[used] - power * judge[used]).mean() + power * judge.mean())
    return np.mean(means)


def main():
    arguments = parser(__doc__).parse_args()
    study = Study("tuned reliance", arguments)
    rng = np.random.default_rng(arguments.seed)
    for labelled in (20, 50, 200):
        for name, weight in JUDGES.items():
            values, split, covered, needed = [], [], [], []
            for seed in range(RUNS):
                people = rng.normal(size=PAIRS)
                judge = weight * people + rng.normal(size=PAIRS)
                asked = rng.choice(PAIRS, labelled, replace=False)
                seen = np.full(PAIRS, np.nan)
                seen[asked] = people[asked]
                how = dict(n_boot=400, seed=seed, width=WIDTH)
                result = powered_mean(seen, judge, np.arange(PAIRS), **how)
                values.append(result["value"])
                split.append(split_mean(people, judge, asked, rng))
                covered.append(result["low"] <= 0 <= result["high"])
                needed.append(result["needed"] / true_number(weight, labelled))
            setting = f"{labelled} of {PAIRS:,} pairs labelled, {name} judge"
            for way, means in dict(tuned=values, split=split).items():
                z = np.mean(means) / np.std(means)
                margin = 1.96 / np.sqrt(RUNS)
                figure = f"bias of the mean over its standard deviation, {way}"
                study.write(setting, figure, z, "0", RUNS, (z - margin, z + margin))
            ratio = np.std(values) / np.std(split)
            study.write(setting, "standard deviation, tuned over split", ratio, "1 at most", RUNS)
            study.write_rate(setting, "coverage of the 95% interval", covered, "0.93 to 0.97")
            margin = 1.96 * np.std(needed) / np.sqrt(RUNS)
            mean = np.mean(needed)
            ends = mean - margin, mean + margin
            study.write(
                setting, "labels said to be needed over the true number", mean, "1", RUNS, ends
            )


if __name__ == "__main__":
    main()
