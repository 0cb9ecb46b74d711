"""Draws the figures of the landing page and the first tour: `python .ci/figure.py`. The same code gives the same bytes.

nbs/images/votes_help.svg comes from the committed results of a study, nbs/images/quadrants.svg from the sample."""

import json
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import plurality_nb as pn
from plurality_nb.data.build import number_column
from plurality_nb.data.schema import QUADRANTS
from plurality_nb.reports.blocks import svg
from plurality_nb.reports.plots import MODEL_COLOURS, plot_forest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "tests" / "benchmarks" / "results" / "votes_help.jsonl"
SHOWN = {  # objective of the study to its name here, marker and colour
    "signed margin": ("signed margin of the votes", "s", MODEL_COLOURS[1]),
    "votes": ("soft labels from the votes", "^", MODEL_COLOURS[2]),
    "margin": ("margin (the paper's)", "o", MODEL_COLOURS[0]),
    "permuted signed": ("control: margins of other pairs", "v", "#8c8c8c"),
}


def study_lines(data: str, votes: str) -> list[dict]:
    "The last line of each number of training pairs, fewest pairs first."
    wanted = dict(kind="size", data=data, features="minilm", votes=votes)
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    last = {line["trained"]: line for line in lines if wanted.items() <= line.items()}
    return [last[pairs] for pairs in sorted(last)]


def draw_gains(ax: Axes, lines: list[dict]) -> None:
    "Differences from a model trained on the labels alone, by number of training pairs."
    for number, (objective, (name, marker, colour)) in enumerate(SHOWN.items()):
        found = [
            (line["trained"], *line["differences"][f"{objective} - bt"]["spearman"][:3])
            for line in lines
            if f"{objective} - bt" in line["differences"]
        ]
        pairs, value, low, high = map(np.array, zip(*found))
        x = pairs * 1.06 ** (number - 1.5)
        arms = [value - low, high - value]
        style = dict(fmt=marker, ms=5, lw=1.2, capsize=2, color=colour, label=name)
        ax.errorbar(x, value, arms, **style)
        ax.plot(x, value, color=colour, lw=0.7, alpha=0.5)
    ax.axhline(0, color="#8c8c8c", lw=0.8, zorder=0)
    ax.set_xscale("log")
    ticks = [line["trained"] for line in lines]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("pairs with one person's label each")


def votes_help_figure() -> Figure:
    "What votes add to labels, on two sets of real people."
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.5), sharey=True, layout="constrained")
    draw_gains(left, study_lines("ukp", "people"))
    left.set_title("votes of four other people (arguments)", fontsize=10.5)
    left.set_ylabel("gain in Spearman correlation\nwith held-out people (95% interval)")
    draw_gains(right, study_lines("cobbler", "judges"))
    right.set_title("votes of 16 language models (instructions)", fontsize=10.5)
    handles, names = left.get_legend_handles_labels()
    fig.legend(handles, names, ncols=4, frameon=False, loc="outside lower center", fontsize=8.5)
    return fig


def quadrants_figure() -> Figure:
    "How simulated users vote in each quadrant, and what predicts their shares."
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
    return fig


def write(fig: Figure, name: str) -> None:
    to = ROOT / "nbs" / "images" / name
    to.parent.mkdir(exist_ok=True)
    to.write_text(svg(fig) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(votes_help_figure(), "votes_help.svg")
    write(quadrants_figure(), "quadrants.svg")
