"No vote of a table is lost or invented without a word, nor by a command that a note proposes."

import re

import pandas as pd
import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.voters import Counting
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


PLACES = {
    "left and right": [dict(vote="left"), dict(vote="right")],
    "first and second": [dict(vote="first"), dict(vote="second")],
    "raters": [dict(rater_1="left", rater_2="right")],
}


@pytest.mark.parametrize("name", PLACES)
def test_how_places_are_read_is_said(name):
    rows = [TEXTS | votes for votes in PLACES[name]]
    said = notes_of(rows)
    assert "left and first are read as `response_a`" in said
    assert "--map shown_turned=COLUMN" in said
    words = dict(left="a", right="b", first="a", second="b")
    assert "shown_turned" not in notes_of_counting(rows, words)
    turned = [row | dict(shown_turned=True) for row in rows]
    assert "are read as `response_a`" not in notes_of(turned)


def notes_of_counting(rows, words):
    return notes_of(rows, counting=Counting(vote_words=words))


@pytest.mark.parametrize("names", [("left_model", "right_model"), ("first_model", "second_model")])
def test_models_that_change_places_are_named(names):
    rows = [TEXTS | dict(zip(names, models), vote="left") for models in ("xy", "yx")]
    assert f"`{names[0]}` and `{names[1]}` change places between rows" in notes_of(rows)
    assert "change places" not in notes_of(rows[:1])


def test_counts_of_places_are_said():
    said = notes_of([TEXTS | dict(votes_left=2, votes_right=1)])
    assert "left and first are read as `response_a`" in said
    assert "exchange the two counts" in said


TURNED = dict(swapped=(True, False), is_flipped=(1, 0), order=("BA", "AB"), Order=(True, False))


@pytest.mark.parametrize("column", TURNED)
@pytest.mark.parametrize("vote", ["vote", "rater_1"])
def test_one_and_two_beside_turned_responses_are_asked_about(column, vote):
    rows = [TEXTS | {vote: 1, column: TURNED[column][0]}]
    rows += [TEXTS | dict(prompt="Coffee?") | {vote: 2, column: TURNED[column][1]}]
    with pytest.raises(ContractError, match="shown_turned") as caught:
        load_comparisons(rows)
    assert "--vote-words 1=a,2=b,0=tie" in caught.value.hint
    ds = load_comparisons(rows, vote_words={"1": "a", "2": "b"})
    assert ds["human_a"][:] == [1, 0]
    if "--map" in caught.value.hint:
        ds = load_comparisons(rows, columns=dict(shown_turned=column))
        assert ds["human_a"][:] == [0, 0]


@pytest.mark.parametrize("other", [dict(order=17), dict(order=2), dict(randomized=True)])
def test_other_columns_do_not_stop_numbers(other):
    assert votes_of(load_comparisons([TEXTS | dict(vote=2) | other])) == [0, 1, 0]


@pytest.mark.parametrize("numbers", [(0, 1, 2), ("0", "2"), (2.0, 0.0)])
def test_how_zero_one_and_two_are_read_is_said(numbers):
    rows = [TEXTS | dict(vote=number, annotator=f"p{number}") for number in numbers]
    note = "0 is read as a tie, 1 as A and 2 as B; if they mean something else: --vote-words"
    assert note in notes_of(rows)
    assert note not in notes_of([row for row in rows if float(row["vote"]) == 2])
    assert note not in notes_of_counting(rows, {"0": "a", "1": "b", "2": "tie"})


OWN = {
    "numbers": (dict(weight=3), dict(weight=2)),
    "texts": (dict(remark="fine"), dict(remark="bad")),
    "lists": (dict(tags=["x"]), dict(tags=["y"])),
}


@pytest.mark.parametrize("name", OWN)
def test_own_columns_that_merging_empties_are_named(name):
    first, second = OWN[name]
    (column,) = first
    rows = [TEXTS | dict(human_a=1, human_b=0) | own for own in (first, second)]
    rows += [row | dict(prompt="Coffee?") for row in rows]
    note = f"`{column}`: differs between the rows of one pair, and is empty in 2 merged pairs"
    assert note in notes_of(rows)
    assert "--no-merge" in notes_of(rows)
    for kept in (rows[::2], [TEXTS | dict(human_a=1, human_b=0) | first] * 2):
        assert "merged pairs" not in notes_of(kept)
    assert "merged pairs" not in notes_of(rows, merge=False)


def test_one_note_names_all_emptied_columns():
    own = (dict(x="1", y=2, z="green"), dict(x="2", y=3, z="green"))
    said = notes_of([TEXTS | dict(human_a=1, human_b=0) | columns for columns in own])
    assert "`x`, `y`: differs between the rows of one pair, and is empty in 1 merged pairs" in said
    assert "`z`" not in said


def labelled(*rows):
    names = ("label", "human_a", "human_b")
    return [TEXTS | dict(prompt=f"Tea {i}?") | dict(zip(names, row)) for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    "rows", [[(0, 4, 1), (1, 0, 5)], [(0, 4, 1)], [(0, 4, 1), (None, 3, 0), (1, 2, 2), (1, 1, 3)]]
)
def test_labels_against_all_votes_are_said(rows):
    n = sum(label is not None and a != b for label, a, b in rows)
    note = f"`label` contradicts the majority of votes in all {n} rows that have both"
    assert note in notes_of(labelled(*rows))
    right = [(1 if label == 0 else label, *votes) for label, *votes in rows[:1]]
    assert "contradicts" not in notes_of(labelled(*rows, *right))


def test_votes_do_not_contradict_their_own_label():
    assert "contradicts" not in notes_of([TEXTS | dict(vote="B", annotator="kim")])
    assert "contradicts" not in notes_of(labelled((0.5, 2, 1)))
