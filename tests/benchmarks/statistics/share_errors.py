"""What a model that knows the true shares is charged, and what `split` says, by the number of votes.

python tests/benchmarks/statistics/share_errors.py --code after --append

True shares are beta(2, 2) distributed; 200 samples of 300 pairs, one a prompt, at 3, 5, 10 and 50 votes.
"""

import numpy as np
import study_lines

from plurality_nb.evaluation import scores
from plurality_nb.votes.shares import vote_split

RUNS = 200


def error_of_knower(share, a, b):
    delta = np.log(share / (1 - share))
    codes = np.arange(len(a))
    if hasattr(scores, "share_error"):
        measure = scores.share_error(delta, a, b, 0 * a, codes)
    else:
        lead = a / (a + b) - 0.5
        measure = scores.score_measure("brier_excess", delta, delta, lead, codes)
    return measure.values(np.ones((1, len(a)))).item()


def main():
    arguments = study_lines.parser(__doc__).parse_args()
    study = study_lines.Study("share error", arguments)
    rng = np.random.default_rng(arguments.seed)
    for votes in (3, 5, 10, 50):
        found = []
        for _ in range(RUNS):
            share = rng.beta(2, 2, 300)
            a = rng.binomial(votes, share).astype(float)
            split = vote_split(a, votes - a)
            found.append((error_of_knower(share, a, votes - a), np.nanmean(split)))
        names = ["squared distance of a model that knows the truth", "split"]
        for name, values, target in zip(names, np.array(found).T, ["0", "the same at all"]):
            margin = 1.96 * values.std() / np.sqrt(RUNS)
            ends = values.mean() - margin, values.mean() + margin
            study.write(f"{votes} votes", name, values.mean(), target, RUNS, ends)


if __name__ == "__main__":
    main()
