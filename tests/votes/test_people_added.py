"Votes put on their pairs, and votes of some people alone: none is lost, none is given to others."

import json

import numpy as np
import pytest

from plurality_nb.cli.comparisons import restrict_voters
from plurality_nb.data.build import number_column, with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.saving import save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.votes.audience import leave_out_people, restrict_votes
from plurality_nb.votes.selection import add_people, select_pairs
from plurality_nb.votes.shares import votes_of

COUNTRIES = {"kim": "NO", "Doe, Jane": "SE", "bo": "SE"}


def pair(number, **columns):
    return dict(prompt=f"Which tea, {number}?", response_a="Assam", response_b="A stone") | columns


def cast(name, vote):
    return dict(annotator=name, vote=vote, traits=dict(country=COUNTRIES.get(name, "FI")))


def voted():
    "One pair with a vote of each of three people."
    votes = {"kim": "a", "Doe, Jane": "b", "bo": "b"}
    return load_comparisons([pair(0, ballots=[cast(*ballot) for ballot in votes.items()])])


def counts(ds, row=0):
    return [ds[f"human_{outcome}"][row] for outcome in ("a", "b", "tie")]


@pytest.mark.parametrize(
    "where, want",
    [
        ("country=NO,SE", [1, 2, 0]),
        ("country=NO, SE", [1, 2, 0]),
        (" country= SE ", [0, 2, 0]),
        ("annotator=Doe, Jane", [0, 1, 0]),
        ("annotator=kim, bo", [1, 1, 0]),
    ],
)
def test_blanks_and_commas_in_names_leave_nobody_out(where, want):
    assert counts(restrict_voters(voted(), [where.strip()])) == want


@pytest.mark.parametrize(
    "where, unknown",
    [
        ("annotator=kin", "kin"),
        ("country=NO,SF", "SF"),
        ("annotator=Doe, Jane,kim", "Doe"),
    ],
)
def test_a_value_that_nobody_has_is_an_error(where, unknown):
    with pytest.raises(ContractError, match=f"got .*{unknown!r}"):
        restrict_voters(voted(), [where])
    trait, _, value = where.partition("=")
    with pytest.raises(ContractError, match=f"want values of '{trait}'"):
        restrict_votes(voted(), {trait: [value]})


def test_votes_without_a_ballot_stay_where_somebody_is_left_out():
    rows = [
        pair(0, human_a=5, human_b=2, ballots=[cast("kim", "a")]),
        pair(1, human_a=5, human_b=2, label=1, label_source="majority"),
        pair(2, ballots=[cast("kim", "a"), cast("bo", "b")]),
    ]
    ds = load_comparisons(rows, annotators_are="people")
    assert leave_out_people(ds, {"nobody"}).to_dict() == ds.to_dict()
    without = leave_out_people(ds, {"kim"})
    assert [counts(without, row) for row in range(3)] == [[4, 2, 0], [5, 2, 0], [0, 1, 0]]
    assert without["label"][1] == 1
    alone = load_comparisons([pair(0, ballots=[cast("kim", "a")])])
    assert counts(leave_out_people(alone, {"kim"})) == [None] * 3


def test_all_votes_by_judges_are_the_judges():
    ballots = [cast("g", "a")]
    rows = [
        pair(0, human_a=4, human_b=1, ballots=ballots),
        pair(1, human_a=4, human_b=1),
        pair(2, ballots=ballots),
        pair(3, human_a=4, human_b=1, judge_a=1, judge_b=1, judge_tie=1, ballots=ballots),
        pair(4, label=1, ballots=[]),
    ]
    ds = load_comparisons(rows, annotators_are="judges")
    assert [ds["judge_a"][:4], ds["judge_b"][:4]] == [[4, 4, 1, 5], [1, 1, 0, 2]]
    assert ds["human_a"][:] == [None] * 5 and ds["ballots"][:] == [None] * 5
    assert (ds["label"][4], ds["label_source"][4]) == (1, "judge")


@pytest.mark.parametrize("seed", range(3))
def test_pairs_with_votes_stand_for_themselves_alone(seed):
    rng = np.random.default_rng(seed)
    rows = [
        pair(i, **({} if i % 3 else dict(human_a=1, human_b=int(rng.integers(3)))))
        for i in range(60)
    ]
    ds = load_comparisons(rows, annotators_are="people")
    had_votes = ~np.isnan(votes_of(ds).a)
    sheet = select_pairs(ds, 20, "random", voted=True, seed=seed)
    filled = with_columns(sheet, human_a=[1] * 20, human_b=[0] * 20, human_tie=[0] * 20)
    inclusion = number_column(add_people(ds, filled).comparisons, "inclusion")
    drawn = np.isin(ds["pair_id"][:], sheet["pair_id"][:])
    assert (drawn & had_votes).any() and (drawn & ~had_votes).any()
    assert (inclusion[had_votes] == 1).all()
    np.testing.assert_allclose(inclusion[drawn & ~had_votes], 20 / 60)
    assert np.isnan(inclusion[~drawn & ~had_votes]).all()


@pytest.mark.parametrize("swapped", [False, True])
def test_a_sheet_of_labels_is_a_sheet_of_votes(swapped):
    sides = dict(response_a="A stone", response_b="Assam") if swapped else {}
    label = 0 if swapped else 1
    ds = load_comparisons([pair(0), pair(1), pair(2, judge_a=1, judge_b=0, judge_tie=0)])
    labels = [pair(0, label=label, **sides), pair(1, label=0.5), pair(2), pair(3, label=1)]
    added = add_people(ds, load_comparisons(labels))
    assert [counts(added.comparisons, row) for row in range(3)] == [
        [1, 0, 0],
        [0, 0, 1],
        [None] * 3,
    ]
    assert added.unmatched == 1
    judged = load_comparisons([pair(0, label=1, label_source="judge")])
    with pytest.raises(ContractError, match="want pairs with people's votes"):
        add_people(ds, judged)


@pytest.mark.parametrize("repeats, label", [("last", None), ("first", 1), ("all", 1)])
def test_a_label_goes_with_the_ballot_that_was_replaced(repeats, label):
    own = dict(label=1, label_source="annotator")
    ds = load_comparisons([pair(0, ballots=[cast("kim", "a")], **own)])
    new = load_comparisons([pair(0, ballots=[cast("kim", "b")])])
    added = add_people(ds, new, repeats).comparisons
    assert added["label"][0] == label
    assert added["label_source"][0] == (label and "annotator")


def test_who_the_people_of_a_sheet_are_is_read_too(command_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_comparisons(load_comparisons([pair(0, annotator="kim", vote="a")]), "data.jsonl")
    for name, other in (("first", "bo"), ("second", "ann")):
        votes = load_comparisons([pair(0, annotator=other, vote="b")])
        save_comparisons(votes, f"{name}.jsonl")
    people = [dict(annotator=name, country="NO") for name in ("kim", "bo", "ann")]
    (tmp_path / "people.jsonl").write_text("\n".join(map(json.dumps, people)))
    code, _, err = command_line(
        *"select data.jsonl --votes-from first.jsonl --votes-from second.jsonl".split(),
        *"--people people.jsonl --where country=NO --out chosen.jsonl".split(),
    )
    assert code == 0, err
    chosen = load_comparisons("chosen.jsonl")
    assert counts(chosen) == [1, 2, 0]
    assert {ballot["annotator"] for ballot in chosen["ballots"][0]} == {"kim", "bo", "ann"}
