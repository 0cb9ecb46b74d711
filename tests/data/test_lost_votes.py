"No vote of a table is lost or invented without a word, nor by a command that a note proposes."

import re

import pandas as pd
import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.errors import ContractError

SIDES = ("a", "b", "tie")
TEXTS = dict(prompt="Tea?", response_a="Assam", response_b="A stone")
CHOICE = dict(prompt="Tea?", chosen="Assam", rejected="A stone")


def votes_of(ds):
    return [ds[f"human_{side}"][0] for side in SIDES]


def notes_of(rows, **kwargs):
    return "\n".join(read_comparisons(rows, **kwargs).account["notes"])


def options_in(text):
    "The arguments of `load_comparisons` for the options that a message proposes."
    format, mapping = re.search(r"--format (\w+)(?: --map ([^\s;)]+))?", text).groups()
    return dict(format=format, columns=dict(pair.split("=") for pair in mapping.split(",")))


@pytest.mark.parametrize("ties", ["ties", "tie", "n_ties", "votes_ties", "draws", "Ties"])
@pytest.mark.parametrize("sides", [("votes_a", "votes_b"), ("n_votes_1", "n_votes_2")])
def test_ties_beside_counts_of_the_sides_are_read(sides, ties):
    row = TEXTS | dict(zip((*sides, ties), (7, 2, 1)))
    assert votes_of(load_comparisons([row])) == [7, 2, 1]


@pytest.mark.parametrize("share", [0.1, "10%", "yes"])
def test_what_is_no_number_of_ties_is_not_read_as_one(share):
    row = TEXTS | dict(votes_a=7, votes_b=2, ties=share)
    assert votes_of(load_comparisons([row])) == [7, 2, 0]


@pytest.mark.parametrize("ties", ["split_ties", "crowd_draws", "no_winner_tie"])
def test_a_proposed_command_reads_all_that_was_read_before(ties):
    row = TEXTS | {"votes_a": 7, "votes_b": 2, ties: 1}
    proposal = options_in(notes_of([row]))
    assert votes_of(load_comparisons([row], **proposal)) == [7, 2, 1]


def test_a_proposed_command_keeps_the_users_own_mapping():
    row = dict(q="Tea?", one="Assam", other="A stone", votes_a=7, votes_b=2, split_ties=1)
    texts = dict(prompt="q", response_a="one", response_b="other")
    proposal = options_in(notes_of([row], columns=texts))
    assert votes_of(load_comparisons([row], **proposal)) == [7, 2, 1]


NUMBERED = dict(prompt="Tea?", response_1="Assam", response_2="A stone")


@pytest.mark.parametrize("stem", ["human_", "Human ", "person_", "rater_", "worker_"])
def test_numbers_with_the_numbers_of_the_responses_are_counts(stem, tmp_path):
    row = NUMBERED | {f"{stem}1": 2, f"{stem}2": 1}
    pd.DataFrame([row]).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ContractError, match="--format comparisons") as caught:
        load_comparisons(tmp_path / "x.csv")
    hint = caught.value.hint
    columns = dict(response_a="response_1", response_b="response_2")
    columns |= dict(human_a=f"{stem}1", human_b=f"{stem}2")
    for side, column in columns.items():
        assert f"{side}={column}" in hint
    assert ("raters=" in hint) == (stem in ("rater_", "worker_"))
    ds = load_comparisons(tmp_path / "x.csv", format="comparisons", columns=columns)
    assert votes_of(ds) == [2, 1, 0]


def test_mapped_texts_keep_their_numbers():
    texts = dict(response_a="response_1", response_b="response_2")
    ds = load_comparisons([NUMBERED | dict(human_1=2, human_2=1)], columns=texts)
    assert votes_of(ds) == [2, 1, 0]


@pytest.mark.parametrize("votes", [("A", "B", "A"), (2, 1, 1), ("A", "B")])
def test_raters_stay_raters_and_are_not_called_unused(votes):
    raters = [f"human_{i}" for i, _ in enumerate(votes, 1)]
    row = TEXTS | dict(zip(raters, votes))
    columns = dict(raters="+".join(raters))
    assert "not used" not in notes_of([row], format="votes_wide", columns=columns)
    assert "not used" not in notes_of([row])
    assert sum(votes_of(load_comparisons([row]))) == len(votes)


COUNTED = [
    ("votes_chosen", "votes_rejected"),
    ("n_chosen", "n_rejected"),
    ("chosen_count", "rejected_count"),
    ("Chosen_Votes", "Rejected_Votes"),
]


@pytest.mark.parametrize("names", COUNTED)
@pytest.mark.parametrize("other", [{}, dict(annotator="kim"), dict(ties=1)])
def test_votes_beside_a_choice_are_named_with_a_command_that_reads_them(names, other):
    row = CHOICE | dict(zip(names, (7, 3))) | other
    said = notes_of([row])
    for column in names:
        assert f"`{column}`" in said
    ds = load_comparisons([row], **options_in(said))
    assert votes_of(ds) == [7, 3, other.get("ties", 0)]


def test_votes_beside_a_choice_under_other_names():
    row = dict(q="Tea?", good="Assam", bad="A stone", n_chosen=7, n_rejected=3)
    texts = dict(prompt="q", chosen="good", rejected="bad")
    proposal = options_in(notes_of([row], columns=texts))
    assert votes_of(load_comparisons([row], **proposal)) == [7, 3, 0]


WEIGHTED = {
    "a named vote": TEXTS | dict(vote="A", annotator="x"),
    "a vote": TEXTS | dict(vote="B"),
    "raters": TEXTS | dict(rater_1="A", rater_2="B"),
    "a choice": CHOICE,
    "a label": TEXTS | dict(label=1),
}


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("weight", ["count", "n", "n_votes", "weight", "num_annotators"])
def test_a_number_of_votes_beside_a_vote_is_named(name, weight):
    note = f"`{weight}`: looks like a number of votes and is not used"
    assert note in notes_of([WEIGHTED[name] | {weight: 5}])
    assert note in notes_of([WEIGHTED[name] | {weight: n} for n in ("1", "3")])
    assert note not in notes_of([WEIGHTED[name] | {weight: 1}])


def test_agreement_beside_a_choice_is_named():
    said = notes_of([CHOICE | dict(agreement=0.6, n_votes=5)])
    assert "`agreement`, `n_votes`: looks like a number of votes" in said


@pytest.mark.parametrize("harmless", [dict(n=5, votes_a=3, votes_b=2), dict(count=3, human_a=1)])
def test_a_total_beside_counts_is_no_weight(harmless):
    assert "number of votes" not in notes_of([TEXTS | harmless])
