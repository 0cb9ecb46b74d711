import math

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from plurality_nb.comparisons import FEATURES, ContractError, check_row, from_trl, swap_sides, take, to_comparisons, to_trl, with_columns
from plurality_nb.sources import load_comparisons, merge_pairs, save_comparisons

text = st.text(max_size=30)
turns = st.lists(st.fixed_dictionaries(dict(role=st.sampled_from(["user", "assistant", "system"]), content=text)), min_size=1, max_size=3)
prompt = st.one_of(text, turns).filter(lambda p: bool(p.strip()) if isinstance(p, str) else any(t["content"].strip() for t in p))
count = st.one_of(st.none(), st.integers(0, 50))
weight = st.one_of(st.none(), st.floats(0, 50, width=32))
row = st.fixed_dictionaries(dict(
    prompt=prompt, response_a=text, response_b=text, label=st.sampled_from([None, 0, 0.5, 1]),
    human_a=count, human_b=count, human_tie=count, judge_a=weight, judge_b=weight, judge_tie=weight,
    margin=st.one_of(st.none(), st.floats(-5, 5, width=32)), quadrant=st.sampled_from([None, "plural_alike"]), mood=text))
table = st.lists(row, min_size=1, max_size=6)
quick = settings(max_examples=40, deadline=None)


@quick
@given(table)
def test_swapping_twice_is_nothing(rows):
    ds = to_comparisons(rows)
    assert swap_sides(swap_sides(ds)).to_dict() == ds.to_dict()
    assert swap_sides(ds)["pair_id"][:] == ds["pair_id"][:]


@quick
@given(rows=table, kind=st.sampled_from([".parquet", ".jsonl", ".csv"]))
def test_any_table_survives_a_file(rows, kind, tmp_path_factory):
    ds = to_comparisons(rows)
    back = load_comparisons(save_comparisons(ds, tmp_path_factory.mktemp("f") / f"x{kind}"), merge=False)
    assert back.to_dict() == ds.to_dict()
    assert {c: back.features[c] for c in FEATURES} == dict(FEATURES)


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
@given(rows=table, order=st.randoms())
def test_merging_does_not_depend_on_the_order_of_rows(rows, order):
    rows = rows + rows[:2]
    mixed = rows[:]
    order.shuffle(mixed)

    def votes(rs):
        ds = merge_pairs(to_comparisons(rs))
        turn = {r["pair_id"]: r if r["response_a"] <= r["response_b"] else swap_sides(Dataset.from_list([dict(r)], features=ds.features))[0] for r in ds}
        return {k: [r[f"{w}_{o}"] for w in ("human", "judge") for o in ("a", "b", "tie")] for k, r in turn.items()}

    one, two = votes(rows), votes(mixed)
    assert one.keys() == two.keys()
    for k in one:
        assert all((x is None) == (y is None) and (x is None or math.isclose(x, y, rel_tol=1e-5, abs_tol=1e-5)) for x, y in zip(one[k], two[k]))


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
