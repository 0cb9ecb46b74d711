"Votes in a column that the first rows lack or have blank are read, refused or told."

import csv
import json

import pandas as pd
import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.errors import ContractError

TEXTS = dict(response_a="Assam", response_b="A stone")
NAMED = dict(rater_kim="A", rater_ann="B")
NUMBERED = dict(rater_1="A", rater_2="B")
LONG = dict(winner="A", annotator="kim")


@pytest.fixture(autouse=True)
def three_rows_are_peeked(monkeypatch):
    monkeypatch.setattr("plurality_nb.data.loading.ROWS_PEEKED", 3)


def rows_of(votes, first, later, n_first=6):
    "Rows with some votes, of which the first have one value of a further column and two another."
    rows = [dict(prompt=f"Tea {i}?") | TEXTS | votes for i in range(n_first + 2)]
    return [row | (first if i < n_first else later) for i, row in enumerate(rows)]


def notes_of(rows, **kwargs):
    return "\n".join(read_comparisons(rows, **kwargs).account["notes"])


BLANK = {"null": None, "empty": "", "nan": float("nan"), "a word": "N/A", "skipped": "skip"}
BEGUN = {
    "a named rater": (NAMED, dict(rater_bob="B")),
    "a rater who names a model": (
        NAMED | dict(model_a="x-1", model_b="y-2"),
        dict(rater_bob="x-1"),
    ),
    "a winner beside a label": (dict(label=1), dict(winner="B")),
    "a second vote": (LONG, dict(verdict="B")),
    "a vote beside counts": (dict(votes_a=2, votes_b=1), dict(choice="B")),
    "a vote of anybody": (dict(vote_first="A", vote_second="B"), dict(vote_x="A")),
}


@pytest.mark.parametrize("blank", BLANK)
@pytest.mark.parametrize("name", BEGUN)
def test_votes_of_a_column_that_is_blank_at_first_are_refused(name, blank):
    votes, later = BEGUN[name]
    (column,) = later
    rows = rows_of(votes, {column: BLANK[blank]}, later)
    with pytest.raises(ContractError, match=f"row 6: `{column}`.*one that begins here") as caught:
        load_comparisons(rows, annotators_are="people")
    assert "row 7" in str(caught.value) and f"--map own_{column}={column}" in str(caught.value)
    ds = load_comparisons(rows, annotators_are="people", columns={f"own_{column}": column})
    assert len(ds) == 8
    account = read_comparisons(rows, strict=False).account
    assert account["rejected_rows"] == [6, 7]


@pytest.mark.parametrize("blank", BLANK)
def test_the_proposed_options_read_them(blank):
    rows = rows_of(NAMED, dict(rater_bob=BLANK[blank]), dict(rater_bob="B"))
    with pytest.raises(ContractError, match=r"--map raters=rater_kim\+rater_ann\+rater_bob;"):
        load_comparisons(rows, annotators_are="people")
    named = dict(raters="rater_kim+rater_ann+rater_bob")
    for ds in (
        load_comparisons(rows, annotators_are="people", columns=named),
        load_comparisons(rows[::-1], annotators_are="people"),
    ):
        assert sorted(ds["human_b"][:]) == [1] * 6 + [2, 2]


@pytest.mark.parametrize("blank", BLANK)
@pytest.mark.parametrize("ties", ["ties", "n_draws", "tie_count"])
def test_ties_that_are_blank_at_first_are_read_or_refused(ties, blank):
    rows = rows_of(dict(votes_a=2, votes_b=1), {ties: BLANK[blank]}, {ties: 3})
    if blank not in ("null", "nan"):  # words that a count must not be
        with pytest.raises(ContractError, match=f"row 6: `{ties}`"):
            load_comparisons(rows)
        rows = rows[:6]
    ds = load_comparisons(rows)
    assert ds["human_tie"][:] == ([0] * 6 + [3, 3])[: len(rows)] and set(ds["human_a"][:]) == {2}


@pytest.mark.parametrize("blank", ["", "NA"])
def test_ties_of_a_csv(blank, tmp_path):
    rows = rows_of(dict(votes_a=2, votes_b=1), dict(ties=blank), dict(ties=3))
    pd.DataFrame(rows).to_csv(tmp_path / "votes.csv", index=False)
    if blank:
        with pytest.raises(ContractError, match="row 6: `ties`"):
            load_comparisons(tmp_path / "votes.csv")
    else:
        assert load_comparisons(tmp_path / "votes.csv")["human_tie"][:] == [0] * 6 + [3, 3]


def test_a_second_column_of_ties_is_told():
    rows = rows_of(dict(votes_a=2, votes_b=1, ties=1), dict(draws=None), dict(draws=4))
    assert load_comparisons(rows)["human_tie"][:] == [1] * 8
    assert "`draws`: looks like votes and is not used" in notes_of(rows)


@pytest.mark.parametrize("name", ["ties", "rater_3", "judged_by_bob", "votes_b"])
def test_columns_that_the_first_rows_lack(name):
    votes, later, kwargs = {
        "ties": (dict(votes_a=2, votes_b=1), dict(ties=3), {}),
        "rater_3": (NUMBERED, dict(rater_3="B"), {}),
        "judged_by_bob": (
            dict(judged_by_kim="A", judged_by_ann="B"),
            dict(judged_by_bob="B"),
            dict(columns=dict(raters="judged_by_*")),
        ),
        "votes_b": (dict(votes_a=2), dict(votes_b=3), {}),
    }[name]
    rows = rows_of(votes, {}, later)
    for blank in ({}, {name: None}, {name: ""}):  # one more row, in which it is blank
        more = [*rows[:6], rows[5] | dict(prompt="Soup?") | blank, *rows[6:]]
        with pytest.raises(ContractError, match=f"row 7: `{name}`.*begins here"):
            load_comparisons(more, annotators_are="people", **kwargs)
    assert len(load_comparisons(rows[:6], annotators_are="people", **kwargs)) == 6


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_files_as_well(ending, tmp_path):
    rows = rows_of(NAMED, dict(rater_bob=None), dict(rater_bob="B"))
    path = tmp_path / f"votes.{ending}"
    if ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif ending == "parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    with pytest.raises(ContractError, match="row 6: `rater_bob`"):
        load_comparisons(path, annotators_are="people")


TOLD = {
    "a list": (dict(label=1), dict(votes=["A", "B", "A"])),
    "shares": (dict(label=1), dict(pct_a=66.5, pct_b=33.5)),
    "ties of the file's own counts": (dict(human_a=2, human_b=1), dict(ties=3)),
    "ratings": ({}, dict(rating_a=3, rating_b=1)),
    "a flag of ties": (dict(label=1), dict(is_tie=True)),
    "a weight": (dict(label=1), dict(n_votes=5)),
}


@pytest.mark.parametrize("first", ["blank", "absent"])
@pytest.mark.parametrize("name", TOLD)
def test_what_no_format_reads_is_told_as_in_the_first_rows(name, first):
    votes, later = TOLD[name]
    blank = dict.fromkeys(later) if first == "blank" else {}
    said = notes_of(rows_of(votes, blank, later))
    assert all(f"`{column}`" in said for column in later) and "is not used" in said
    assert "is not used" not in notes_of(rows_of(votes, blank, blank))


@pytest.mark.parametrize("later", [dict(remark="B is fine"), dict(score=3), dict(rater_age=31)])
@pytest.mark.parametrize("votes", [NAMED, LONG, dict(label=1), dict(votes_a=1, votes_b=0)])
def test_other_columns_may_begin_late(later, votes):
    (column,) = later
    for first in ({}, {column: None}):
        rows = rows_of(votes, first, later)
        assert len(load_comparisons(rows, annotators_are="people")) == 8
        assert f"`{column}`" not in notes_of(rows, strict=False)


@pytest.mark.parametrize("blank", [*BLANK.values()])
def test_a_blank_first_cell_does_not_hide_the_votes_below(blank):
    rows = rows_of(NAMED, dict(rater_bob=blank), dict(rater_bob="B"), n_first=1)
    ds = load_comparisons(rows, annotators_are="people")
    assert ds["human_b"][:] == [1, 2, 2]
    counts = rows_of(dict(votes_a=2, votes_b=1), dict(ties=float("nan")), dict(ties=3), n_first=1)
    assert load_comparisons(counts)["human_tie"][:] == [0, 3, 3]


@pytest.mark.parametrize("first", [{}, dict(order=None), dict(order="")])
@pytest.mark.parametrize("votes", [LONG | dict(winner="left"), dict(rater_1="first", rater_2="B")])
def test_an_order_of_display_that_begins_late_is_asked_about(votes, first):
    rows = rows_of(votes, first, dict(order="BA"))
    with pytest.raises(ContractError, match=r"row 6: .*shown_turned=order"):
        load_comparisons(rows, annotators_are="people")
    words = dict(left="a", first="a")
    assert len(load_comparisons(rows, annotators_are="people", vote_words=words)) == 8
    other = rows_of(votes, first, dict(order="soup"))
    assert len(load_comparisons(other, annotators_are="people")) == 8
