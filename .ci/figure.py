"""Draws the landing page's figure, nbs/images/quadrants.svg, from the sample: `python .ci/figure.py`. The same code gives the same bytes."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("agg")
import matplotlib.pyplot as plt

import plurality_nb as pn
from plurality_nb.data.build import number_column
from plurality_nb.data.schema import QUADRANTS
from plurality_nb.reports.blocks import svg
from plurality_nb.reports.plots import plot_forest

ds = pn.label_taxonomy(pn.load_comparisons("sample"), alike_as="same_meaning")
ds = pn.collect_votes(ds, pn.load_judge("population"))
ds = pn.simulate_votes(pn.add_margins(pn.draw_labels(ds), scale=1), n=20)
table = pn.correlate(
    {
        "reward model (bt)": pn.cross_score(ds, "bt"),
        "reward model (margin)": pn.cross_score(ds, "margin"),
    },
    n_boot=500,
)
table = table[~table.model.isin(["longer response", "random"]) & (table.quadrant != "overall")]

a, b, tie = (number_column(ds, f"human_{k}") for k in ("a", "b", "tie"))
votes = np.stack([np.maximum(a, b), tie, np.minimum(a, b)], 1) / (a + b + tie)[:, None]
names = dict(
    single_distinct="one good answer,\nresponses differ",
    single_alike="one good answer,\nresponses alike",
    plural_distinct="many good answers,\nresponses differ",
    plural_alike="many good answers,\nresponses alike",
)
fig, (left, right) = plt.subplots(
    1, 2, figsize=(9.6, 3.3), width_ratios=[1, 1.1], gridspec_kw=dict(wspace=0.09)
)
at, quadrant = np.arange(4), np.array(ds["quadrant"])
start = np.zeros(4)
for k, (label, colour) in enumerate(
    [("for the winner", "#3b6ea5"), ("tie", "#c9c9c9"), ("for the other", "#d98b3a")]
):
    share = np.array([votes[quadrant == q, k].mean() for q in QUADRANTS])
    left.barh(at, share, left=start, color=colour, label=label, height=0.62)
    for y, x, s in zip(at, start, share):
        if s > 0.08:
            left.text(
                x + s / 2,
                y,
                f"{s:.0%}",
                ha="center",
                va="center",
                fontsize=8,
                color="black" if k else "white",
            )
    start += share
left.set(yticks=at, xlim=(0, 1), xticks=[], title="How 20 users vote")
left.set_yticklabels([names[q] for q in QUADRANTS], fontsize=8.5)
left.invert_yaxis()
left.legend(
    ncols=3,
    frameon=False,
    fontsize=8,
    loc="upper center",
    bbox_to_anchor=(0.5, -0.01),
    columnspacing=1,
)
left.spines[:].set_visible(False)
left.tick_params(length=0)
plot_forest(table, ax=right)
right.set(
    title="What predicts their shares",
    xlabel="Spearman correlation with the users' share (95% interval)",
    ylim=left.get_ylim(),
    yticks=[],
)
right.spines["left"].set_visible(False)
right.legend(
    frameon=False,
    fontsize=8,
    loc="upper center",
    bbox_to_anchor=(0.5, -0.2),
    ncols=4,
    columnspacing=1,
    handletextpad=0.3,
)
for ax in (left, right):
    ax.title.set_fontsize(10.5)
to = Path(__file__).parents[1] / "nbs" / "images" / "quadrants.svg"
to.parent.mkdir(exist_ok=True)
to.write_text(svg(fig) + "\n", encoding="utf-8")
