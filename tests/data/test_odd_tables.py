"Votes that would get lost, doubled or turned round in tables that users may have."

import pandas as pd
import pytest

from plurality_nb.data.loading import load_comparisons
from plurality_nb.errors import ContractError

PAIR = dict(prompt="Which tea?", response_a="Assam", response_b="A stone")


def counts(ds):
    return [ds[f"human_{outcome}"][0] for outcome in ("a", "b", "tie")]


NOBODY = [
    "anonymous",
    "Anonymous",
    "anon",
    "unknown",
    "nan",
    "None",
    "NULL",
    "N/A",
    "n.a.",
    "-",
    "?",
]


@pytest.mark.parametrize("name", [*NOBODY, "NA", "anonymous user", " "])
def test_placeholders_for_names_are_not_one_person(name, tmp_path, caplog):
    rows = [PAIR | dict(annotator=name, vote=vote) for vote in "AABA"]
    pd.DataFrame(rows).to_csv(tmp_path / "x.csv", index=False)
    for data in (rows, tmp_path / "x.csv"):
        caplog.clear()
        ds = load_comparisons(data)
        assert counts(ds) == [3, 1, 0] and ds["label_source"][0] == "conflicting"
        assert "4 votes on repeated pairs name no annotator" in caplog.text


@pytest.mark.parametrize("name", ["Na", "Noni", "0", "Anon Smith", "Nan", "user-1"])
def test_names_that_resemble_them_are_people(name):
    is_nobody = name == "Nan"  # as pandas writes it in another spelling
    ds = load_comparisons([PAIR | dict(annotator=name, vote=vote) for vote in "AB"])
    assert counts(ds) == ([1, 1, 0] if is_nobody else [0, 1, 0])


@pytest.mark.parametrize("names", [("Kim", "kim"), ("KIM", "Kim "), ("Kim  Lee", "kim lee")])
def test_names_that_differ_in_case_alone_are_told(names, caplog):
    ds = load_comparisons([PAIR | dict(annotator=name, vote="A") for name in names])
    assert counts(ds) == [2, 0, 0]
    assert "names that differ in case or blanks alone count as different people" in caplog.text
    caplog.clear()
    load_comparisons([PAIR | dict(annotator=name, vote="A") for name in ("Kim", "Jim")])
    assert "names that differ" not in caplog.text


@pytest.mark.parametrize(
    "column", ["a_is_better", "first_preferred", "response_a_won", "prefers_b", "better_left"]
)
@pytest.mark.parametrize("value", [True, "yes", 1])
def test_flags_that_say_who_won_are_named(column, value, caplog):
    load_comparisons([PAIR | {column: value}])
    assert f"`{column}`: looks like votes and is not used" in caplog.text
    caplog.clear()
    for other in ("a_is_long", "first_time", "is_best_effort", "likes_tea"):
        load_comparisons([PAIR | {other: value}])
    assert not caplog.text


@pytest.mark.parametrize("scores", [(1.0, 5.0), (-2, -1), (0, 0.1)])
def test_scores_that_contradict_the_choice_are_told(scores, caplog):
    row = dict(prompt="Which tea?", chosen="Assam", rejected="A stone")
    row |= dict(zip(("score_chosen", "score_rejected"), scores))
    load_comparisons([row])
    assert "`chosen` has the lower score: the scores decide" in caplog.text
    caplog.clear()
    load_comparisons([row | dict(score_chosen=9.0)])
    load_comparisons([row | dict(score_chosen=scores[1])])
    assert not caplog.text


@pytest.mark.parametrize(
    "rows",
    [
        [dict(prompt="Which tea?", chosen="Assam", rejected="A stone")] * 3,
        [PAIR | dict(label=1)] * 3,
        [dict(prompt="Which tea?", chosen=a, rejected=b) for a, b in ("pq", "qp", "pq")],
    ],
)
def test_labels_of_copies_are_told_before_they_are_votes(rows, caplog):
    ds = load_comparisons(rows)
    assert sum(counts(ds)) == 3
    assert "3 labels on repeated pairs count as the vote of one person each" in caplog.text
    caplog.clear()
    load_comparisons([rows[0], rows[0] | dict(prompt="Which coffee?")])
    load_comparisons([row | dict(label_source="majority") for row in rows])
    assert "labels on repeated" not in caplog.text


@pytest.mark.parametrize("other", ["overall_vote", "Verdict", "preference_of_tone"])
def test_another_vote_beside_the_one_that_is_read_is_told(other, caplog):
    load_comparisons([PAIR | {"annotator": "kim", "vote": "A", other: "B"}], format="votes_long")
    assert f"`{other}`" in caplog.text and "looks like votes and is not used" in caplog.text
    caplog.clear()
    load_comparisons([PAIR | dict(annotator="kim", vote="A", grade="B", blood="A")])
    assert "looks like votes" not in caplog.text


@pytest.mark.parametrize(
    "column, value, fine",
    [("status", "discarded", "submitted"), ("is_valid", False, True), ("spam", "1", "0")],
)
@pytest.mark.parametrize("votes", [dict(annotator="kim", vote="A"), dict(rater_1="A", rater_2="B")])
def test_votes_that_were_not_accepted_are_told(column, value, fine, votes, caplog):
    load_comparisons([PAIR | votes | {column: value}])
    assert f"1 rows: `{column}` is '{value}' in rows whose votes count" in caplog.text
    caplog.clear()
    load_comparisons([PAIR | votes | {column: fine}])
    assert "whose votes count" not in caplog.text


def test_the_hint_beside_another_prompt_can_be_followed():
    turns = [[dict(role="user", content="Tea?"), dict(role="assistant", content=x)] for x in "pq"]
    row = dict(prompt="Coffee?", response_a=turns[0], response_b=turns[1])
    with pytest.raises(ContractError, match=r"`prompt`: want .* load leniently") as error:
        load_comparisons([row])
    assert "--map" not in str(error.value)
