"People's votes: never unseen, never miscounted."

import csv
import json
from collections import Counter

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.merging import REPEATS
from plurality_nb.data.saving import save_comparisons
from plurality_nb.data.voters import Counting
from plurality_nb.errors import ContractError

TEXTS = dict(prompt="Tea?", response_a="Yes", response_b="No")
SIDES = ("a", "b", "tie")

# What people write for the first response, the second one, and neither.
WORDS = [
    ("A", "B", "tie"),
    ("a", "b", "Tie"),
    ("model_a", "model_b", "tie (bothbad)"),
    ("response_a", "response_b", "both"),
    ("left", "right", "neither"),
    ("first", "second", "equal"),
    ("Response A is better", "Response B is slightly better", "no preference"),
    ("A>B", "B>A", "A=B"),
    ("tea-7b", "tea-70b", "draw"),
    ("[[A]]", "[[B]]", "both_bad"),
    (1, 2, 0),
    ("1", "2", "0"),
]
NAMES = [
    ("annotator", "vote"),
    ("rater_id", "choice"),
    ("worker", "preference"),
    ("user", "winner"),
    ("participant_id", "verdict"),
    ("annotator_id", "label"),
]
QUESTIONS = ["Tea?", "Coffee?", "Milk?"]


def people_votes(ds):
    "Prompt and response to its votes, and ties under None."
    votes = {}
    for row in ds:
        question = row["prompt"][0]["content"]
        counts = [row[f"human_{side}"] for side in SIDES]
        if counts[0] is not None:
            counted = zip((row["response_a"], row["response_b"], None), counts)
            votes[question] = {text: count for text, count in counted if count}
    return votes


quick = settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)

cast = st.lists(
    st.tuples(
        st.sampled_from(QUESTIONS),
        st.sampled_from([None, "kim", "lou", "max", "p0"]),
        st.sampled_from(["Yes", "No", None, ""]),  # the response, a tie, or no vote
        st.booleans(),  # whether the row has the sides swapped
    ),
    min_size=1,
    max_size=25,
)


def counted(ballots, repeats):
    "An independent count: a person once a pair, everybody else each time."
    of_person, of_nobody = {}, {}
    for question, who, choice, _ in ballots:
        if choice == "":
            continue
        if who is None:
            of_nobody.setdefault(question, []).append(choice)
        else:
            of_person.setdefault((question, who), []).append(choice)
    votes = {question: Counter(choices) for question, choices in of_nobody.items()}
    for (question, _), choices in of_person.items():
        if repeats == "last":
            kept = choices[-1:]
        elif repeats == "first":
            kept = choices[:1]
        elif repeats == "all":
            kept = choices
        else:
            kept = choices[:1] if len(set(choices)) == 1 else []
        votes.setdefault(question, Counter()).update(kept)
    return {question: dict(count) for question, count in votes.items() if count}


def long_rows(ballots, words, names):
    who_column, vote_column = names
    rows = []
    for question, who, choice, swapped in ballots:
        sides = ("No", "Yes") if swapped else ("Yes", "No")
        models = ("tea-70b", "tea-7b") if swapped else ("tea-7b", "tea-70b")
        if choice == "":
            word = ""
        elif choice is None:
            word = words[2]
        elif words[0] == "tea-7b":
            word = "tea-7b" if choice == "Yes" else "tea-70b"
        else:
            word = words[sides.index(choice)]
        rows.append(
            {
                "prompt": question,
                "response_a": sides[0],
                "response_b": sides[1],
                "model_a": models[0],
                "model_b": models[1],
                who_column: who or "",
                vote_column: word,
            }
        )
    return rows


def write_csv(rows, path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@quick
@given(
    ballots=cast,
    words=st.sampled_from(WORDS),
    names=st.sampled_from(NAMES),
    repeats=st.sampled_from(REPEATS),
    as_csv=st.booleans(),
)
def test_counts_are_those_of_an_independent_count(
    ballots, words, names, repeats, as_csv, tmp_path_factory
):
    # A 2 tells what numbers mean.
    ballots = [("Water?", "eve", "No", False), *ballots]
    rows = long_rows(ballots, words, names)
    data = write_csv(rows, tmp_path_factory.mktemp("v") / "votes.csv") if as_csv else rows
    ds = load_comparisons(data, repeats=repeats)
    assert people_votes(ds) == counted(ballots, repeats)


@quick
@given(
    ballots=cast,
    words=st.sampled_from(WORDS),
    stem=st.sampled_from(["rater_", "annotator", "worker "]),
)
def test_one_column_a_rater_is_counted_alike(ballots, words, stem):
    "Each row has the votes of three raters; rows on one pair may repeat."
    people = ["kim", "lou", "max"]
    rows, told = [], []
    for i in range(0, len(ballots), 3):
        question, _, _, swapped = ballots[i]
        row = long_rows([(question, "kim", "", swapped)], words, NAMES[0])[0]
        del row["annotator"], row["vote"]
        for k, person in enumerate(people):
            choice = ballots[i + k][2] if i + k < len(ballots) else ""
            told.append((question, person, choice, swapped))
            row[f"{stem}{k + 1}"] = long_rows(told[-1:], words, NAMES[0])[0]["vote"]
        rows.append(row)
    head = long_rows([("Water?", "kim", "No", False)], words, NAMES[0])[0]
    head = {f"{stem}1" if c == "vote" else c: x for c, x in head.items() if c != "annotator"}
    rows = [head | {f"{stem}{k}": "" for k in (2, 3)}, *rows]
    told = [("Water?", "kim", "No", False), *told]
    assert people_votes(load_comparisons(rows)) == counted(told, "last")


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize(
    "word", ["good", "C", "3", "-1", "A or B", "1e9", "yes", "none", "½", "左"]
)
def test_a_word_that_is_no_vote_names_row_and_column(names, word, tmp_path):
    rows = long_rows([("Tea?", "kim", "Yes", False), ("Tea?", "lou", "No", False)], WORDS[0], names)
    rows[1][names[1]] = word
    for data in (rows, write_csv(rows, tmp_path / "votes.csv")):
        with pytest.raises(ContractError) as e:
            load_comparisons(data)
        assert f"row 1: `{names[1]}`: want a vote" in str(e.value)
        assert "--vote-words" in str(e.value)
        ds, account = read_comparisons(data, strict=False)
        assert account["rejected_rows"] == [1]
        assert people_votes(ds) == {"Tea?": {"Yes": 1}}
        ds = load_comparisons(data, vote_words={word: "b"})
        assert people_votes(ds) == {"Tea?": {"Yes": 1, "No": 1}}


@pytest.mark.parametrize("value", [3, 1.5, "10", -3])
@pytest.mark.parametrize("strict", [True, False])
def test_a_number_that_may_be_a_step_of_a_scale_stops_the_whole_file(value, strict):
    "Left out alone, it would leave 1 and 2 read as A and B."
    rows = [TEXTS | dict(annotator="kim", vote=x) for x in (1, 2, value)]
    with pytest.raises(ContractError, match="`vote`: want numbers whose meaning is known"):
        load_comparisons(rows, strict=strict)


@pytest.mark.parametrize("value", [True, float("inf"), [1], dict(a=1), "99"])
def test_other_values_are_no_votes(value):
    rows = [TEXTS | dict(annotator="kim", vote=x) for x in (1, 2, value)]
    with pytest.raises(ContractError, match="row 2: `vote`: want a vote"):
        load_comparisons(rows)


@pytest.mark.parametrize("numbers", [(0, 1), (1,), (0,), ("0", "1"), (1.0, 0.0)])
def test_numbers_that_may_mean_two_things_are_asked_about(numbers):
    rows = [TEXTS | dict(annotator=f"p{i}", choice=x) for i, x in enumerate(numbers)]
    found = ",".join(f"{n}={side}" for n, side in zip(sorted({*map(float, numbers)}), "ab"))
    option = f"--vote-words {found}".replace(".0", "")
    with pytest.raises(ContractError, match=option):
        load_comparisons(rows)
    with pytest.raises(ContractError, match=option):
        load_comparisons(rows, strict=False)
    for one, zero in [("a", "b"), ("b", "a"), ("a", "tie")]:
        ds = load_comparisons(rows, vote_words={"1": one, "0": zero})
        want = Counter(one if float(x) == 1 else zero for x in numbers)
        assert [ds[f"human_{s}"][0] for s in SIDES] == [want[s] for s in SIDES]


def test_label_means_what_the_contract_says_unless_it_has_a_two():
    def votes(*labels):
        rows = [TEXTS | dict(annotator=f"p{i}", label=x) for i, x in enumerate(labels)]
        ds = load_comparisons(rows)
        return [ds[f"human_{s}"][0] for s in SIDES]

    assert votes(1, 0, 0, 0.5) == [1, 2, 1]
    assert votes(1, 0, 0, 2) == [1, 1, 2]
    assert votes("A", "B", "B", "tie") == [1, 2, 1]


SHOWN = {
    "one row a vote": TEXTS | dict(rater="kim", choice="left"),
    "one column a rater": TEXTS | dict(rater_1="left", rater_2="B"),
}


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("column", ["swapped", "is_flipped", "Reversed"])
def test_places_beside_a_column_of_turned_responses_are_asked_about(name, column):
    rows = [SHOWN[name] | {column: True}]
    with pytest.raises(ContractError, match=f"--map shown_turned={column}"):
        load_comparisons(rows)
    ds = load_comparisons(rows, vote_words=dict(left="a"))
    assert ds["human_a"][0] == 1


def test_the_place_on_the_screen_is_turned_where_the_responses_were():
    rows = [
        TEXTS | dict(rater=f"p{i}", choice="left", flipped=x)
        for i, x in enumerate([True, False, 1])
    ]
    ds = load_comparisons(rows, columns=dict(shown_turned="flipped"))
    assert [ds[f"human_{s}"][0] for s in SIDES] == [1, 2, 0]
    rows[1]["flipped"] = "perhaps"
    with pytest.raises(ContractError, match="row 1: `flipped`: want true or false"):
        load_comparisons(rows, columns=dict(shown_turned="flipped"))


@pytest.mark.parametrize(
    "sides", [("right", "left"), ("answer_2", "answer_1"), ("output_b", "output_a")]
)
def test_sides_mapped_the_other_way_round_are_refused(sides):
    row = {"prompt": "Tea?", sides[0]: "No", sides[1]: "Yes", "rater": "kim", "vote": "A"}
    columns = dict(response_a=sides[0], response_b=sides[1])
    with pytest.raises(ContractError, match=f"response_a={sides[1]},response_b={sides[0]}"):
        load_comparisons([row], columns=columns)
    ds = load_comparisons([row], columns=dict(response_a=sides[1], response_b=sides[0]))
    assert people_votes(ds) == {"Tea?": {"Yes": 1}}


COUNTS = {
    "votes_a, votes_b": dict(votes_a=3, votes_b=1),
    "human_votes_a, with ties": dict(human_votes_a=3, human_votes_b=1, human_votes_tie=0),
    "a_votes": dict(a_votes="3", b_votes="1"),
    "votes_1": dict(votes_1=3, votes_2=1),
    "num_votes_a": dict(num_votes_a=3.0, num_votes_b=1.0),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_under_other_names(name, tmp_path):
    rows = [TEXTS | COUNTS[name]]
    assert people_votes(load_comparisons(write_csv(rows, tmp_path / "x.csv"))) == {
        "Tea?": {"Yes": 3, "No": 1}
    }


def test_counts_that_a_judge_gave_are_a_judges():
    ds = load_comparisons([TEXTS | dict(judge_votes_a=3, judge_votes_b=1)])
    assert (ds["judge_a"][0], ds["human_a"][0]) == (3, None)
    rows = [TEXTS | dict(votes_a=3, votes_b=1)]
    ds = load_comparisons(rows, annotators_are="judges")
    assert (ds["judge_a"][0], ds["human_a"][0]) == (3, None)


@pytest.mark.parametrize("count", [-1, 0.5, "many", 2**31, float("inf"), True])
def test_impossible_counts_name_row_and_column(count):
    rows = [TEXTS | dict(votes_a=1, votes_b=2), TEXTS | dict(votes_a=count, votes_b=2)]
    with pytest.raises(ContractError, match="row 1: `votes_a`: want a whole number >= 0"):
        load_comparisons(rows)


@pytest.mark.parametrize("count", [10**9, 200_000])
def test_counts_too_large_for_votes_are_told(count, caplog):
    ds, account = read_comparisons([TEXTS | dict(human_a=count, human_b=2)])
    assert ds["human_a"][0] == count
    assert any("check that these are counts of votes" in note for note in account["notes"])


@pytest.mark.parametrize("blank", [None, float("nan")])
@pytest.mark.parametrize("names", [("human_a", "human_b"), ("votes_b", "votes_a")])
def test_a_blank_beside_a_count_is_told(blank, names):
    rows = [TEXTS | {names[0]: blank, names[1]: 3}, TEXTS | {names[0]: 1, names[1]: 1}]
    _, account = read_comparisons(rows, merge=False)
    assert [n for note, n in account["notes"].items() if "blank beside a count" in note] == [1]
    _, account = read_comparisons(rows[1:])
    assert not any("blank" in note for note in account["notes"])


UNUSED = {
    "counts that may be something else": (dict(n_a=3, n_b=1), "--map human_a=n_a,human_b=n_b"),
    "two columns of votes": (dict(winner="A", choice="B", rater="x"), "`winner`, `choice`"),
    "an annotator without a vote": (dict(annotator="kim"), "`annotator`"),
    "a winner that is no vote": (dict(winner="2024-01-01"), "--map vote=winner"),
    "a winner in three columns": (dict(winner_a=1, winner_b=0, winner_tie=0), "`winner_tie`"),
    "votes beside counts of the contract": (dict(human_a=1, human_b=0, vote="A"), "`vote`"),
    "counts beside votes": (dict(votes_a=1, votes_b=0, winner="A"), "`votes_a`"),
}


@pytest.mark.parametrize("name", UNUSED)
def test_columns_that_look_like_votes_and_are_not_used_are_named(name, caplog):
    extra, told = UNUSED[name]
    _, account = read_comparisons([TEXTS | extra])
    assert any(told in note and "not used" in note for note in account["notes"]), account["notes"]
    assert told in caplog.text


@pytest.mark.parametrize("extra", [dict(votes=3), dict(n=1), dict(mood="good"), dict(label=1), {}])
def test_other_columns_are_no_votes(extra):
    _, account = read_comparisons([TEXTS | extra])
    assert not account["notes"]


@pytest.mark.parametrize("others", ["ABC", ["a", "b", "calm"], ["tie", "bow tie"]])
def test_a_column_with_other_words_too_is_no_column_of_votes(others):
    first = others[0]
    _, account = read_comparisons([TEXTS | dict(mood=first)])
    assert any("`mood`" in note for note in account["notes"])
    rows = [TEXTS | dict(prompt=f"Tea {i}?", mood=word) for i, word in enumerate(others)]
    _, account = read_comparisons(rows)
    assert not account["notes"]


CHOSEN = dict(prompt="Tea?", chosen="Yes", rejected="No")
HUMAN = "\n\nHuman: Tea?\n\nAssistant: "


def test_chosen_and_rejected_with_columns_of_votes_names_them():
    row = CHOSEN | dict(user_id="kim", votes_a=2, votes_b=1)
    _, account = read_comparisons([row])
    assert any("`user_id`" in note and "`votes_a`" in note for note in account["notes"])


@pytest.mark.parametrize("column", ["annotator", "rater_id", "worker", "labeler"])
@pytest.mark.parametrize("row", [CHOSEN, dict(chosen=f"{HUMAN}Yes", rejected=f"{HUMAN}No")])
def test_a_choice_with_an_annotator_is_a_vote_of_that_person(row, column):
    turned = row | dict(chosen=row["rejected"], rejected=row["chosen"])
    rows = [row | {column: who} for who in ("kim", "kim", "lou", "")]
    assert people_votes(load_comparisons(rows)) == {"Tea?": {"Yes": 3}}
    rows = [*rows, turned | {column: "kim"}]
    ds, account = read_comparisons(rows)
    assert people_votes(ds) == {"Tea?": {"Yes": 2, "No": 1}}
    assert account["repeats"]["votes"] == 2
    one = load_comparisons(rows[:1])
    winner = "a" if one["label"][0] == 1 else "b"
    assert one[f"response_{winner}"][0] == "Yes"
    with pytest.raises(ContractError, match="--judges mixtral"):
        load_comparisons([row | {column: "mixtral"}])


@pytest.mark.parametrize("names", [(7, 7.0, "7"), ("kim", " kim", "kim\t")])
def test_an_annotator_is_the_same_however_a_file_writes_it(names):
    rows = [TEXTS | dict(annotator=name, vote="A") for name in names]
    assert people_votes(load_comparisons(rows)) == {"Tea?": {"Yes": 1}}


@pytest.mark.parametrize("stem", ["expert", "human_", "reviewer "])
def test_people_by_other_names_are_raters(stem):
    ds = load_comparisons([TEXTS | {f"{stem}1": "A", f"{stem}2": "tie"}])
    assert people_votes(ds) == {"Tea?": {"Yes": 1, None: 1}}


def test_a_column_of_votes_that_begins_late_is_refused():
    rows = [TEXTS | dict(rater_1="A", rater_2="B") for _ in range(10_001)]
    with pytest.raises(ContractError, match="`rater_3`: want all columns of votes in the first"):
        load_comparisons([*rows, TEXTS | dict(rater_1="A", rater_3="B")])
    ds = load_comparisons([TEXTS | dict(rater_1="A"), TEXTS | dict(rater_2="B", rater_10="B")])
    assert people_votes(ds) == {"Tea?": {"Yes": 1, "No": 2}}


PROPOSED = {
    "a survey": (
        dict(question="Tea?", answer_1="Yes", answer_2="No", who="kim", worker_id="w", choice="1"),
        "--format votes_long --map prompt=question,response_a=answer_1,response_b=answer_2,"
        "vote=choice,annotator=worker_id",
    ),
    "columns of raters": (
        dict(instruction="Tea?", left="Yes", right="No", rater_1="left", rater_2="right"),
        "--format votes_wide --map prompt=instruction,response_a=left,response_b=right,"
        "raters=rater_1+rater_2",
    ),
    "counts": (
        dict(query="Tea?", output_a="Yes", output_b="No", votes_a=2, votes_b=1),
        "--format comparisons --map prompt=query,response_a=output_a,response_b=output_b,"
        "human_a=votes_a,human_b=votes_b",
    ),
}


@pytest.mark.parametrize("name", PROPOSED)
def test_the_proposed_command_reads_the_votes(name):
    row, options = PROPOSED[name]
    with pytest.raises(ContractError) as e:
        load_comparisons([row])
    assert options in str(e.value)
    _, format, _, mapping = options.split()
    columns = dict(part.split("=") for part in mapping.split(","))
    rows = [row, *([row | dict(choice="2", worker_id="v")] if "choice" in row else [])]
    ds = load_comparisons(rows, format=format, columns=columns)
    want = {
        "a survey": {"Yes": 1, "No": 1},
        "columns of raters": {"Yes": 1, "No": 1},
        "counts": {"Yes": 2, "No": 1},
    }
    assert people_votes(ds) == {"Tea?": want[name]}


def test_raters_of_any_name_can_be_given():
    rows = [TEXTS | dict(anna="A", ben="", carla="both", note="A")]
    ds = load_comparisons(rows, columns=dict(raters="anna+ben+carla"))
    assert {b["annotator"]: b["vote"] for b in ds["ballots"][0]} == {"anna": "a", "carla": "tie"}
    with pytest.raises(ContractError, match="`raters`"):
        load_comparisons(rows, columns=dict(raters="anna+dora"))


def ballots_of(*votes):
    return [dict(annotator=who, vote=vote) for who, vote in votes]


def test_a_person_votes_once_a_pair_also_within_a_row_and_over_swapped_rows(caplog):
    swapped = dict(prompt="Tea?", response_a="No", response_b="Yes")
    rows = [
        TEXTS | dict(ballots=ballots_of(("kim", "a"), ("kim", "a"), ("lou", "a"))),
        swapped | dict(ballots=ballots_of(("kim", "a"), (None, "a"))),
        TEXTS | dict(human_b=2),
    ]
    ds, account = read_comparisons(rows)
    assert people_votes(ds) == {"Tea?": {"Yes": 1, "No": 4}}  # lou; kim's last, nobody, two counts
    assert account["repeats"]["votes"] == 2
    assert "2 votes repeat a vote of the same person" in caplog.text
    assert "3 votes on repeated pairs name no annotator" in caplog.text
    assert people_votes(load_comparisons(rows, repeats="all")) == {"Tea?": {"Yes": 3, "No": 4}}
    assert load_comparisons(rows, repeats="first")["human_a"][0] in (2, 3)
    with pytest.raises(ContractError, match="`repeats`: want one of"):
        load_comparisons(rows, repeats="mean")


def test_rows_that_are_not_merged_stay_as_they_are_saved():
    rows = [TEXTS | dict(ballots=ballots_of(("kim", "a"), ("kim", "b")))] * 2
    ds, account = read_comparisons(rows, merge=False)
    assert ds["human_a"][:] == [1, 1] and ds["human_b"][:] == [1, 1]
    assert any("repeat a vote" in note for note in account["notes"])


MODELS = ["mixtral", "claude-3-opus", "Llama-3.1-70B-Instruct", "gemini-1.5-pro", "gpt-4o", "qwen"]


@pytest.mark.parametrize("name", MODELS)
def test_a_name_never_decides_who_is_a_judge(name):
    rows = [TEXTS | dict(annotator=who, vote="A") for who in ("kim", name)]
    with pytest.raises(ContractError, match=f"--judges {name}"):
        load_comparisons(rows)
    ds = load_comparisons(rows, judges=[name])
    assert (ds["human_a"][0], ds["judge_a"][0]) == (1, 1)
    ds = load_comparisons(rows, annotators_are="people")
    assert (ds["human_a"][0], ds["judge_a"][0]) == (2, None)
    ds = load_comparisons(rows, annotators_are="judges")
    assert (ds["human_a"][0], ds["judge_a"][0]) == (None, 2)
    assert ds["ballots"][0] is None


@pytest.mark.parametrize("column", ["judge", "evaluator_id"])
def test_a_column_that_may_be_about_either_is_asked_about(column):
    rows = [TEXTS | {column: "j1", "vote": "A"}]
    with pytest.raises(ContractError, match=f"`{column}`: want annotators of whom it is known"):
        load_comparisons(rows)
    wide = [TEXTS | dict(judge_1="A", judge_2="B")]
    with pytest.raises(ContractError, match="`judge_1`: want annotators of whom it is known"):
        load_comparisons(wide)
    assert load_comparisons(wide, annotators_are="judges")["judge_b"][0] == 1


def test_what_is_assumed_of_annotators_is_told_and_a_misspelt_judge_is_refused(caplog):
    rows = [TEXTS | dict(annotator="kim", vote="A")]
    load_comparisons(rows)
    assert "1 annotators (kim) counted as people" in caplog.text
    with pytest.raises(ContractError, match="`judges`: want names of annotators: kim, got kym"):
        load_comparisons(rows, judges=["kym"])
    with pytest.raises(ContractError, match="annotators_are"):
        load_comparisons(rows, annotators_are="both")


def ultra(*scored):
    def completion(text, overall, fine):
        notes = {aspect: dict(Rating=str(r)) for aspect, r in zip("wxyz", fine)}
        return dict(response=text, overall_score=overall, annotations=notes)

    return dict(source="x", instruction="Sea?", completions=[completion(*each) for each in scored])


@pytest.mark.parametrize(
    "fine, believed",
    [((1, 1, 1, 2), False), ((5, 4, 5, 5), True), ((3, 3, 3, 3), False), ((), True)],
)
def test_a_ten_with_low_fine_grained_scores_has_no_vote(fine, believed, tmp_path):
    row = ultra(("Bad.", 10.0, fine), ("Good.", 8.5, (5, 5, 5, 4)), ("Fair.", 5, (3, 3, 3, 3)))
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | dict(instruction="Lake?")))
    ds, account = read_comparisons(path)
    votes = {(r["response_a"], r["response_b"]): r["judge_a"] for r in ds}
    assert votes[("Bad.", "Good.")] == (1 if believed else None)
    assert votes[("Good.", "Fair.")] == 1
    assert (2 in account["notes"].values()) == (not believed)


def test_all_ties_are_votes():
    from plurality_nb.votes.audience import restrict_votes
    from plurality_nb.votes.inspection import vote_card
    from plurality_nb.votes.margins import add_margins, draw_labels

    rows = [dict(TEXTS, prompt=f"{i}?", annotator="kim", vote="tie") for i in range(12)]
    ds = load_comparisons(rows)
    assert vote_card(ds)["tie_rate"] == 1
    assert set(draw_labels(ds, "human")["label"]) == {0.5}
    assert set(add_margins(ds, votes="human")["margin"]) == {0}
    assert restrict_votes(ds, {"annotator": "kim"})["human_tie"][:] == [1] * 12


def test_labels_are_not_drawn_where_nobody_voted():
    from plurality_nb.votes.margins import draw_labels

    ds = load_comparisons([TEXTS | dict(human_a=2)])
    with pytest.raises(ContractError, match="--votes human"):
        draw_labels(ds, "judge")
    with pytest.raises(ContractError, match="`human_a`: want votes in at least one row, got none"):
        draw_labels(load_comparisons([TEXTS]), "human")


def test_counting_holds_what_the_user_says():
    assert Counting("first").repeats == "first"


FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "'=1", "''+1", "＝1"]


def filled(sheet, votes, who="kim"):
    with open(sheet, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, vote in zip(rows, votes):
        row |= dict(vote=vote, annotator=who if vote else "")
    return write_csv(rows, sheet.with_name(f"{who}.csv"))


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_a_sheet_is_run_and_every_text_comes_back(text, tmp_path):
    from plurality_nb.votes.selection import write_sheet

    rows = [dict(prompt=text, response_a=text, response_b=f"{text}."), TEXTS]
    ds = load_comparisons(rows)
    path = write_sheet(ds, tmp_path / "sheet.csv")
    with open(path, newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] and cell[0] in "=+-@\t\r＝"]
    back = load_comparisons(filled(path, ["a", "b"]))
    assert back["pair_id"][:] == ds["pair_id"][:]
    sides = [{r["response_a"], r["response_b"]} for r in back]
    assert sides == [{r["response_a"], r["response_b"]} for r in ds]
    assert back["prompt"][:] == ds["prompt"][:]


@pytest.fixture
def pairs(tmp_path):
    rows = [dict(TEXTS, prompt=f"{i}?", judge_a=i, judge_b=3) for i in range(5)]
    return save_comparisons(load_comparisons(rows), tmp_path / "pairs.parquet")


def test_select_says_what_it_wants_and_which_rows_of_a_sheet_lack_a_vote(
    pairs, tmp_path, command_line, caplog
):
    code, _, err = command_line("select", pairs, "--out", tmp_path / "x.parquet")
    assert code == 2 and "--votes-from" in err and not (tmp_path / "x.parquet").exists()
    sheet = tmp_path / "sheet.csv"
    assert command_line("select", pairs, "-n", 5, "--out", sheet)[0] == 0
    put_back = ["select", pairs, "--out", tmp_path / "x.parquet", "--votes-from"]
    code, _, err = command_line(*put_back, sheet)
    assert code == 1 and "none in lines 2, 3, 4, 5, 6" in err
    assert not (tmp_path / "x.parquet").exists()
    kim = filled(sheet, ["a", "", "tie", "", "b"])
    code, _, err = command_line(*put_back, kim)
    assert code == 0 and "no vote in lines 3, 5 of the spreadsheet" in err + caplog.text
    code, _, err = command_line(*put_back, kim, "--votes-from", kim)
    assert code == 0 and "3 votes of" in err and "voted on the pair already" in err
    ds = load_comparisons(tmp_path / "x.parquet")
    assert sum(sum(ds[f"human_{s}"][i] or 0 for s in SIDES) for i in range(5)) == 3


def test_a_command_that_finds_no_votes_fails(pairs, tmp_path, command_line):
    code, _, err = command_line(
        "draw-labels", pairs, "--votes", "human", "--out", tmp_path / "x.parquet"
    )
    assert code == 1 and "--votes judge" in err
    blank = write_csv([TEXTS], tmp_path / "blank.csv")
    code, _, err = command_line("draw-labels", blank, "--out", tmp_path / "x.parquet")
    assert code == 1 and "want votes in at least one row, got none" in err
    code, _, err = command_line(
        "select", pairs, "--votes-from", blank, "--out", tmp_path / "x.parquet"
    )
    assert code == 1 and "want pairs with people's votes, got none" in err
    assert not (tmp_path / "x.parquet").exists()


def test_options_of_the_command_line_count_votes(tmp_path, command_line):
    rows = [TEXTS | dict(rater=who, choice=x) for who, x in [("kim", 0), ("kim", 1), ("gpt-4", 0)]]
    path = write_csv(rows, tmp_path / "votes.csv")
    code, _, err = command_line("inspect", path)
    assert code == 1 and "--vote-words" in err
    said = ["inspect", path, "--vote-words", "0=a,1=b", "--json"]
    code, _, err = command_line(*said)
    assert code == 1 and "--judges gpt-4" in err
    for repeats, votes in [("last", 1), ("all", 2)]:
        code, out, err = command_line(*said, "--judges", "gpt-4", "--repeats", repeats)
        card = json.loads(out)
        assert code == 0 and card["votes"]["human"]["votes"] == votes
        assert card["votes"]["judge"]["votes"] == 1
        assert card["loading"]["repeats"]["votes"] == 1
