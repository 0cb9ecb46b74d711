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
INPUTS = {  # of the reward model: a linear head reads them
    "minilm": "MiniLM, length hardly counts",
    "minilm_length": "MiniLM, length made to count",
    "smollm2": "SmolLM2's states",
    "smollm2_length": "SmolLM2's states, length made to count",
}
METHODS = {  # of the study to its name here, marker and colour
    "bt": ("labels alone (bt)", "P", "#4d4d4d"),
    "margin": ("margin (the paper's)", "o", MODEL_COLOURS[0]),
    "signed margin": ("signed margin", "s", MODEL_COLOURS[1]),
    "votes": ("soft labels", "^", MODEL_COLOURS[2]),
    "permuted signed": ("control: margins of other pairs", "v", "#a0a0a0"),
}
PAIRS = 1000


def study_line(features: str) -> dict:
    "The last line on people's votes with these inputs."
    wanted = dict(kind="size", data="ukp", votes="people", features=features, trained=PAIRS)
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return [line for line in lines if wanted.items() <= line.items()][-1]


def draw_levels(ax: Axes, lines: list[dict]) -> None:
    "Correlation of the methods, by what the model reads."
    for method in ("bt", "signed margin", "votes"):
        name, marker, colour = METHODS[method]
        gains = [
            0 if method == "bt" else line["differences"][f"{method} - bt"]["spearman"][0]
            for line in lines
        ]
        levels = [line["levels"]["bt"]["spearman"][0] + g for line, g in zip(lines, gains)]
        ax.plot(levels, range(len(lines)), marker, ms=6, color=colour, label=name)
    longer = lines[0]["levels"]["longer response"]["spearman"][0]
    ax.axvline(longer, color="#8c8c8c", lw=0.8, ls="--", zorder=0)
    ax.text(longer, -0.62, "length alone", fontsize=8, ha="center", color="#606060")
    ax.set_yticks(range(len(lines)), INPUTS.values(), fontsize=8.5)
    ax.set_xlabel("Spearman correlation with people's shares")


def draw_gains(ax: Axes, lines: list[dict]) -> None:
    "Differences from labels alone, with intervals."
    shown = [method for method in METHODS if method != "bt"]
    for number, method in enumerate(shown):
        name, marker, colour = METHODS[method]
        found = [line["differences"][f"{method} - bt"]["spearman"][:3] for line in lines]
        value, low, high = np.array(found).T
        y = np.arange(len(lines)) + (number - 1.5) * 0.17
        style = dict(fmt=marker, ms=5, lw=1.2, capsize=2, color=colour, label=name)
        ax.errorbar(value, y, xerr=[value - low, high - value], **style)
    ax.axvline(0, color="#8c8c8c", lw=0.8, zorder=0)
    ax.set_xlabel("gain over labels alone (95% interval)")


def votes_help_figure() -> Figure:
    "What votes add to 1,000 labels on real people, and what better inputs add."
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.3), sharey=True, layout="constrained")
    lines = [study_line(features) for features in INPUTS]
    draw_levels(left, lines)
    draw_gains(right, lines)
    left.invert_yaxis()
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    handles = dict(zip(*reversed(left.get_legend_handles_labels())))
    handles |= dict(zip(*reversed(right.get_legend_handles_labels())))
    style = dict(ncols=5, frameon=False, loc="outside lower center", fontsize=8.5)
    fig.legend(handles.values(), handles.keys(), **style)
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
