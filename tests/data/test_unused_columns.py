"What looks like votes and is not read is told with the form that it needs, and nothing is guessed."

import json
import re

import pandas as pd
import pytest

from plurality_nb.data.checks import check_columns
from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.errors import ContractError

SIDES = ("a", "b", "tie")
TEXTS = dict(response_a="Assam", response_b="A stone")


def with_texts(*votes):
    return [dict(prompt=f"Tea {i}?", **TEXTS) | row for i, row in enumerate(votes)]


def votes_of(ds, voters="human"):
    return [[ds[f"{voters}_{side}"][i] for side in SIDES] for i in range(len(ds))]


def notes_of(rows, **kwargs):
    return "\n".join(read_comparisons(rows, **kwargs).account["notes"])


def options_in(text):
    "The arguments of `load_comparisons` for the options that a message proposes."
    format = re.search(r"--format (\w+)", text)
    mapping = re.search(r"--map (?:'([^']+)'|([^\s;)]+))", text)
    words = re.search(r"--vote-words (?:'([^']+)'|([^\s;),]\S*?)(?=[\s;)]|$))", text)
    found = dict(format=format[1]) if format else {}
    if mapping:
        pairs = (mapping[1] or mapping[2]).split(",")
        found["columns"] = dict(pair.split("=") for pair in pairs)
    if words:
        pairs = (words[1] or words[2]).split(",")
        found["vote_words"] = dict(pair.split("=") for pair in pairs)
    return found


LANGUAGES = {
    "German": ("links", "rechts", "gleich"),
    "French": ("Gauche", "Droite", "égalité"),
    "Spanish": ("izquierda", "derecha", "empate"),
    "Chinese": ("左", "右", "平局"),
    "Russian": ("слева", "справа", "ничья"),
}
RATERS = [("rater_1", "rater_2"), ("anna", "ben"), ("vote_1", "vote_2")]


@pytest.mark.parametrize("names", RATERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_votes_in_another_language_are_told_with_what_reads_them(language, names, tmp_path):
    a, b, tie = LANGUAGES[language]
    rows = with_texts(dict(zip(names, (a, b))), dict(zip(names, (tie, b))))
    pd.DataFrame(rows).to_csv(tmp_path / "x.csv", index=False)
    for data in (rows, tmp_path / "x.csv"):
        said = notes_of(data)
        assert f"`{names[0]}`, `{names[1]}`: looks like votes and is not used" in said
        assert "the meaning of 4 values is not known" in said and f"{b} (2)" in said
        assert votes_of(load_comparisons(data, **options_in(said))) == [[1, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize("vote", ["vote", "preferred"])
def test_one_vote_a_row_in_another_language(vote):
    rows = with_texts({vote: "links"}, {vote: "rechts"})
    ds = load_comparisons(rows, **options_in(notes_of(rows)))
    assert votes_of(ds) == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("words", [("links", "rechts"), ("besser", "weniger gut"), ("hm", "ja")])
def test_columns_of_which_nothing_can_be_read_stop_the_load(words, strict):
    rows = with_texts(*(dict(rater_1=word, rater_2="hm") for word in words))
    columns = dict(raters="rater_1+rater_2")
    with pytest.raises(ContractError, match="4 values, none of which is one") as caught:
        load_comparisons(rows, columns=columns, strict=strict)
    assert f"{words[0]}=" in caught.value.hint and f"{words[1]}=" in caught.value.hint
    meanings = {words[0]: "a", words[1]: "b", "hm": "none"}
    assert votes_of(load_comparisons(rows, columns=columns, vote_words=meanings))[1] == [0, 1, 0]


def test_the_text_of_a_mapped_response_can_be_read():
    rows = [dict(q="Tea?", one="Assam", other="A stone", best="A stone")]
    columns = dict(prompt="q", response_a="one", response_b="other", vote="best")
    ds = load_comparisons(rows, format="votes_long", columns=columns)
    assert votes_of(ds) == [[0, 1, 0]]


@pytest.mark.parametrize(
    "values", [("links", "kurz"), ("gut", "schlecht"), ("sol", "mi"), ("", "")]
)
def test_other_words_are_no_votes(values):
    assert "votes" not in notes_of(with_texts(*(dict(a_remark=value) for value in values)))


RATED = [
    ("score_a", "score_b"),
    ("rating_a", "rating_b"),
    ("overall_score_a", "overall_score_b"),
    ("Points 1", "Points 2"),
    ("left_quality", "right_quality"),
]


@pytest.mark.parametrize("names", RATED)
def test_ratings_of_the_sides_are_told_with_what_reads_them(names, tmp_path):
    scores = [(8, 3), (2, 3.5), (4, 4)]
    rows = with_texts(*(dict(zip(names, pair)) for pair in scores))
    pd.DataFrame(rows).to_csv(tmp_path / "x.csv", index=False)
    for data in (rows, tmp_path / "x.csv"):
        said = notes_of(data)
        assert f"`{names[0]}`, `{names[1]}`: looks like ratings" in said
        by_people = read_comparisons(data, **options_in(said.partition(" (exchange")[0]))
        assert by_people.comparisons["label"][:] == [1, 0, 0.5]
        assert "--annotators-are judges" in "\n".join(by_people.account["notes"])
        as_rewards = load_comparisons(data, **options_in(said.partition("; to keep")[2]))
        assert [*zip(as_rewards["reward_a"], as_rewards["reward_b"])] == scores


@pytest.mark.parametrize("known", [dict(label=1), dict(human_a=2), dict(vote="A", annotator="k")])
def test_ratings_beside_a_choice_are_no_votes(known):
    assert "ratings" not in notes_of(with_texts(dict(score_a=8, score_b=3) | known))


@pytest.mark.parametrize("harmless", [dict(tokens_a=8, tokens_b=3), dict(score_a="x", score_b="y")])
def test_what_rates_nothing_is_not_told(harmless):
    assert "ratings" not in notes_of(with_texts(harmless))


def test_ratings_of_judges_and_of_people_by_name():
    rows = with_texts(dict(rating_a=8, rating_b=3))
    judged = load_comparisons(rows, format="ratings", annotators_are="judges")
    assert judged["label_source"][:] == ["judge"]
    signed = load_comparisons([rows[0] | dict(annotator="kim")], format="ratings")
    assert votes_of(signed) == [[1, 0, 0]]


LISTED = {
    "words": [["A", "B", "A"], ["B", "B", "tie"]],
    "numbers": [[1, 2, 1], [2, 2, 0]],
    "ballots": [
        [dict(annotator=name, vote=vote) for name, vote in zip("xyz", votes)]
        for votes in (("a", "b", "a"), ("b", "b", "tie"))
    ],
}


@pytest.mark.parametrize("kind", LISTED)
@pytest.mark.parametrize("sides", [("response_a", "response_b"), ("chosen", "rejected")])
def test_lists_of_votes_are_told_with_what_reads_them(kind, sides):
    rows = [dict(prompt=f"Tea {i}?", votes=votes) for i, votes in enumerate(LISTED[kind])]
    rows = [row | dict(zip(sides, TEXTS.values())) for row in rows]
    ds = load_comparisons(rows, **options_in(notes_of(rows)))
    assert votes_of(ds) == [[2, 1, 0], [0, 2, 1]]


def test_every_unread_column_is_told_what_it_needs():
    rows = with_texts(dict(rater_1="links", rater_2="rechts", anna="links", ben="rechts"))
    said = notes_of(rows)
    assert "raters=rater_1+rater_2 --vote-words links=a,rechts=b; `anna`, `ben`: write it" in said


@pytest.mark.parametrize("lists", [(["A", "B"], ["A"]), ("A,B", "B,B"), ('["A"]', '["B"]')])
def test_other_lists_are_told_with_the_form_they_need(lists):
    said = notes_of(with_texts(*(dict(votes=votes) for votes in lists)))
    assert "`votes`: looks like votes and is not used; write it as" in said
    assert "`votes_a`, `votes_b` and `votes_tie`" in said


PREFERRED = [("A", "B"), ("response_a", "response_b"), ("Assam", "A stone"), (1, 2), (0, 1)]


@pytest.mark.parametrize("values", PREFERRED)
@pytest.mark.parametrize("column", ["preferred_response", "overall_preference"])
def test_a_preferred_response_is_told_with_what_reads_it(values, column):
    rows = with_texts(*({column: value} for value in values))
    ds = load_comparisons(rows, **options_in(notes_of(rows)))
    assert votes_of(ds) == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("values", [(True, False), ("yes", "no"), ("1", "0")])
@pytest.mark.parametrize("column", ["a_is_better", "prefers_first"])
def test_flags_of_a_side_are_told_with_their_words(values, column):
    said = notes_of(with_texts(*({column: value} for value in values)))
    assert f"--map vote={column} --vote-words" in said
    for value in values:
        assert f"{value}=" in said


def test_shares_are_told_with_what_they_need():
    said = notes_of(with_texts(dict(share_a=0.75)))
    assert "`share_a`: looks like votes and is not used; a share needs a number of votes" in said
    rows = with_texts(dict(share_a=0.75, share_b=0.25))
    ds = load_comparisons(rows, **options_in(notes_of(rows)))
    assert votes_of(ds, "judge") == [[0.75, 0.25, 0]]


@pytest.mark.parametrize("column", ["human_both_bad", "both_bad", "human_neither"])
def test_votes_for_neither_are_told_with_what_counts_them(column):
    counts = dict(human_a=3, human_b=2)
    rows = with_texts(counts | {column: 4})
    assert votes_of(load_comparisons(rows, **options_in(notes_of(rows)))) == [[3, 2, 4]]
    said = notes_of(with_texts(counts | {"human_tie": 1, column: 4}))
    assert f"add `{column}` to `human_tie`" in said


@pytest.mark.parametrize("column", ["votes_yes", "n_prefer_a", "upvotes"])
def test_every_column_that_is_named_has_a_remedy(column):
    assert "; write it as" in notes_of(with_texts({column: 3}))


def test_a_vote_beside_another_vote_is_told_with_what_reads_it():
    rows = with_texts(dict(vote="A", annotator="kim", overall_verdict="B"))
    said = notes_of(rows)
    assert "to read it instead of `vote`: --format votes_long --map vote=overall_verdict" in said
    assert votes_of(load_comparisons(rows, **options_in(said))) == [[0, 1, 0]]


SCALES = [(1, 3, 4, 5), (1, 2, 5, 7), (-3, 0, 1, 3), (0, 0.5, 1), (3, 4, 5)]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("as_type", [float, str, "wide"])
def test_steps_of_a_scale_are_asked_about_by_those_that_occur(scale, as_type):
    if as_type == "wide":
        rows = with_texts(*(dict(rater_1=step, rater_2=scale[0]) for step in scale))
        kwargs = dict(columns=dict(raters="rater_1+rater_2"))
    else:
        rows = with_texts(*(dict(vote=as_type(step), annotator="kim") for step in scale))
        kwargs = {}
    for strict in (True, False):
        with pytest.raises(ContractError, match="numbers whose meaning is known") as caught:
            load_comparisons(rows, strict=strict, **kwargs)
    meanings = options_in(caught.value.hint)["vote_words"]
    assert {*map(float, meanings)} == {*scale}
    ds = load_comparisons(rows, vote_words=meanings, **kwargs)
    assert ds["human_a"][0] > 0 and ds["human_b"][len(scale) - 1] > 0


def test_words_of_degree_are_shown_as_found():
    rows = with_texts(dict(preference="strongly prefer B"), dict(preference="a bit A"))
    said = notes_of(rows)
    assert "strongly prefer B=b" in said and "a bit A=a" in said
    assert votes_of(load_comparisons(rows, **options_in(said))) == [[0, 1, 0], [1, 0, 0]]


def test_one_odd_number_is_an_error_in_its_row():
    rows = with_texts(dict(vote=1), dict(vote=2), dict(vote=22))
    with pytest.raises(ContractError, match="row 2: `vote`"):
        load_comparisons(rows)


NAN = float("nan")
LACKING = {"judge_a": (0.4, 0.2), "judge_b": (0.75, 0.0)}


@pytest.mark.parametrize("lacking", LACKING)
@pytest.mark.parametrize("blank", [NAN, None, "absent"])
def test_a_blank_share_is_not_invented(lacking, blank, tmp_path):
    other = ({"judge_a", "judge_b"} - {lacking}).pop()
    row = {other: LACKING[lacking][0], "judge_tie": LACKING[lacking][1]}
    row |= {} if blank == "absent" else {lacking: blank}
    rows = with_texts(row, dict(judge_a=0.5, judge_b=0.25, judge_tie=0.25))
    pd.DataFrame(rows).to_csv(tmp_path / "x.csv", index=False)
    for data in (rows, tmp_path / "x.csv"):
        assert votes_of(load_comparisons(data), "judge") == [[None] * 3, [0.5, 0.25, 0.25]]
        assert f"`{lacking}` is " in notes_of(data) and "are not used" in notes_of(data)
    columns = check_columns({name: [value] for name, value in rows[0].items()}, 1)
    assert columns[other] == [None]


def test_blank_counts_and_blank_ties_are_told():
    assert "read as no votes for it" in notes_of(with_texts(dict(judge_a=NAN, judge_b=4)))
    rows = with_texts(dict(judge_a=0.5, judge_b=0.5, judge_tie=NAN))
    assert "`judge_tie` is blank beside fractions, which is read as no ties" in notes_of(rows)
    assert votes_of(load_comparisons(rows), "judge") == [[0.5, 0.5, 0]]


LABELS = [(1, 0), (0, 0), (1.0, 0.5)]


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_how_labels_of_a_file_are_read_is_said(labels, kind, tmp_path):
    table = pd.DataFrame(with_texts(*(dict(label=label) for label in labels)))
    path = tmp_path / f"x.{kind}"
    write = dict(csv=table.to_csv, parquet=table.to_parquet)
    if kind == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        write[kind](path, index=False)
    said = notes_of(path)
    assert said.count("`label`: 1 is read as `response_a` being better") == 1
    turned = load_comparisons(path, **options_in(said.partition("stands for")[2]))
    assert turned["label"][:] == [1 - label for label in labels]
    assert [sum(votes) for votes in votes_of(turned)] == [1] * len(labels)


def test_how_a_mapped_label_is_read_is_said(tmp_path):
    rows = [dict(row, better=1) for row in with_texts({})]
    (tmp_path / "x.jsonl").write_text(json.dumps(rows[0]))
    said = notes_of(tmp_path / "x.jsonl", columns=dict(label="better"))
    assert "`better`: 1 is read as" in said and "--map vote=better" in said


def test_labels_of_ones_own_files_and_rows_are_not_explained(tmp_path):
    from plurality_nb.data.saving import save_comparisons

    rows = with_texts(dict(label=1), dict(label=0))
    assert "is read as" not in notes_of(rows)
    save_comparisons(load_comparisons(rows), tmp_path / "own.jsonl")
    assert "is read as" not in notes_of(tmp_path / "own.jsonl")


@pytest.mark.parametrize("labels", [(1, 0), (1, 0.5)])
def test_how_signed_labels_are_read_is_said(labels):
    rows = with_texts(*(dict(label=label, annotator="kim") for label in labels))
    assert "--vote-words 1=b,0=a" in notes_of(rows)
    explained = notes_of([*rows, rows[0] | dict(prompt="x", label=2)][1:]) if 0 in labels else ""
    assert "1 is read as" not in explained


@pytest.mark.parametrize("paths", [("x", "y"), ("said.0", "said.1"), ("said.0", "y")])
def test_raters_can_be_named_by_a_path(paths):
    rows = with_texts(dict(x="A", y="B", said=["A", "B"]), dict(x="B", y="", said=["B", ""]))
    columns = dict(zip(("rater_1", "rater_2"), paths))
    assert votes_of(load_comparisons(rows, columns=columns)) == [[1, 1, 0], [0, 1, 0]]
    short = [*rows, with_texts(dict(x="A", said=[]))[0] | dict(prompt="Short?")]
    with pytest.raises(ContractError, match="row 2: "):
        load_comparisons(short, columns=columns)
