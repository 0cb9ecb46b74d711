"""How often has an interval no width with few prompts, and does it cover the truth?

python tests/benchmarks/statistics/few_groups.py --code after

Prompts have two pairs each. The model sides with the majority with a chance that varies over
prompts, Beta(9, 1), so that 0.9 of the answers are right. A study without an interval has neither
an interval of no width nor one that covers or misses.
"""

import numpy as np
from study_lines import Study, parser

from plurality_nb.evaluation.bootstrap import rate_interval


def main():
    options = parser(__doc__)
    options.add_argument("--replications", type=int, default=1000)
    arguments = options.parse_args()
    study = Study("few prompts", arguments)
    rng = np.random.default_rng(arguments.seed)
    for prompts in (5, 10, 15, 30):
        groups = np.repeat(np.arange(prompts), 2)
        ends = []
        for run in range(arguments.replications):
            right = rng.random((prompts, 2)) < rng.beta(9, 1, prompts)[:, None]
            interval = rate_interval(right.ravel() * 1, np.ones(len(groups)), groups, 400, run)
            ends.append((interval["low"], interval["high"]))
        low, high = np.array(ends).T
        setting = f"{prompts} prompts, accuracy 0.9"
        study.write_rate(setting, "share of studies with an interval", ~np.isnan(low), "")
        study.write_rate(setting, "share of intervals without width", high - low < 1e-9, "0")
        given = ~np.isnan(low)
        if given.any():
            covered = ((low <= 0.9) & (high >= 0.9))[given]
            study.write_rate(setting, "coverage of the intervals given", covered, "0.90 to 0.97")


if __name__ == "__main__":
    main()
