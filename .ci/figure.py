"""Draws the figures of the landing page and the first tour: `python .ci/figure.py`. The same code gives the same bytes.

nbs/images/votes_help*.svg, for wide and narrow pages in light and dark, come from the committed results of a study,
nbs/images/quadrants.svg from the sample."""

import json
import textwrap
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
INK, SOFT = "C0", "C1"  # of `theme_settings`
INPUTS = {  # of the reward model: a linear head reads them
    "minilm": "MiniLM, length hardly counts",
    "minilm_length": "MiniLM, length made to count",
    "smollm2": "SmolLM2's states",
    "smollm2_length": "SmolLM2's states, length made to count",
}
METHODS = {  # of the study to its name here, marker and colour
    "bt": ("labels alone (bt)", "P", INK),
    "margin": ("margin (the paper's)", "o", MODEL_COLOURS[0]),
    "signed margin": ("signed margin", "s", MODEL_COLOURS[1]),
    "votes": ("soft labels", "^", MODEL_COLOURS[2]),
    "permuted signed": ("control: margins of other pairs", "v", "#8c8c8c"),
}
PAIRS = 1000
THEMES = {  # the report's colours; each figure has its own ground, whatever the page's is
    "light": dict(paper="#ffffff", ink="#1b1b1f", soft="#5c5f66"),
    "dark": dict(paper="#16171a", ink="#e8e8ea", soft="#a4a8b0"),
}


def theme_settings(paper: str, ink: str, soft: str) -> dict:
    "Matplotlib's settings for a figure on this ground; `C0` is the ink and `C1` the soft one."
    grounds = ["figure.facecolor", "axes.facecolor", "savefig.facecolor"]
    inks = ["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"]
    cycle = matplotlib.cycler(color=[ink, soft])
    return {
        **dict.fromkeys(grounds, paper),
        **dict.fromkeys(inks, ink),
        "axes.prop_cycle": cycle,
    }


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
    ax.text(longer, -0.62, "length alone", fontsize=8, ha="center", color=SOFT)
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


def votes_help_figure(is_narrow: bool = False) -> Figure:
    "What votes add to 1,000 labels on real people, and what better inputs add: side by side, or below."
    form = dict(nrows=2, figsize=(4.6, 6.8)) if is_narrow else dict(ncols=2, figsize=(9.6, 3.3))
    fig, (levels, gains) = plt.subplots(**form, sharey=True, layout="constrained")
    lines = [study_line(features) for features in INPUTS]
    draw_levels(levels, lines)
    draw_gains(gains, lines)
    names = [textwrap.fill(name, 18 if is_narrow else 80) for name in INPUTS.values()]
    levels.set_yticks(range(len(lines)), names, fontsize=8.5)
    levels.invert_yaxis()
    for ax in (levels, gains):
        ax.spines[["top", "right"]].set_visible(False)
    handles = dict(zip(*reversed(levels.get_legend_handles_labels())))
    handles |= dict(zip(*reversed(gains.get_legend_handles_labels())))
    columns = 2 if is_narrow else 5
    style = dict(ncols=columns, frameon=False, loc="outside lower center", fontsize=8.5)
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
        [("for the winner", "#3b6ea5"), ("tie", "#8c8c8c"), ("for the other", "#bd8a00")]
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


def votes_help_name(is_narrow: bool, theme: str) -> str:
    "Of the file with one form of the figure."
    return f"votes_help{'_narrow' * is_narrow}{'_dark' * (theme == 'dark')}.svg"


def write(fig: Figure, name: str) -> None:
    to = ROOT / "nbs" / "images" / name
    to.parent.mkdir(exist_ok=True)
    to.write_text(svg(fig) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for theme, colours in THEMES.items():
        with plt.rc_context(theme_settings(**colours)):
            for is_narrow in (False, True):
                write(votes_help_figure(is_narrow), votes_help_name(is_narrow, theme))
    write(quadrants_figure(), "quadrants.svg")
