"The explorer without a browser: views against the plain way, notes that several write, texts that stay texts."

import json
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from datasets import concatenate_datasets
from hypothesis import given, settings
from hypothesis import strategies as st

from plurality_nb.data.build import from_rows, with_columns
from plurality_nb.data.checks import check_row
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.sample import load_sample
from plurality_nb.data.schema import QUADRANTS
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.correlation import correlate
from plurality_nb.reports import explorer
from plurality_nb.reports.differences import word_differences
from plurality_nb.reports.exploration import Exploration, voices
from plurality_nb.reports.explorer import Explorer, explore
from plurality_nb.reports.notes import Notes
from plurality_nb.reports.panel import PAGE_ROWS
from plurality_nb.reports.summary import text_bar
from plurality_nb.reports.view import Facts, View, rows_in_view
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.taxonomy.quadrants import quadrant_of

RESOURCES = Path(explorer.__file__).parents[1] / "resources"


@pytest.fixture(scope="module")
def ds():
    "The sample with users, a judge who answered two rows of three, scores for four of five, and a model."
    ds = simulate_votes(load_sample(), sample_population(), n=9)
    n = len(ds)
    rng = np.random.default_rng(0)
    rows = np.arange(n)
    plurality, alike = np.where(rows % 5 == 4, np.nan, rng.random((2, n)))
    judge = np.where(rows % 3 == 2, np.nan, rng.integers(1, 6, (3, n)))
    return with_columns(
        ds,
        judge_a=judge[0],
        judge_b=judge[1],
        judge_tie=judge[2],
        plurality=plurality,
        indistinguishability=alike,
        quadrant=quadrant_of(plurality, alike),
        source=[f"simulated:{k % 3}" for k in range(n)],
        reward_a=rng.normal(size=n),
        reward_b=rng.normal(size=n),
        seen=rng.random(n) < 0.2,
    )


@pytest.fixture(scope="module")
def facts(ds):
    return Facts(dict(model=ds))


VIEWS = st.fixed_dictionaries(
    {},
    optional=dict(
        quadrants=st.lists(st.sampled_from([*QUADRANTS, "none"]), unique=True),
        sources=st.lists(st.sampled_from([f"simulated:{k}" for k in range(3)]), unique=True),
        text=st.sampled_from(["", "the", "WRITE", "(", "a.b", "\\"]),
        min_votes=st.sampled_from([0, 9, 10]),
        judged=st.booleans(),
        descending=st.booleans(),
        seen=st.sampled_from(["", "seen", "unseen"]),
        contradicts=st.sampled_from(["", "*", "model", "judge"]),
        counted=st.booleans(),
        plural_at=st.floats(0, 1),
        alike_at=st.floats(0, 1),
        sort=st.sampled_from(
            [
                "file order",
                "split of people",
                "tie rate of judge",
                "judge against people",
                "model against people",
                "distance to either threshold",
            ]
        ),
    ),
)


def quadrant_in(row, view):
    if row["plurality"] is None:
        return "none"
    plural = np.float32(row["plurality"]) >= view.plural_at
    alike = np.float32(row["indistinguishability"]) >= view.alike_at
    return QUADRANTS[2 * plural + alike]


def prefers(a, b, tie):
    "1 for A, -1 for B, 0 for neither or where nobody voted."
    return int(np.sign((a or 0) - (b or 0)))


def contradicts(row, name):
    people = prefers(row["human_a"], row["human_b"], row["human_tie"])
    model = prefers(row["reward_a"], row["reward_b"], 0)
    judge = prefers(row["judge_a"], row["judge_b"], row["judge_tie"])
    return people * dict(judge=judge).get(name, model) < 0


def passes(row, view):
    "The filters, written out for one row."
    texts = [*(turn["content"] for turn in row["prompt"]), row["response_a"], row["response_b"]]
    return (
        (not view.quadrants or quadrant_in(row, view) in view.quadrants)
        and (not view.sources or row["source"] in view.sources)
        and row["human_a"] + row["human_b"] + row["human_tie"] >= view.min_votes
        and (not view.judged or row["judge_a"] is not None)
        and (not view.seen or row["seen"] == (view.seen == "seen"))
        and (not view.contradicts or contradicts(row, view.contradicts))
        and (not view.counted or not row["seen"])
        and (not view.text or any(view.text.lower() in text.lower() for text in texts))
    )


@settings(max_examples=40, deadline=None)
@given(fields=VIEWS)
def test_views_are_the_plain_filters_in_order(ds, facts, fields):
    view = View.checked(facts, **fields)
    rows = rows_in_view(facts, view)
    assert sorted(rows) == [k for k, row in enumerate(ds) if passes(row, view)]
    key = facts.sorts[view.sort](view)[rows]
    known = key[~np.isnan(key)]
    assert np.isnan(key[len(known) :]).all()  # what is unknown comes last, either way
    if view.sort == "file order":
        assert (np.diff(rows) > 0).all()
        return
    step = np.diff(known) * (-1 if view.descending else 1)
    assert (step >= 0).all()
    assert (np.diff(rows)[: len(step)][step == 0] > 0).all()


@pytest.mark.parametrize("votes", ["human", "judge"])
@pytest.mark.parametrize("scored", [True, False])
def test_pairs_in_correlations_are_those_that_they_rest_on(ds, votes, scored):
    if not scored:
        ds = with_columns(ds, reward_a=[None] * len(ds), reward_b=[None] * len(ds))
    if votes == "judge" and not scored:
        pytest.skip("a judge's votes and nothing to compare them with")
    e = Explorer(dict(model=ds), votes=votes, n_boot=0)
    shown = e.show(counted=True).rows
    assert sorted(shown) == sorted(e.correlations.compared.rows.index)
    assert len(shown) == e.forest().n.max() < len(ds)


@pytest.mark.parametrize("other", ["same", "reversed", "swapped"])
def test_models_that_disagree_are_found_whatever_their_order_and_sides(ds, other):
    negative = with_columns(ds, reward_a=ds["reward_b"][:], reward_b=ds["reward_a"][:])
    turned = dict(
        same=negative, reversed=negative.select(range(len(ds))[::-1]), swapped=swap_sides(negative)
    )
    both = dict(model=ds, other=turned[other])
    assert len(Explorer(both, disagree=True)) == len(ds)
    assert len(Explorer(dict(model=ds, other=ds), disagree=True)) == 0
    assert len(Explorer(dict(model=ds), disagree=True)) == 0


def test_points_of_the_figure_hold_every_pair_once(ds):
    e = Explorer(dict(model=ds), quadrants="plural_alike")
    points = explore(dict(model=ds), quadrants="plural_alike").widget().scatter["points"]
    for name in ("model", "judge"):
        found = []
        for *place, pairs in points[name]:
            assert len(e.show(spot=(name, *place))) == pairs
            found += e.rows.tolist()
        everyone = e.show(spot=()).rows
        known = everyone[~np.isnan(e.facts.compared("people")[name][everyone])]
        assert sorted(found) == sorted(known)


def test_sorts_do_not_mind_which_response_is_a(ds, facts):
    turned = Facts(dict(model=swap_sides(ds)))
    for name in facts.sorts:
        np.testing.assert_allclose(facts.sorts[name](View()), turned.sorts[name](View()), atol=1e-6)


def test_models_are_joined_by_pair_whatever_their_order_and_sides(ds):
    other = concatenate_datasets(
        [swap_sides(ds).select(range(0, len(ds), 2)), ds.select(range(1, len(ds), 2))]
    )
    f = Facts(dict(one=ds, other=other))
    np.testing.assert_allclose(f.predicted["one"], f.predicted["other"], atol=1e-6)


def predicting(ds):
    "A model that predicts votes of the first rows."
    shares = np.random.default_rng(1).dirichlet([2, 3, 1], len(ds))
    shares[len(ds) // 2 :] = np.nan
    return with_columns(ds, **dict(zip(["prob_a", "prob_b", "prob_tie"], shares.T, strict=True)))


def test_predicted_votes_are_shown_with_their_ties_and_preferences_without(ds):
    crowd = predicting(ds)
    f = Facts(dict(crowd=crowd, scalar=ds))
    *_, of_crowd, of_scalar = voices(f, 0)
    wanted = [crowd[f"prob_{outcome}"][0] for outcome in ("a", "b", "tie")]
    assert of_crowd.votes == pytest.approx(wanted) and min(wanted) > 0
    assert of_scalar.votes == pytest.approx(
        [f.predicted["scalar"][0], 1 - f.predicted["scalar"][0], 0]
    )
    *_, unpredicted, _ = voices(f, len(ds) - 1)
    assert unpredicted.votes[2] == 0
    assert f"{wanted[2]:.0%} a tie, predicted" in explore(dict(crowd=crowd)).static().html


@pytest.mark.parametrize("turn", [swap_sides, lambda ds: ds.select(range(len(ds))[::-1])])
def test_predicted_votes_are_joined_by_pair_whatever_order_and_sides(ds, turn):
    crowd = predicting(ds)
    f = Facts(dict(base=ds, one=crowd, other=turn(crowd)))
    np.testing.assert_allclose(f.outcomes["one"], f.outcomes["other"])
    assert np.isnan(f.outcomes["base"]).all()


@pytest.mark.parametrize("at", [(0.5, 0.5), (0.31, 0.77), (0, 1)])
def test_moved_thresholds_give_what_the_package_gives(ds, at):
    e = Explorer(dict(model=ds), plural_at=at[0], alike_at=at[1])
    moved = with_columns(
        ds, quadrant=quadrant_of(e.facts.plurality, e.facts.indistinguishability, *at)
    )
    assert e.quadrant.tolist() == moved["quadrant"][:]
    wanted = correlate(dict(model=moved), n_boot=200, statistics=["spearman"], baselines=False)
    forest = e.forest()
    assert forest[forest.model == "model"].reset_index(drop=True).equals(wanted)
    assert e.ds["quadrant"][:] == ds["quadrant"][:]


def test_thresholds_start_where_the_quadrants_were_made(ds):
    p, i = Facts(dict(m=ds)).plurality, Facts(dict(m=ds)).indistinguishability
    e = Explorer(with_columns(ds, quadrant=quadrant_of(p, i, 0.3, 0.7)))
    assert e.quadrant.tolist() == e.ds["quadrant"][:]


BARE = dict(
    prompt=[dict(role="user", content="why?")], response_a="because", response_b="no reason"
)


@pytest.mark.parametrize(
    "columns, sorts, forest",
    [
        (dict(), ["file order"], False),
        (dict(human_a=2, human_b=1, human_tie=0), ["split of people", "tie rate of people"], False),
        (dict(judge_a=2, judge_b=1, judge_tie=0), ["split of judge"], False),
        (
            dict(human_a=2, human_b=1, human_tie=0, judge_a=2, judge_b=1, judge_tie=0),
            ["judge against people"],
            True,
        ),
        (dict(reward_a=1, reward_b=0), ["file order"], False),
        (dict(quadrant="plural_alike"), ["file order"], False),
        (dict(plurality=0.2, indistinguishability=0.9), ["distance to plural_at"], False),
    ],
)
def test_what_is_missing_is_left_out(columns, sorts, forest):
    rows = [check_row(BARE | dict(prompt=f"why {k}?") | columns) for k in range(6)]
    panel = explore(from_rows(rows))
    about = panel.widget().about
    assert set(sorts) <= set(about["sorts"]) and about["compared"] == forest == bool(
        panel.widget().forest["rows"]
    )
    assert (
        about["labelled"]
        == bool({"quadrant", "plurality"} & set(columns))
        == ("<th>quadrant</th>" in panel._repr_html_())
    )
    assert about["scored"] == ("plurality" in columns)


def test_columns_that_are_not_there_are_missing_too():
    ds = from_rows([check_row(BARE)]).select_columns(
        ["pair_id", "group", "prompt", "response_a", "response_b"]
    )
    assert explore(ds).widget().page["total"] == 1
    with pytest.raises(ContractError, match="to_comparisons"):
        Explorer(ds.remove_columns("pair_id"))


@settings(max_examples=100, deadline=None)
@given(
    a=st.text(st.sampled_from("ab ,.\n1é<"), max_size=60),
    b=st.text(st.sampled_from("ab ,.\n1é<"), max_size=60),
    most=st.sampled_from([5, 4000]),
)
def test_pieces_add_up_and_hold_all_differences(a, b, most):
    differences = word_differences(a, b, most)
    sides = (differences.a, differences.b)
    assert ["".join(piece.text for piece in side) for side in sides] == [a, b]
    assert 0 <= differences.shared <= 1
    same = ["".join(piece.text for piece in side if not piece.differs).split() for side in sides]
    assert "".join(same[0]) == "".join(same[1])
    for side in sides:  # neighbours differ in kind, or they would be one piece
        assert not any(x.differs == y.differs for x, y in pairwise(side))
    assert not any(piece.differs for piece in word_differences(a, a, most).a)


def test_long_texts_are_compared_at_once():
    rng = np.random.default_rng(0)
    a, b = (
        "\n".join(" ".join(rng.choice(list("abcdefgh"), 12)) for _ in range(2000)) for _ in range(2)
    )
    start = time.process_time()  # of this process alone, however busy the machine is
    word_differences(a, b)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("kinds", [3, 20, 90])
def test_frequent_words_of_long_texts_count_too(kinds):
    "`difflib` ignores words that make up a hundredth of a text, unless told not to."
    words = [f"w{k}" for k in np.random.default_rng(0).integers(kinds, size=400)]
    changed = [*words[:200], "only", "here", *words[200:]]
    differences = word_differences(" ".join(words), " ".join(changed))
    assert not any(piece.differs for piece in differences.a)
    assert [piece.text for piece in differences.b if piece.differs] == ["only here"]
    assert differences.shared > 0.99


def test_bars():
    assert text_bar(1, 1, 2, 8) == "██▒▒▒▒░░"
    assert text_bar(np.nan, np.nan, np.nan) == ""
    assert len(text_bar(1, 7, 5, 12)) == 12


def test_two_explorers_keep_each_others_notes(tmp_path):
    path = tmp_path / "notes" / "n.json"

    def scribble(who):
        notes = Notes(path)
        for k in range(15):
            notes.write(f"{who} {k}", note=str(k), tags=[who])

    threads = [threading.Thread(target=scribble, args=[w]) for w in ("one", "two")]
    code = f"""
from plurality_nb.reports.notes import Notes
notes = Notes({str(path)!r})
for k in range(15):
    notes.write(f'three {{k}}', note=str(k), tags=['three'])
"""
    other = subprocess.Popen([sys.executable, "-c", code])
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert other.wait(60) == 0
    held = Notes(path).held
    assert len(held) == 45 and held["three 14"] == dict(note="14", tags=["three"])
    assert [p.name for p in path.parent.iterdir() if p.suffix == ".tmp"] == []


@pytest.mark.parametrize("text", ["", "[]", '{"x": 1}', '{"x": {"note": null, "tags": []}}'])
def test_a_file_of_something_else_is_left_alone(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ContractError, match="Fix the file or name another"):
        Notes(path)
    notes = Notes(tmp_path / "mine.json")
    notes.path = path
    with pytest.raises(ContractError):
        notes.write("pair", "x")
    assert path.read_text() == text


def test_selection_goes_out_as_shown(ds, tmp_path):
    e = Explorer(
        ds, notes=tmp_path / "n.json", sort="split of people", min_votes=9, quadrants="none"
    )
    first = e.selection["pair_id"][0]
    e.notes.write(first, "odd", ["b", "a"])
    for name in ("s.parquet", "s.jsonl", "s.csv.gz"):
        back = load_comparisons(e.save(tmp_path / name, notes=True))
        assert (
            back["pair_id"][:] == e.selection["pair_id"][:]
            and back["true_a"][:] == e.selection["true_a"][:]
        )
        assert (back["note"][0], back["tags"][0], back["note"][1]) == ("odd", "a, b", None)
    settings = json.loads((tmp_path / "s.csv.gz.json").read_text())["settings"]["explore"]
    assert settings["sort"] == "split of people" and settings["quadrants"] == ["none"]
    other = tmp_path / "other.csv"
    other.write_text("mine")
    with pytest.raises(ContractError, match="another name"):
        e.save(other)
    assert e.save(tmp_path / "s.jsonl").exists() and other.read_text() == "mine"
    e.show(tag="a", quadrants=[])
    assert e.selection["pair_id"][:] == [first]
    assert len(e.show(tag="", text="no such words anywhere").selection) == 0
    with pytest.raises(ContractError, match="Clear a filter"):
        e.save(tmp_path / "none.parquet")


@pytest.mark.parametrize(
    "wrong",
    [
        dict(sort="mood"),
        dict(quadrants=["plural"]),
        dict(sources="x"),
        dict(plural_at=1.2),
        dict(colour="red"),
        dict(min_votes="3"),
        dict(text=None),
        dict(contradicts="nobody"),
        dict(seen="never"),
        dict(spot=("model", 3)),
        dict(spot=("model", 3, 21)),
        dict(spot=("nobody", 3, 3)),
    ],
)
def test_a_wrong_view_is_refused(ds, wrong):
    with pytest.raises(ContractError, match="want"):
        Explorer(ds, **wrong)


def test_the_browser_asks_and_python_answers(ds, tmp_path):
    panel = explore(dict(model=ds), notes=tmp_path / "n.json")
    w, sent = panel.widget(), []
    w.send_state = lambda key=None: sent.append(key)
    w.ask = dict(n=1, view=dict(sort="split of people", quadrants=["plural_alike"]), start=0, at=2)
    assert (w.page["n"], w.page["at"], w.pair["pair_id"]) == (1, 2, panel.selection["pair_id"][2])
    assert not any("forest" in k for k in sent)  # no threshold moved
    row = panel.row
    w.ask = dict(n=2, view=dict(plural_at=0.2), start=0, at=None)
    assert w.forest["at"] == [0.2, 0.5] and panel.row == row
    w.ask = dict(n=3, view=dict(sort="mood"))
    assert w.status["error"] and "mood" in w.status["text"] and w.page["n"] == 2
    panel._panel.act(dict(kind="note", n=1, pair_id=w.pair["pair_id"], note="x", tags=["t"]))
    assert (
        w.pair["note"] == "x" and w.counts["tags"] == ["t"] and w.status["text"] == "kept in n.json"
    )
    panel._panel.act(
        dict(kind="save", n=2, path=str(tmp_path / "s.txt"), quadrants=True, notes=True)
    )
    assert w.status["error"] and ".parquet" in w.status["text"]
    json.dumps([w.about, w.view, w.page, w.pair, w.counts, w.forest], allow_nan=False)
    panel.show(text="no such words anywhere")
    assert w.page["total"] == 0 and w.pair == {}


def test_a_page_is_small_whatever_the_data(ds):
    many = with_columns(
        from_rows([check_row(BARE | dict(prompt=f"why {k}? " + "so " * 400)) for k in range(3000)]),
        source=["s"] * 3000,
    )
    w = explore(many).widget()
    assert len(json.dumps(w.page)) < 40_000 and len(w.page["rows"]) == PAGE_ROWS
    w.ask = dict(n=1, view={}, start=2990, at=2999)
    assert len(w.page["rows"]) == 10 and w.page["at"] == 2999


def test_notebooks_show_a_summary_where_no_kernel_runs(ds):
    from IPython.core.formatters import DisplayFormatter

    shown = DisplayFormatter().format(explore(ds))[0]
    assert (
        shown["text/html"].startswith("<p><b>256 of 256 pairs</b>")
        and "application/vnd.jupyter.widget-view+json" in shown
    )
    shown = DisplayFormatter().format(explore(ds).static())[0]
    assert (
        set(shown) == {"text/plain", "text/html"}
        and shown["text/html"] == Explorer(ds).static().html
    )
    # GitHub removes both.
    assert "<style" not in shown["text/html"]
    assert "class=" not in shown["text/html"]


def test_texts_are_never_markup():
    nasty = "<img src=x onerror=alert(1)><script>alert(1)</script>&{{ 7*7 }}"
    e = Explorer(
        from_rows(
            [
                check_row(
                    dict(prompt=nasty, response_a=nasty + "a", response_b=nasty + "b", source=nasty)
                )
            ]
        )
    )
    e.notes.write(e.facts.ids[0], nasty, [nasty])
    html = e._repr_html_()
    assert "<img" not in html
    assert "<script" not in html
    assert "49" not in html
    scripts = sorted(RESOURCES.glob("explore*.js"))
    code = "".join(path.read_text() for path in scripts)
    assert len(scripts) == 4
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "DOMParser",
        "createContextualFragment",
        "http:",
        "https:",
        ".href",
        ".src",
    ):
        assert way not in code
    for path in RESOURCES.glob("explore*.css"):
        assert "url(" not in path.read_text() and "@import" not in path.read_text()


def test_without_anywidget_the_extra_is_named(ds, monkeypatch):
    monkeypatch.setattr(explorer, "find_spec", lambda name: None)
    with pytest.raises(ContractError, match=r"pip install '.\[lab\]'"):
        explore(ds)
    assert Explorer(ds)._repr_mimebundle_() is None


def test_import_is_light():
    code = """
import sys
import plurality_nb.reports.explorer
heavy = ('torch', 'anywidget', 'ipywidgets', 'matplotlib', 'sklearn')
print([name for name in heavy if name in sys.modules])
"""
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_the_front_end_travels_with_the_package():
    setup = (RESOURCES.parents[1] / "setup.py").read_text()
    assert "resources/*" in setup
    assert not [p.name for p in RESOURCES.iterdir() if p.is_dir() and p.name != "__pycache__"]
    assert {"explore.js", "explore.css", "summary.html"} <= {p.name for p in RESOURCES.iterdir()}


def test_colours_are_those_of_the_figures():
    from plurality_nb.reports.plots import COLOURS

    css = (RESOURCES / "explore.css").read_text().lower()
    assert all(f".px-{q} {{ --q: {c.lower()};" in css for q, c in COLOURS.items())


@pytest.mark.parametrize("order", ["reversed", "part", "swapped"])
def test_correlations_keep_to_the_first_models_rows(ds, order):
    "The first of several models may be unscored; the others' rows may be other rows."
    scored = ds.select(range(100))
    plain = scored.remove_columns(["reward_a", "reward_b"])
    plain = with_columns(plain, reward_a=[None] * 100, reward_b=[None] * 100)
    other = {
        "reversed": scored.select(range(99, -1, -1)),
        "part": scored.select(range(10, 100)),
        "swapped": swap_sides(scored),
    }[order]
    seen_here = Explorer({"first": plain, "model": other}, n_boot=0)
    rows = 90 if order == "part" else 100
    alone = Explorer({"model": scored.select(range(100 - rows, 100))}, n_boot=0)
    table, expected = seen_here.forest(), alone.forest()
    assert table.value.round(9).tolist() == expected.value.round(9).tolist()
    assert table.n.tolist() == expected.n.tolist()


@pytest.mark.parametrize("missing", ["human_a", "human_tie", "group", "seen", "label"])
def test_correlations_name_the_column_that_is_missing(ds, missing):
    partial = ds.select(range(20)).remove_columns(missing)
    with pytest.raises(ContractError, match=f"`{missing}`: want a column"):
        Explorer(partial, votes="human").forest()


def test_opening_draws_no_rewards_by_chance(monkeypatch):
    "Correlations of the display have no trivial model but the judge."
    from plurality_nb.evaluation import tables

    def refuse(*_):
        raise AssertionError("nobody asked for these")

    monkeypatch.setattr(tables, "baseline_rewards", refuse)
    ds = load_sample()
    n = np.arange(len(ds))
    judged = with_columns(
        ds,
        human_a=n % 4,
        human_b=3 - n % 4,
        human_tie=0 * n,
        judge_a=n % 3,
        judge_b=2 - n % 3,
        judge_tie=0 * n,
        reward_a=n % 5,
        reward_b=0 * n,
    )
    table = Exploration({"mine": judged}, n_boot=0).forest()
    assert set(table.model) == {"mine", "judge"}
