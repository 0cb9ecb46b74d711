"Of a person's ballots on a pair one counts, and the label says what that one does."

import itertools

import pandas as pd
import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons

PAIR = dict(prompt="Which tea?", response_a="Assam", response_b="A stone")
LABELS = dict(A=1.0, B=0.0, tie=0.5)


def votes(*cast):
    return [PAIR | dict(annotator=name, vote=vote) for name, vote in cast]


def counts(ds):
    return [ds[f"human_{outcome}"][0] for outcome in ("a", "b", "tie")]


@pytest.mark.parametrize("first, last", list(itertools.permutations(LABELS, 2)))
def test_the_label_follows_the_ballot_that_counts(first, last, caplog):
    cast = votes(("kim", first), ("kim", last))
    for repeats, counted in dict(last=last, first=first).items():
        ds = load_comparisons(cast, repeats=repeats)
        assert ds["label"][0] == LABELS[counted] and ds["label_source"][0] == "annotator"
        assert sum(counts(ds)) == 1 and [b["vote"] for b in ds["ballots"][0]] == [counted.lower()]
        assert f"the {repeats} in the file counts" in caplog.text
    ds = load_comparisons(cast, repeats="all")
    assert ds["label"][0] is None and ds["label_source"][0] == "conflicting"
    ds = load_comparisons(cast, repeats="agreed")
    assert ds["label"][0] is None and ds["label_source"][0] is None and counts(ds) == [None] * 3


def test_so_does_it_beside_other_people_and_in_the_other_order():
    cast = votes(("kim", "A"), ("ann", "B"), ("kim", "B"))
    ds = load_comparisons(cast)
    assert ds["label"][0] == 0 and counts(ds) == [0, 2, 0]
    ds = load_comparisons(votes(("kim", "B"), ("ann", "B"), ("kim", "A")))
    assert ds["label_source"][0] == "conflicting" and counts(ds) == [1, 1, 0]
    turned = dict(PAIR, response_a="A stone", response_b="Assam", annotator="kim", vote="A")
    ds = load_comparisons([*votes(("kim", "A")), turned])
    sides = dict(zip((0, 1), (ds["response_b"][0], ds["response_a"][0])))
    assert sides[ds["label"][0]] == "A stone" and sum(counts(ds)) == 1


def test_an_abstention_after_a_vote_leaves_the_vote():
    ds = load_comparisons(votes(("kim", "A"), ("kim", "")))
    assert ds["label"][0] == 1 and counts(ds) == [1, 0, 0]


def test_a_label_that_is_no_ballot_stays(tmp_path):
    choice = dict(prompt="Which tea?", chosen="Assam", rejected="A stone")
    turned = choice | dict(chosen="A stone", rejected="Assam")
    ds = load_comparisons([choice, turned])
    assert ds["label_source"][0] == "conflicting"
    signed = [choice | dict(annotator="kim"), turned | dict(annotator="kim")]
    pd.DataFrame(signed).to_csv(tmp_path / "x.csv", index=False)
    ds, account = read_comparisons(tmp_path / "x.csv")
    better = ds["response_a"][0] if ds["label"][0] == 1 else ds["response_b"][0]
    assert better == "A stone" and account["repeats"]["votes"] == 1


@pytest.mark.parametrize("order", list(itertools.permutations(["tie", "A", "B"])))
def test_what_was_kept_stays_in_its_order(order):
    "Two people vote three times each; kept together, the last and the first are known later."
    cast = votes(*((name, vote) for vote in order for name in ("zoe", "ann")))
    kept = load_comparisons(cast, repeats="all")
    assert len(kept["ballots"][0]) == 6
    for repeats in ("last", "first", "agreed"):
        at_once = load_comparisons(cast, repeats=repeats)
        later = load_comparisons(list(kept), repeats=repeats)
        assert counts(later) == counts(at_once)
        assert later["ballots"][:] == at_once["ballots"][:]
