"What a user says of votes is refused where the format that reads a table does not read it."

import re

import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.errors import ContractError

TEXTS = dict(prompt="Tea?", response_a="Assam", response_b="A stone")
QUESTION = [dict(role="user", content="Tea?")]
ARENA = dict(model_a="x", model_b="y", winner="model_a") | {
    f"conversation_{side}": [*QUESTION, dict(role="assistant", content=TEXTS[f"response_{side}"])]
    for side in "ab"
}
INSTRUCTION = dict(instruction="Tea?", output_1="Assam", output_2="A stone")
PANDALM = dict(instruction="Tea?", input="", response1="Assam", response2="A stone")
UNREAD = {
    "a label": TEXTS | dict(label=1),
    "counts": TEXTS | dict(human_a=2, human_b=1),
    "counts under other names": TEXTS | dict(votes_a=2, votes_b=1),
    "ballots": TEXTS | dict(ballots=[dict(annotator="kim", vote="a", traits={})]),
    "ratings": TEXTS | dict(rating_a=3, rating_b=1),
    "trl": dict(prompt="Tea?", chosen="Assam", rejected="A stone"),
    "pandalm": PANDALM | dict(annotator1=1, annotator2=2, annotator3=1),
    "arena": ARENA,
    "alpaca_eval": INSTRUCTION | dict(preference=1),
}


def format_of(name):
    return dict(format="ratings") if name == "ratings" else {}


@pytest.mark.parametrize("name", UNREAD)
def test_the_order_of_display_is_refused_where_it_is_not_read(name):
    row = UNREAD[name] | dict(swapped="true")
    assert len(load_comparisons([row], **format_of(name))) == 1
    with pytest.raises(ContractError, match="`shown_turned`: want a table read by") as caught:
        load_comparisons([row], columns=dict(shown_turned="swapped"), **format_of(name))
    assert caught.value.hint


@pytest.mark.parametrize("name", UNREAD)
def test_words_are_refused_where_they_are_not_read(name):
    words = {"1": "b", "0": "a"}
    with pytest.raises(ContractError, match="`vote_words`: want a table read by") as caught:
        load_comparisons([UNREAD[name]], vote_words=words, **format_of(name))
    assert caught.value.hint


@pytest.mark.parametrize("name", UNREAD)
def test_raters_are_refused_where_they_are_not_read(name):
    row = UNREAD[name] | dict(kim="A", lou="B")
    format = dict(
        {n: n for n in ("ratings", "trl", "pandalm", "arena", "alpaca_eval")},
    ).get(name, "comparisons")
    with pytest.raises(ContractError, match="`raters`: want a table read by format votes_wide"):
        load_comparisons([row], format=format, columns=dict(raters="kim+lou"))


@pytest.mark.parametrize("column", ["label", "gold"])
@pytest.mark.parametrize("is_turned", [True, False])
def test_the_proposed_options_read_a_label(column, is_turned):
    row = TEXTS | {column: 1, "swapped": is_turned}
    columns = dict(shown_turned="swapped") | ({} if column == "label" else dict(label=column))
    with pytest.raises(ContractError) as caught:
        load_comparisons([row], columns=columns)
    format, mapping = re.search(r"--format (\w+) --map (\S+)", caught.value.hint).groups()
    columns = dict(pair.split("=") for pair in mapping.split(","))
    ds = load_comparisons([row], format=format, columns=columns, vote_words={"1": "a", "0": "b"})
    assert ds["label"][:] == [0 if is_turned else 1]


@pytest.mark.parametrize("name", ["a label", "counts", "trl", "alpaca_eval"])
def test_a_column_of_that_name_is_told(name):
    notes = read_comparisons([UNREAD[name] | dict(shown_turned="true")]).account["notes"]
    assert any(note.startswith("`shown_turned`: is read beside") for note in notes)


@pytest.mark.parametrize("who", [{}, dict(annotator="kim"), dict(annotator="gpt-4")])
@pytest.mark.parametrize("format", [None, "alpaca_eval"])
def test_verdicts_of_language_models_are_not_called_those_of_people(who, format):
    rows = [INSTRUCTION | dict(preference=1) | who]
    with pytest.raises(ContractError, match="`annotators_are`: want judges or nothing") as caught:
        load_comparisons(rows, format=format, annotators_are="people")
    options = re.search(r"--format (\w+) --map (\S+)", caught.value.hint)
    columns = dict(pair.split("=") for pair in options[2].split(","))
    columns |= dict(annotator="annotator") if who else {}
    assert "--vote-words 1=a,2=b,0=tie --annotators-are people" in caught.value.hint
    said = dict(annotators_are="people", vote_words={"1": "a", "2": "b", "0": "tie"})
    ds = load_comparisons(rows, format=options[1], columns=columns, **said)
    assert ds["human_a"][:] == [1] and ds["judge_a"][:] == [None]
    ds = load_comparisons(rows, format="alpaca_eval", annotators_are="judges")
    assert ds["judge_a"][:] == [1]


SCORED = {
    "ultrafeedback": dict(
        instruction="Tea?",
        completions=[
            dict(response="Assam", overall_score=8),
            dict(response="Ash", overall_score=2),
        ],
    ),
    "ultrafeedback_binarized": UNREAD["trl"] | dict(score_chosen=8, score_rejected=2),
}


@pytest.mark.parametrize("name", SCORED)
def test_nor_are_scores(name):
    assert read_comparisons([SCORED[name]]).account["format"] == name
    with pytest.raises(ContractError, match="`annotators_are`: want judges or nothing"):
        load_comparisons([SCORED[name]], annotators_are="people")


@pytest.mark.parametrize("votes", [dict(label=1), dict(vote="A", rater="lou"), dict(votes_a=1)])
def test_a_table_of_people_of_whom_nobody_voted_is_told(votes):
    people = [dict(annotator="kim", country="NO")]
    notes = read_comparisons([TEXTS | votes], people=people).account["notes"]
    assert any(note.startswith("`people`: none of its 1 annotators") for note in notes)
    voted = [TEXTS | dict(vote="A", rater="kim")]
    notes = read_comparisons(voted, people=people).account["notes"]
    assert not any(note.startswith("`people`") for note in notes)
