import gzip
import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plurality_nb.data import arrow, merging
from plurality_nb.data.arrow import Spool, take
from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.checks import check_row
from plurality_nb.data.formats import FORMATS
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.merging import merge_pairs, merge_rows
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.saving import save_comparisons
from plurality_nb.data.schema import FEATURES
from plurality_nb.data.trl import from_trl, to_trl
from plurality_nb.errors import ContractError

text = st.text(max_size=30)
turns = st.lists(
    st.fixed_dictionaries(
        dict(role=st.sampled_from(["user", "assistant", "system"]), content=text)
    ),
    min_size=1,
    max_size=3,
)
prompt = st.one_of(text, turns).filter(
    lambda p: bool(p.strip()) if isinstance(p, str) else any(t["content"].strip() for t in p)
)
count = st.one_of(st.none(), st.integers(0, 50))
weight = st.one_of(st.none(), st.floats(0, 50, width=32))
row = st.fixed_dictionaries(
    dict(
        prompt=prompt,
        response_a=text,
        response_b=text,
        label=st.sampled_from([None, 0, 0.5, 1]),
        human_a=count,
        human_b=count,
        human_tie=count,
        judge_a=weight,
        judge_b=weight,
        judge_tie=weight,
        margin=st.one_of(st.none(), st.floats(-5, 5, width=32)),
        quadrant=st.sampled_from([None, "plural_alike"]),
        mood=text,
    )
)
ballot = st.fixed_dictionaries(
    dict(
        annotator=st.one_of(st.none(), st.sampled_from("uvw")),
        vote=st.sampled_from(["a", "b", "tie", None]),
        traits=st.dictionaries(st.sampled_from(["age", "country"]), text),
    )
)
plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), text
)
extras = st.fixed_dictionaries(
    {},
    optional=dict(
        number=st.one_of(st.none(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False)),
        flag=st.one_of(st.none(), st.booleans()),
        words=st.lists(text, max_size=2),
        nested=st.one_of(
            st.none(),
            st.fixed_dictionaries(dict(x=st.one_of(st.none(), st.integers(0, 9)), y=text)),
        ),
        any=plain,
        nothing=st.none(),
    ),
)
full = st.builds(
    lambda r, b, e: (
        e | r | (dict(ballots=b, human_a=None, human_b=None, human_tie=None) if b else {})
    ),
    row,
    st.lists(ballot, max_size=3),
    extras,
)
table = st.lists(row, min_size=1, max_size=6)
quick = settings(max_examples=40, deadline=None)


@quick
@given(table)
def test_swapping_twice_is_nothing(rows):
    ds = to_comparisons(rows)
    assert swap_sides(swap_sides(ds)).to_dict() == ds.to_dict()
    assert swap_sides(ds)["pair_id"][:] == ds["pair_id"][:]


@quick
@given(
    rows=st.lists(full, min_size=1, max_size=6),
    kind=st.sampled_from([".parquet", ".jsonl", ".csv", ".jsonl.gz", ".csv.gz"]),
)
def test_any_table_survives_a_file(rows, kind, tmp_path_factory):
    ds = to_comparisons(rows)
    back = load_comparisons(
        save_comparisons(ds, tmp_path_factory.mktemp("f") / f"x{kind}"), merge=False
    )
    assert back.to_dict() == ds.to_dict()
    assert back.features == ds.features and {c: back.features[c] for c in FEATURES} == dict(
        FEATURES
    )


def chosen_responses(ds):
    return [r["response_a"] if r["label"] == 1 else r["response_b"] for r in ds]


@quick
@given(table)
def test_trl_and_back_loses_only_what_trl_cannot_hold(rows):
    ds = to_comparisons(rows)
    fits = [label in (0, 1) for label in ds["label"]]
    if not any(fits):
        return
    sent = to_trl(ds)
    if any(margin is not None for margin in ds["margin"]):
        fits = [fit and margin is not None for fit, margin in zip(fits, ds["margin"])]
    kept = take(ds, np.array(fits))
    assert len(sent) == len(kept)
    if len(sent):
        back = from_trl(sent)
        assert back["pair_id"][:] == kept["pair_id"][:]
        assert chosen_responses(back) == chosen_responses(kept)


@pytest.mark.slow
@quick
@given(
    rows=st.lists(full, min_size=1, max_size=5),
    order=st.randoms(),
    turn=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_merging_does_not_depend_on_the_order_of_rows(rows, order, turn):
    rows = rows + [r | dict(label=label) for r, label in zip(rows[:3], (0, 1, None))]
    ds = to_comparisons(rows)
    rows = [
        (swap_sides(take(ds, [i])) if t else take(ds, [i]))[0] for i, t in zip(range(len(ds)), turn)
    ]
    mixed = rows[:]
    order.shuffle(mixed)
    one, two = (
        {r["pair_id"]: r for r in merge_pairs(to_comparisons(rs), repeats="all")}
        for rs in (rows, mixed)
    )
    assert one == two
    for w in ("human", "judge"):
        cast = {
            k: sum(r[f"{w}_{o}"] or 0 for r in rows if r["pair_id"] == k for o in ("a", "b", "tie"))
            for k in one
        }
        for k, r in one.items():
            total = sum(r[f"{w}_{o}"] or 0 for o in ("a", "b", "tie"))
            same = [x for x in rows if x["pair_id"] == k]
            loose = [x for x in same if x["label"] is not None and x["human_a"] is None]
            counts = (
                len(loose) > 1
                or len({x["label"] for x in same} - {None}) > 1
                or any(x["human_a"] is not None for x in same)
            )
            assert math.isclose(
                total, cast[k] + (len(loose) if w == "human" and counts else 0), rel_tol=1e-5
            )


judgements = st.fixed_dictionaries(
    {},
    optional=dict(
        label=st.sampled_from([None, 0, 0.5, 1]),
        label_source=st.sampled_from([None, "annotator", "majority", "drawn", "upvotes"]),
        human_a=count,
        human_b=count,
        judge_a=weight,
        judge_tie=weight,
        ballots=st.lists(ballot, max_size=2),
        margin=st.sampled_from([None, 0.5]),
        seen=st.sampled_from([None, True, False]),
    ),
)


def voters(*rows):
    return {ballot["annotator"] for row in rows for ballot in row["ballots"] or []} - {None}


def cast_by_one(*votes):
    return [dict(annotator="v", vote=vote) for vote in votes]


@settings(max_examples=500, deadline=None)
@given(
    first=st.lists(judgements, min_size=1, max_size=4),
    later=st.lists(judgements, min_size=1, max_size=4),
    turn=st.lists(st.booleans(), min_size=8, max_size=8),
    repeats=st.sampled_from(["last", "first"]),
)
@example(
    first=[dict(label=1, ballots=cast_by_one("a", "a"))],
    later=[dict(ballots=cast_by_one("a"))],
    turn=[False] * 8,
    repeats="last",
)
@example(
    first=[dict(label=1, ballots=cast_by_one("b", "a"))],
    later=[dict(ballots=cast_by_one("b"))],
    turn=[False] * 8,
    repeats="last",
)
@example(
    first=[dict(ballots=cast_by_one("b"))],
    later=[dict(label=1, ballots=cast_by_one("a", "b"))],
    turn=[False] * 8,
    repeats="first",
)
def test_merging_in_steps_is_merging_at_once(first, later, turn, repeats):
    def merged(rows):
        return check_row(merge_rows(rows, repeats))

    rows = [dict(prompt="p", response_a="x", response_b="y", **j) for j in first + later]
    rows = [
        check_row(
            r
            if not r.get("ballots")
            else {c: v for c, v in r.items() if c not in ("human_a", "human_b")}
        )
        for r in rows
    ]
    rows = [merging._swap_row(r) if t else r for r, t in zip(rows, turn)]
    once = merged(rows)
    partly, others = merged(rows[: len(first)]), rows[len(first) :]
    steps = merged([partly, *others])
    for c in (
        "response_a",
        "response_b",
        "human_a",
        "human_b",
        "human_tie",
        "ballots",
        "seen",
        "margin",
    ):
        assert once[c] == steps[c], c
    if len(first) > 1 and voters(partly) & voters(*others):
        return  # somebody votes again, and a merged row does not say whose label it has
    assert once["label"] == steps["label"]
    assert once["label"] is not None or (once["label_source"] == "conflicting") == (
        steps["label_source"] == "conflicting"
    )
    for o in ("a", "b", "tie"):
        assert (once[f"judge_{o}"] is None) == (steps[f"judge_{o}"] is None) and math.isclose(
            once[f"judge_{o}"] or 0, steps[f"judge_{o}"] or 0, rel_tol=1e-5
        )


G = dict(prompt="Hi", response_a="x", response_b="y")
MERGES = {
    "a judge's vote and a label": (
        [dict(judge_a=1), dict(label=1, quadrant="plural_alike", margin=0.5, n=3)],
        dict(label=1, judge_a=1, human_a=None, quadrant="plural_alike", margin=0.5, n=3),
    ),
    "votes against a label": (
        [dict(label=1, human_a=3, human_b=0), dict(label=0)],
        dict(label=None, label_source="conflicting", human_a=3, human_b=1, human_tie=0),
    ),
    "votes and a label": (
        [dict(human_a=3), dict(label=1)],
        dict(label=1, human_a=4, human_b=0, human_tie=0),
    ),
    "one label": (
        [dict(label=1, label_source="annotator"), dict(label_source="annotator")],
        dict(label=1, label_source="annotator", human_a=None),
    ),
    "two labels": ([dict(label=1), dict(label=1)], dict(label=1, human_a=2, human_b=0)),
    "a label against the upvotes": (
        [dict(label=1), dict(label=0, label_source="upvotes")],
        dict(label=None, human_a=1, human_b=0),
    ),
    "labels that nobody gave": (
        [dict(label=1, label_source="upvotes"), dict(label=1, label_source="upvotes")],
        dict(label=1, label_source="upvotes", human_a=None),
    ),
}


@pytest.mark.parametrize("name", MERGES)
def test_what_merging_keeps(name):
    rows, want = MERGES[name]
    for rs in (rows, rows[::-1]):
        ds = merge_pairs(to_comparisons([G | r for r in rs]))
        assert len(ds) == 1 and {c: ds[c][0] for c in want} == want


@pytest.mark.parametrize("column, one, two", [("human_a", 2**31 - 1, 1), ("judge_a", 3e38, 3e38)])
def test_sums_that_do_not_fit_name_the_pair_and_its_rows(column, one, two):
    rows = [
        dict(prompt="Ho", response_a="x", response_b="y"),
        G | {column: one},
        dict(prompt="Ha", response_a="x", response_b="y"),
        G | {column: two},
    ]
    for strict in (True, False):
        with pytest.raises(
            ContractError,
            match=rf"rows: pair {to_comparisons([G])['pair_id'][0]}, merged from rows 1, 3: `{column}`: want .* >= 0, got .*--no-merge",
        ):
            load_comparisons(rows, strict=strict)
    assert len(load_comparisons(rows, merge=False)) == 4


def test_merging_reads_the_repeated_rows_alone_and_few_large_ones_at_once(monkeypatch):
    rows = [dict(prompt=f"{i}", response_a="x" * 50_000, response_b="y", n=i) for i in range(60)]
    rows += [r | dict(n=100) for r in rows[40:2:-1]]
    plain = merge_pairs(to_comparisons(rows))
    assert plain["n"][:] == [None if 2 < i < 41 else i for i in range(60)] and [
        p[0]["content"] for p in plain["prompt"]
    ] == [f"{i}" for i in range(60)]
    asked, pieces = [], []
    gather_rows = arrow.gather_rows

    def watched(ds, rows):
        asked.extend(rows)
        for t in gather_rows(ds, rows):
            pieces.append(t.nbytes)
            yield t

    monkeypatch.setattr(arrow, "MEMORY_LIMIT", 300_000)
    monkeypatch.setattr(merging, "gather_rows", watched)
    assert merge_pairs(to_comparisons(rows)).to_dict() == plain.to_dict()
    assert sorted(asked) == [*range(3, 41), *range(60, 98)] and max(pieces) < 400_000


@quick
@given(
    n=st.integers(1, 40),
    rows=st.lists(st.integers(-40, 39), max_size=60),
    held=st.sampled_from([1, 500, 2**27]),
    mapped=st.booleans(),
)
def test_taken_rows_are_the_rows_asked_for(n, rows, held, mapped):
    spool = Spool(memory_limit=300)
    for i in range(n):
        spool.add(dict(n=[i], text=["x" * i], deep=[[dict(a=i)] * (i % 3)]))
    ds = spool.dataset()
    if mapped:
        ds = ds.select(range(n - 1, -1, -1))
    rows = [r for r in rows if -n <= r < n]
    before = arrow.MEMORY_LIMIT
    arrow.MEMORY_LIMIT = held
    try:
        assert take(ds, rows).to_list() == [ds[r] for r in rows]
    finally:
        arrow.MEMORY_LIMIT = before


def test_parts_of_a_large_table_are_not_made_of_single_rows(monkeypatch):
    monkeypatch.setattr(Spool.__init__, "__defaults__", (None, None, 50_000))
    ds = to_comparisons([dict(prompt=f"{i}", response_a="x", response_b="y") for i in range(5000)])
    rising = np.sort(np.random.default_rng(0).choice(5000, 4000, replace=False))
    interleaved = np.stack([rising[:2000], rising[2000:]], 1).ravel()
    for rows in (rising, rising[::-1], interleaved):
        part = take(ds, rows)
        assert (
            part.cache_files
            and len(part.data.to_batches()) < 50
            and part["prompt"][17][0]["content"] == f"{rows[17]}"
        )


def conversation(*texts):
    return [dict(role="assistant" if i % 2 else "user", content=t) for i, t in enumerate(texts)]


PARTED = {
    "at once": (["0", "1"], ["Z", "2"]),
    "early": (["0", "1", "2", "3"], ["Z", "1", "2", "4"]),
    "in the middle": (["0", "1", "2", "3", "4", "5"], ["0", "1", "Z", "3", "4", "6"]),
    "in an answer": (["0", "1", "2", "3"], ["0", "Z", "2", "4"]),
}


def transcript(turns):
    names = dict(user="Human", assistant="Assistant")
    return "".join(f"\n\n{names[t['role']]}: {t['content']}" for t in turns)


@pytest.mark.parametrize("name", PARTED)
def test_dialogues_that_part_before_the_last_turn_are_bad_rows(name):
    chosen, rejected = (conversation(*texts) for texts in PARTED[name])
    for row in (
        dict(chosen=chosen, rejected=rejected),
        dict(prompt=conversation("Hi", "Yes?"), chosen=chosen, rejected=rejected),
        dict(chosen=transcript(chosen), rejected=transcript(rejected)),
    ):
        with pytest.raises(
            ContractError,
            match="row 0: `chosen`: want conversations that differ in their last turn",
        ):
            load_comparisons([row])
    whole = dict(chosen=chosen, rejected=chosen[:-1] + rejected[-1:])
    assert [t["content"] for t in load_comparisons([whole])["prompt"][0]] == PARTED[name][0][:-1]


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({}, optional={c: junk for c in [*FEATURES, "chosen", "rejected"]}))
def test_no_row_raises_anything_but_our_own_error(r):
    for read in (check_row, lambda r: from_trl([r])):
        try:
            read(r)
        except ContractError as e:
            assert "want" in str(e) and "got" in str(e)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.one_of(
            junk,
            st.dictionaries(
                st.one_of(st.integers(), st.text(max_size=3), st.none()), junk, max_size=3
            ),
        ),
        max_size=3,
    ),
    strict=st.booleans(),
)
def test_no_rows_raise_anything_but_our_own_error(rows, strict):
    with pytest.raises(ContractError, match=r"row|columns"):
        load_comparisons(rows, strict=strict)


def test_lone_surrogates_are_named():
    with pytest.raises(ContractError, match="`response_a`: want text in UTF-8"):
        to_comparisons([dict(prompt="hi", response_a="\ud800", response_b="x")])


def test_columns_of_mixed_types_travel_as_json():
    ds = to_comparisons(
        [
            dict(prompt="p", response_a="a", response_b=str(i), odd=x)
            for i, x in enumerate([1, "two", [3]])
        ]
    )
    assert ds["odd"][:] == ["1", '"two"', "[3]"]


def test_added_columns_keep_rows_after_a_selection():
    ds = to_comparisons([dict(prompt="p", response_a="a", response_b=str(i)) for i in range(5)])
    selected = with_columns(ds.select([4, 2]), margin=[1.0, 2.0])
    assert selected["response_b"][:] == ["4", "2"] and selected["margin"][:] == [1, 2]


names = st.one_of(
    st.sampled_from(
        [*FEATURES, "chosen", "rejected", *{c for f in FORMATS.values() for c in f.columns}]
    ),
    st.text(max_size=4),
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(FORMATS)))
def test_no_row_of_any_format_raises_anything_but_our_own_error(data, name):
    r = data.draw(
        st.fixed_dictionaries(
            {c: junk for c in FORMATS[name].columns},
            optional={c: junk for c in FEATURES if c not in FORMATS[name].columns},
        )
    )
    for how in (dict(format=name), {}):
        try:
            load_comparisons(
                [dict(prompt="Hi", response_a="x", response_b="y"), r]
                if name == "comparisons"
                else [r],
                **how,
            )
        except ContractError as e:
            assert "row" in str(e) or "columns" in str(e)


@settings(max_examples=200, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.lists(st.dictionaries(names, junk, max_size=4), max_size=3).map(
            lambda rows: json.dumps(rows).encode()
        ),
        st.lists(st.dictionaries(names, junk, max_size=4), max_size=3).map(
            lambda rows: "\n".join(map(json.dumps, rows)).encode()
        ),
    ),
    kind=st.sampled_from([".jsonl", ".json", ".csv", ".parquet", ".jsonl.gz", ".csv.gz"]),
    zipped=st.booleans(),
    strict=st.booleans(),
)
def test_no_file_raises_anything_but_our_own_error(body, kind, zipped, strict, tmp_path_factory):
    path = tmp_path_factory.mktemp("f") / f"x{kind}"
    path.write_bytes(gzip.compress(body) if zipped and kind.endswith(".gz") else body)
    try:
        load_comparisons(path, strict=strict)
    except ContractError as e:
        assert path.name in str(e) and "want" in str(e)
