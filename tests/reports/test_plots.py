"What the figures draw, on data that a reader would not try."

import re
from importlib.resources import files

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("agg")
import matplotlib.pyplot as plt

from plurality_nb.data.build import with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.correlation import correlate
from plurality_nb.reports import plots
from plurality_nb.reports.plots import plot_objective_map
from plurality_nb.rewards.model import score
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.votes.shares import vote_share, votes_of


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def ds():
    sample = load_sample()
    scores = np.random.default_rng(0).random((2, 256))
    return with_columns(
        score(simulate_votes(sample, sample_population()), "longer response"),
        plurality=scores[0],
        indistinguishability=scores[1],
        quadrant=sample["written_quadrant"][:],
    )


def test_reliability_is_the_mean_of_the_preferred_side(ds):
    curve = plots.preference_curve(ds, bins=1, n_boot=100)
    delta = np.subtract(ds["reward_a"][:], ds["reward_b"][:])
    share = vote_share(*votes_of(ds))
    preferred = np.where(delta > 0, share, np.where(delta < 0, 1 - share, 0.5))
    raw = curve[curve.scale == "raw"].iloc[0]
    predicted = (1 / (1 + np.exp(-abs(delta)))).mean()
    assert raw.value == pytest.approx(preferred.mean())
    assert raw.predicted == pytest.approx(predicted)
    assert raw.low < raw.value < raw.high
    assert raw.n == 256
    assert raw.groups == len(set(ds["group"]))
    pd.testing.assert_frame_equal(
        plots.preference_curve(swap_sides(ds), n_boot=50), plots.preference_curve(ds, n_boot=50)
    )
    curve = plots.preference_curve(ds, n_boot=50, level=0.9)
    assert set(curve.level) == {0.9}
    assert set(curve.votes) == {"human"}
    assert "90% interval" in plots.plot_reliability(curve).get_ylabel()
    ax = plots.plot_reliability(plots.preference_curve(ds, n_boot=50))
    assert len(ax.containers) == 2
    assert "probability" in ax.get_xlabel()
    assert "95% interval" in ax.get_ylabel()
    assert plots.plot_reliability(plots.preference_curve(ds, n_boot=50), ax) is ax


def test_reliability_of_few_pairs_and_of_one_answer(ds):
    few = plots.preference_curve(ds.select(range(4)), n_boot=50)
    # Too few prompts for folds or an interval.
    assert set(few.scale) == {"raw"}
    assert len(few) == 1
    assert np.isnan(few.low).all()
    plots.plot_reliability(few)
    flat = plots.preference_curve(
        with_columns(ds, reward_a=np.zeros(256), reward_b=np.zeros(256)), n_boot=50
    )
    assert (flat.predicted == 0.5).all() and (flat.value == 0.5).all()
    plots.plot_reliability(flat)


def test_shares_are_counted_once_and_mirrored(ds):
    counts = plots.share_counts(ds, n_boot=50)
    assert set(counts.votes) == {"human"}
    assert counts.value.sum() == pytest.approx(1)
    assert set(counts.pairs) == {256}
    assert np.allclose(plots.share_counts(swap_sides(ds), n_boot=50).value[::-1], counts.value)
    half = with_columns(ds, judge_a=[3.0] * 256, judge_b=[3.0] * 256, judge_tie=[0.0] * 256)
    both = plots.share_counts(half, n_boot=50)
    assert both[both.votes == "judge"].value.tolist() == [0] * 4 + [0.5, 0.5] + [0] * 4
    ax = plots.plot_shares(both)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "people (n=256 pairs)",
        "judge (n=256 pairs)",
    ]
    assert ax.get_ylabel() == "part of the pairs (95% interval)"
    for level, shown in [(0.8, "80%"), (0.5, "50%"), (0.999, "99.9%")]:
        ax = plots.plot_shares(plots.share_counts(half, n_boot=20, level=level))
        assert ax.get_ylabel() == f"part of the pairs ({shown} interval)"
    with pytest.raises(ContractError, match="comparisons with votes"):
        plots.share_counts(load_sample())


def test_a_moved_threshold_gives_what_labels_there_would(ds):
    curve = plots.threshold_curve(ds, "plural_at", at=(0.3, 0.5), n_boot=20)
    assert curve.groupby("at").pairs.sum().tolist() == [256, 256]
    from plurality_nb.taxonomy.quadrants import quadrant_of

    moved = with_columns(
        ds,
        quadrant=quadrant_of(
            np.array(ds["plurality"][:]), np.array(ds["indistinguishability"][:]), 0.3, 0.5
        ),
    )
    table = correlate(moved, n_boot=20, baselines=False, statistics=["spearman"])
    for q in plots.QUADRANTS:
        assert curve[(curve["at"] == 0.3) & (curve.quadrant == q)].value.item() == pytest.approx(
            table[table.quadrant == q].value.item()
        )
    for shown in ("pairs", "value"):
        ax = plots.plot_thresholds(curve, shown)
        assert [t.get_text() for t in ax.get_legend().get_texts()] == [
            q.replace("_", ", ") for q in plots.QUADRANTS
        ]
    unscored = with_columns(ds, reward_a=[None] * 256, reward_b=[None] * 256)
    assert "value" not in plots.threshold_curve(unscored, at=(0.5,))
    with pytest.raises(ContractError, match="plural_at"):
        plots.threshold_curve(ds, "both")


def test_learning_curves_of_a_trainers_log():
    log = [
        {"step": 1, "loss": 0.7, "accuracy": 0.5, "epoch": 0.1},
        {"step": 10, "loss": 0.6},
        {"step": 10, "eval_loss": 0.65, "eval_spearman_people": 0.2},
        {"step": 10, "train_runtime": 3.0},
        {"epoch": 1},
    ]
    curve = plots.learning_curve(log)
    assert curve.values.tolist() == [
        ["training", "loss", 1, 0.7],
        ["training", "accuracy", 1, 0.5],
        ["training", "loss", 10, 0.6],
        ["evaluation", "loss", 10, 0.65],
        ["evaluation", "spearman_people", 10, 0.2],
    ]
    ax = plots.plot_learning_curves({"a": log, "b": pd.DataFrame(log)})
    assert len(ax.lines) == 4
    assert ax.lines[0].get_ydata().tolist() == [0.7, 0.6]
    assert ax.lines[2].get_ydata().tolist() == [0.7, 0.6]
    assert ax.get_ylabel() == "loss [nats a pair]"
    assert plots.learning_curve([]).empty
    for wrong, why in [("margins_met", "logs that hold"), ("gold", "one of")]:
        with pytest.raises(ContractError, match=why):
            plots.plot_learning_curves({"a": log}, wrong)


def differences(mean, p=None, n=20, names=('pairs', 'fidelity', 'votes')):
    mean = np.asarray(mean, dtype=float)  # (pairs, fidelity, votes)
    index = pd.MultiIndex.from_product(
        [[100 * (k + 1) for k in range(s)] for s in mean.shape], names=names[-mean.ndim :]
    )
    return pd.DataFrame(
        dict(mean=mean.ravel(), p=1.0 if p is None else np.asarray(p, dtype=float).ravel(), n=n),
        index,
    )


def test_objective_map_draws_the_table_in_its_own_order():
    table = differences(np.arange(12).reshape(2, 2, 3) / 100).iloc[
        [9, 11, 10, *range(9)]
    ]  # not sorted
    ax = plot_objective_map(table)
    drawn = np.asarray(ax.collections[0].get_array())
    rows, columns = (
        [t.get_text() for t in ts] for ts in (ax.get_yticklabels(), ax.get_xticklabels())
    )
    assert columns == ['100', '300', '200'] and rows[0] == '200, 200'
    for (a, b, c), v in table['mean'].items():
        assert drawn[rows.index(f'{a:,}, {b:,}'), columns.index(f'{c:,}')] == v
    assert [t.get_text() for t in ax.texts] == [f'{v:+.3f}' for v in drawn.ravel()]


def test_objective_map_is_centred_at_zero_and_ends_where_told():
    table = differences([[-0.3, 0.1]])
    assert plot_objective_map(table).collections[0].get_clim() == (-0.3, 0.3)
    ax = plot_objective_map(table, limit=0.2)
    mesh = ax.collections[0]
    assert mesh.get_clim() == (-0.2, 0.2) and mesh.colorbar.extend == 'both'
    low, middle, high = (np.array(mesh.cmap(mesh.norm(x)))[:3] for x in (-0.2, 0, 0.2))
    # No colour at zero, warm below, cool above.
    assert middle.min() > 0.95
    assert low[0] > low[2]
    assert high[2] > high[0]
    assert plot_objective_map(differences([[0, 0]])).collections[0].get_clim() == (-1, 1)


def test_objective_map_dots_only_what_stands_after_correction():
    table = differences([[0.1, 0.1], [-0.1, 0]], [[0.049, 0.05], [0.001, np.nan]])
    assert np.floor(plot_objective_map(table).collections[1].get_offsets()).tolist() == [
        [0, 0],
        [0, 1],
    ]
    assert np.floor(
        plot_objective_map(table, level=0.01).collections[1].get_offsets()
    ).tolist() == [[0, 1]]


def test_objective_map_leaves_out_what_is_missing():
    table = differences([[0.1, 0.2], [0.3, 0.4]]).drop(index=(100, 200))
    ax = plot_objective_map(table)
    assert np.ma.getmaskarray(ax.collections[0].get_array()).sum() == 1 and len(ax.texts) == 3


def test_objective_map_says_units_and_numbers():
    one, two = (
        differences(np.zeros((1, 2, 2))),
        differences(np.zeros((1, 2, 2)), n=[20, 20, 18, 20]),
    )
    ax = plot_objective_map(one)
    label = ax.collections[0].colorbar.ax.get_ylabel()
    assert label == 'difference in Spearman correlation\n(mean of 20 seeds)'
    assert ax.get_xlabel() == 'votes' and ax.get_ylabel() == 'pairs, fidelity'
    assert (
        '(mean of 18 to 20 splits)'
        in plot_objective_map(two, of='splits').collections[0].colorbar.ax.get_ylabel()
    )


def test_objective_map_wants_rows_and_columns():
    with pytest.raises(ValueError, match='an index of two or more levels'):
        plot_objective_map(differences([0.1, 0.2]))


def test_objective_map_takes_an_axes():
    _, axes = plt.subplots(1, 2)
    assert plot_objective_map(differences([[0.1]]), axes[1]) is axes[1]
    assert not axes[0].collections


# Machado, Oliveira and Fernandes (2009), complete deficiency, on linear RGB.
SIGHTS = dict(
    normal=np.eye(3),
    protan=[
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    deutan=[
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    tritan=[
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
)
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
)


def linear(colour):
    light = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)


def lab(colour, sight):
    "CIE 1976 L*a*b*, as somebody sees it."
    x, y, z = TO_XYZ @ np.clip(SIGHTS[sight] @ linear(colour), 0, 1) / [0.95047, 1, 1.08883]
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(colour, paper):
    "Of two colours, 1 to 21, as in the Web Content Accessibility Guidelines."
    pale, dark = sorted([(TO_XYZ @ linear(c))[1] for c in (colour, paper)], reverse=True)
    return (pale + 0.05) / (dark + 0.05)


def resource(name):
    return (files("plurality_nb") / "resources" / name).read_text("utf-8")


def nearest(colours, sight):
    seen = [lab(colour, sight) for colour in colours]
    return min(np.linalg.norm(a - b) for k, a in enumerate(seen) for b in seen[:k])


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_of_a_palette_can_be_told_apart(sight):
    assert nearest(plots.MODEL_COLOURS[:5], sight) > 18
    assert nearest(plots.COLOURS.values(), sight) > 18


def test_no_model_looks_like_a_quadrant():
    others = [*plots.COLOURS.values(), *plots.VOTER_COLOURS.values()]
    for model in plots.MODEL_COLOURS[:5]:
        assert min(np.linalg.norm(lab(model, "normal") - lab(c, "normal")) for c in others) > 18


@pytest.mark.parametrize("paper", ["#ffffff", "#16171a"])
def test_marks_stand_out_on_light_and_dark_pages(paper):
    models = [c for c in plots.MODEL_COLOURS if c != "#000000"]  # drawn in the page's ink
    for colour in [*models, *plots.COLOURS.values(), *plots.VOTER_COLOURS.values()]:
        assert contrast(colour, paper) >= 3, colour


def test_text_of_figures_stands_out_on_light_and_dark_pages():
    template = resource("report.html")
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w+);", rules))
        for rules in re.findall(r":root \{(.*?)\}", template)[:2]
    )
    for page in (light, dark):
        assert contrast(page["ink"], page["page"]) >= 4.5
        assert contrast(page["soft"], page["page"]) >= 4.5
    assert contrast(plots.SMALL_PRINT_COLOUR, "#ffffff") >= 4.5  # in notebooks


def test_the_explorer_has_the_colours_of_the_figures():
    style = resource("explore.css")
    for quadrant, colour in plots.COLOURS.items():
        assert f".px-{quadrant} {{ --q: {colour.lower()}; }}" in style
    for number, colour in enumerate(plots.MODEL_COLOURS):
        drawn = colour.lower().replace("#000000", "var(--ink)")
        assert f".px-m{number} {{ --m: {drawn}; }}" in style
    voters = [colour.lower() for colour in plots.VOTER_COLOURS.values()]
    assert re.findall(r"--[ab]: (#\w+);", style) == voters


@pytest.mark.parametrize("count", [1, 7, 20])
def test_every_model_of_a_page_has_its_own_look(count):
    styles = plots.model_styles([f"m{k}" for k in range(count)])
    looks = {(style["fmt"], style["color"]) for style in styles.values()}
    assert len(looks) == count + 2
