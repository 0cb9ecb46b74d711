import gzip
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plurality_nb.arrow import take
from plurality_nb.comparisons import FEATURES, ContractError, check_row, from_trl, swap_sides, to_comparisons, to_trl, with_columns
from plurality_nb.files import save_comparisons
from plurality_nb.formats import FORMATS
from plurality_nb.sources import load_comparisons, merge_pairs

text = st.text(max_size=30)
turns = st.lists(st.fixed_dictionaries(dict(role=st.sampled_from(["user", "assistant", "system"]), content=text)), min_size=1, max_size=3)
prompt = st.one_of(text, turns).filter(lambda p: bool(p.strip()) if isinstance(p, str) else any(t["content"].strip() for t in p))
count = st.one_of(st.none(), st.integers(0, 50))
weight = st.one_of(st.none(), st.floats(0, 50, width=32))
row = st.fixed_dictionaries(dict(
    prompt=prompt, response_a=text, response_b=text, label=st.sampled_from([None, 0, 0.5, 1]),
    human_a=count, human_b=count, human_tie=count, judge_a=weight, judge_b=weight, judge_tie=weight,
    margin=st.one_of(st.none(), st.floats(-5, 5, width=32)), quadrant=st.sampled_from([None, "plural_alike"]), mood=text))
ballot = st.fixed_dictionaries(dict(annotator=st.one_of(st.none(), st.sampled_from("uvw")), vote=st.sampled_from(["a", "b", "tie", None]), traits=st.dictionaries(st.sampled_from(["age", "country"]), text)))
plain = st.one_of(st.none(), st.booleans(), st.integers(-2**62, 2**62), st.floats(allow_nan=False), text)
extras = st.fixed_dictionaries({}, optional=dict(
    number=st.one_of(st.none(), st.integers(-2**62, 2**62), st.floats(allow_nan=False)), flag=st.one_of(st.none(), st.booleans()), words=st.lists(text, max_size=2),
    nested=st.one_of(st.none(), st.fixed_dictionaries(dict(x=st.one_of(st.none(), st.integers(0, 9)), y=text))), any=plain, nothing=st.none()))
full = st.builds(lambda r, b, e: e | r | (dict(ballots=b, human_a=None, human_b=None, human_tie=None) if b else {}), row, st.lists(ballot, max_size=3), extras)
table = st.lists(row, min_size=1, max_size=6)
quick = settings(max_examples=40, deadline=None)


@quick
@given(table)
def test_swapping_twice_is_nothing(rows):
    ds = to_comparisons(rows)
    assert swap_sides(swap_sides(ds)).to_dict() == ds.to_dict()
    assert swap_sides(ds)["pair_id"][:] == ds["pair_id"][:]


@quick
@given(rows=st.lists(full, min_size=1, max_size=6), kind=st.sampled_from([".parquet", ".jsonl", ".csv", ".jsonl.gz", ".csv.gz"]))
def test_any_table_survives_a_file(rows, kind, tmp_path_factory):
    ds = to_comparisons(rows)
    back = load_comparisons(save_comparisons(ds, tmp_path_factory.mktemp("f") / f"x{kind}"), merge=False)
    assert back.to_dict() == ds.to_dict()
    assert back.features == ds.features and {c: back.features[c] for c in FEATURES} == dict(FEATURES)


@quick
@given(table)
def test_trl_and_back_loses_only_what_trl_cannot_hold(rows):
    ds = to_comparisons(rows)
    if not any(l in (0, 1) for l in ds["label"]):
        return
    sent = to_trl(ds)
    ok = [l in (0, 1) for l in ds["label"]]
    if any(m is not None for m in ds["margin"]):
        ok = [o and m is not None for o, m in zip(ok, ds["margin"])]
    kept = take(ds, np.array(ok))
    assert len(sent) == len(kept)
    if len(sent):
        back = from_trl(sent)
        assert back["pair_id"][:] == kept["pair_id"][:]
        won = [r["response_a"] if r["label"] == 1 else r["response_b"] for r in kept]
        assert [r["response_a"] if r["label"] == 1 else r["response_b"] for r in back] == won


@quick
@given(rows=st.lists(full, min_size=1, max_size=5), order=st.randoms(), turn=st.lists(st.booleans(), min_size=8, max_size=8))
def test_merging_does_not_depend_on_the_order_of_rows(rows, order, turn):
    rows = rows + [r | dict(label=l) for r, l in zip(rows[:3], (0, 1, None))]
    ds = to_comparisons(rows)
    rows = [(swap_sides(take(ds, [i])) if t else take(ds, [i]))[0] for i, t in zip(range(len(ds)), turn)]
    mixed = rows[:]
    order.shuffle(mixed)
    one, two = ({r["pair_id"]: r for r in merge_pairs(to_comparisons(rs))} for rs in (rows, mixed))
    assert one == two
    for w in ("human", "judge"):
        cast = {k: sum(r[f"{w}_{o}"] or 0 for r in rows if r["pair_id"] == k for o in ("a", "b", "tie")) for k in one}
        for k, r in one.items():
            total = sum(r[f"{w}_{o}"] or 0 for o in ("a", "b", "tie"))
            loose = [x for x in rows if x["pair_id"] == k and x["label"] is not None and x["human_a"] is None]
            assert math.isclose(total, cast[k] + (len(loose) if w == "human" and len(loose) > 1 else 0), rel_tol=1e-5)


junk = st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)), lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3), max_leaves=5)


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({}, optional={c: junk for c in [*FEATURES, "chosen", "rejected"]}))
def test_no_row_raises_anything_but_our_own_error(r):
    for read in (check_row, lambda r: from_trl([r])):
        try:
            read(r)
        except ContractError as e:
            assert "want" in str(e) and "got" in str(e)


def test_lone_surrogates_are_named():
    with pytest.raises(ContractError, match="`response_a`: want text in UTF-8"):
        to_comparisons([dict(prompt="hi", response_a="\ud800", response_b="x")])


def test_columns_of_mixed_types_travel_as_json():
    ds = to_comparisons([dict(prompt="p", response_a="a", response_b=str(i), odd=x) for i, x in enumerate([1, "two", [3]])])
    assert ds["odd"][:] == ["1", '"two"', "[3]"]


def test_added_columns_keep_rows_after_a_selection():
    ds = to_comparisons([dict(prompt="p", response_a="a", response_b=str(i)) for i in range(5)])
    some = with_columns(ds.select([4, 2]), margin=[1.0, 2.0])
    assert some["response_b"][:] == ["4", "2"] and some["margin"][:] == [1, 2]


names = st.one_of(st.sampled_from([*FEATURES, "chosen", "rejected", *{c for f in FORMATS.values() for c in f.columns}]), st.text(max_size=4))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(FORMATS)))
def test_no_row_of_any_format_raises_anything_but_our_own_error(data, name):
    r = data.draw(st.fixed_dictionaries({c: junk for c in FORMATS[name].columns}, optional={c: junk for c in FEATURES if c not in FORMATS[name].columns}))
    for how in (dict(format=name), {}):
        try:
            load_comparisons([dict(prompt="Hi", response_a="x", response_b="y"), r] if name == "comparisons" else [r], **how)
        except ContractError as e:
            assert "row" in str(e) or "columns" in str(e)


@settings(max_examples=200, deadline=None)
@given(body=st.one_of(st.binary(max_size=200), st.lists(st.dictionaries(names, junk, max_size=4), max_size=3).map(lambda rows: json.dumps(rows).encode()),
                      st.lists(st.dictionaries(names, junk, max_size=4), max_size=3).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())),
       kind=st.sampled_from([".jsonl", ".json", ".csv", ".parquet", ".jsonl.gz", ".csv.gz"]), zipped=st.booleans(), strict=st.booleans())
def test_no_file_raises_anything_but_our_own_error(body, kind, zipped, strict, tmp_path_factory):
    path = tmp_path_factory.mktemp("f") / f"x{kind}"
    path.write_bytes(gzip.compress(body) if zipped and kind.endswith(".gz") else body)
    try:
        load_comparisons(path, strict=strict)
    except ContractError as e:
        assert path.name in str(e) and "want" in str(e)
