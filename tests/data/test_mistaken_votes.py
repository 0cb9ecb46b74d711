"What is no vote is not read as one; what may be one of two things is asked about with commands."

import json
import re
import shlex

import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.errors import ContractError

SIDES = ("a", "b", "tie")
TEXTS = dict(response_a="Assam", response_b="A stone")


def table(texts=TEXTS, prompt="prompt", **columns):
    "Rows of which each has the values of some columns at one place."
    rows = [dict(zip(columns, values)) for values in zip(*columns.values())]
    return [{prompt: f"Tea {i}?"} | texts | row for i, row in enumerate(rows)]


def votes_of(ds, voters="human"):
    return [[ds[f"{voters}_{side}"][i] for side in SIDES] for i in range(len(ds))]


def notes_of(rows, **kwargs):
    return "\n".join(read_comparisons(rows, **kwargs).account["notes"])


def pairs_in(text):
    return (
        json.loads(text)
        if text.startswith("{")
        else dict(pair.split("=", 1) for pair in text.split(","))
    )


def commands_in(text):
    "The arguments of `load_comparisons` for every command that a message proposes, in order."
    commands = []
    for part in re.findall(r"--format .*?(?=[;)\n]|$)", text):
        words = shlex.split(part.replace(" (", " "))
        options = dict(zip(words[::2], words[1::2]))
        command = dict(format=options["--format"])
        if "--map" in options:
            command["columns"] = pairs_in(options["--map"])
        if "--vote-words" in options:
            command["vote_words"] = pairs_in(options["--vote-words"])
        if "--judges" in options:
            command["judges"] = options["--judges"].split(",")
        commands.append(command)
    return commands


NO_VOTES = [[None] * 3] * 2
COUNTED = [
    ("expert_votes_a", "expert_votes_b"),
    ("human_a_votes", "human_b_votes"),
    ("human_chosen_a", "human_chosen_b"),
    ("annotators_votes_left", "annotators_votes_right"),
]


@pytest.mark.parametrize("names", COUNTED)
def test_counts_under_other_names_are_no_votes_of_raters(names):
    rows = table(**dict(zip(names, [(2, 0), (1, 2)])))
    assert votes_of(load_comparisons(rows)) == NO_VOTES
    (command,) = commands_in(notes_of(rows))
    assert votes_of(load_comparisons(rows, **command)) == [[2, 1, 0], [0, 2, 0]]


TRAITS = [
    ("worker_age", "worker_level"),
    ("user_likes", "user_flags"),
    ("user_rating_a", "user_rating_b"),
    ("human_score_a", "human_score_b"),
    ("judge_score_a", "judge_score_b"),
    ("reviewer_1_score_a", "reviewer_1_score_b"),
    ("human_eval_done", "human_eval_round"),
    ("annotator_years", "annotator_seconds"),
]


@pytest.mark.parametrize("names", TRAITS)
@pytest.mark.parametrize("values", [(2, 0), ("2", "1")])
def test_ratings_and_traits_are_no_votes(names, values):
    rows = table(**dict(zip(names, [values, values[::-1]])))
    assert votes_of(load_comparisons(rows)) == NO_VOTES
    assert "raters=" not in notes_of(rows)
    labelled = [row | dict(label=1) for row in rows]
    assert votes_of(load_comparisons(labelled)) == NO_VOTES


@pytest.mark.parametrize("names", [("rater_kim", "rater_lou"), ("expert_ann", "expert_ben")])
def test_numbers_under_a_name_are_asked_about(names):
    rows = table(**dict(zip(names, [(2, 1), (2, 1)])))
    assert votes_of(load_comparisons(rows)) == NO_VOTES
    (command,) = commands_in(notes_of(rows))
    assert votes_of(load_comparisons(rows, **command)) == [[0, 2, 0], [2, 0, 0]]


@pytest.mark.parametrize("names", [("rater_kim", "rater_lou"), ("rater_a", "rater_b")])
def test_words_under_a_name_are_votes(names):
    rows = table(**dict(zip(names, [("A", "B"), ("B", "B")])))
    assert votes_of(load_comparisons(rows)) == [[1, 1, 0], [0, 2, 0]]


NUMBERED = [("vote_1", "vote_2"), ("votes_1", "votes_2"), ("vote_first", "vote_second")]


@pytest.mark.parametrize("names", NUMBERED)
def test_two_numbered_votes_are_asked_about(names):
    rows = table(**dict(zip(names, [(1, 2), (1, 1)])))
    assert votes_of(load_comparisons(rows)) == NO_VOTES
    counts, voters = commands_in(notes_of(rows))
    assert votes_of(load_comparisons(rows, **counts)) == [[1, 1, 0], [2, 1, 0]]
    assert votes_of(load_comparisons(rows, **voters)) == [[2, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize("names", NUMBERED)
def test_two_numbered_votes_that_are_plain(names):
    counts = table(**dict(zip(names, [(5, 2), (1, 3)])))
    assert votes_of(load_comparisons(counts)) == [[5, 1, 0], [2, 3, 0]]
    words = table(**dict(zip(names, [("A", "B"), ("A", "A")])))
    assert votes_of(load_comparisons(words))[0] == [2, 0, 0]


@pytest.mark.parametrize("stem", ["vote", "votes", "choice"])
@pytest.mark.parametrize("n", [3, 4])
def test_three_numbered_votes_are_voters(stem, n):
    rows = table(**{f"{stem}_{i}": (vote, 2) for i, vote in enumerate((1, 2, 1, 1)[:n], 1)})
    assert votes_of(load_comparisons(rows)) == [[n - 1, 1, 0], [0, n, 0]]


FURTHER = {
    "crowd": (dict(expert_1="A"), dict(crowd_1="B", crowd_2="B")),
    "a name": (dict(rater_1="A", rater_2="B"), dict(Kim="B")),
    "a group": (dict(rater_1="A", rater_2="B"), dict(crowd="B", team="A")),
    "a model": (dict(human_1="A", human_2="B"), dict(gpt4="B")),
}


@pytest.mark.parametrize("kind", FURTHER)
def test_further_voters_are_named_with_a_command_that_reads_all(kind):
    read, unread = FURTHER[kind]
    rows = [dict(prompt="Tea?") | TEXTS | read | unread]
    said = notes_of(rows)
    for column in unread:
        assert f"`{column}`" in said
    (command,) = commands_in(said)
    ds = load_comparisons(rows, **command)
    judges = sum(votes_of(ds, "judge")[0]) if kind == "a model" else 0
    assert sum(votes_of(ds)[0]) + judges == len(read) + len(unread)
    assert judges == (kind == "a model")


SECOND = {
    "second_opinion": dict(vote="A", annotator="x"),
    "other_label": dict(vote="A", annotator="x"),
    "model_label": dict(label="A"),
}


@pytest.mark.parametrize("other", SECOND)
def test_a_second_vote_is_named(other):
    rows = [dict(prompt="Tea?") | TEXTS | SECOND[other] | {other: "B"}]
    said = notes_of(rows)
    assert f"`{other}`: looks like votes and is not used" in said
    assert votes_of(load_comparisons(rows, **commands_in(said)[0])) == [[0, 1, 0]]


OTHER_FORMATS = {
    "pandalm": (
        dict(instruction="Q", response1="x", response2="y"),
        dict(annotator1=1, annotator2=2, annotator3=0, annotator4=2),
        [[1, 2, 1]],
    ),
    "llmbar": (
        dict(input="Q", output_1="x", output_2="y", label=1),
        dict(rater_1="A", rater_2="B"),
        [[1, 1, 0]],
    ),
    "helpsteer2": (
        dict(prompt="Q", response_1="x", response_2="y", preference_strength=1),
        dict(annotator="k", vote="A"),
        [[1, 0, 0]],
    ),
}


@pytest.mark.parametrize("format", OTHER_FORMATS)
def test_unused_voters_of_a_known_format_are_named(format):
    texts, voters, expected = OTHER_FORMATS[format]
    said = notes_of([texts | voters])
    assert f"`{[*voters][-1]}`" in said and f"instead of the votes of `{format}`" in said
    ds = load_comparisons([texts | voters], **commands_in(said)[0])
    assert votes_of(ds) == expected


@pytest.mark.parametrize("who", ["annotator", "worker_id"])
def test_unused_names_of_voters_are_named(who):
    texts = dict(question="Q", answer_0="x", answer_1="y", score_0=1, score_1=0)
    said = notes_of([texts | {who: "k"}] * 2)
    assert f"`{who}`: says who voted and is not used" in said
    assert "says who voted" not in notes_of([texts])


JUDGED = dict(instruction="Q", output_1="x", output_2="y")


@pytest.mark.parametrize("who", ["annotator", "worker_id"])
def test_verdicts_of_named_people_are_asked_about(who):
    rows = [JUDGED | {"preference": vote, who: name} for vote, name in [(1, "k"), (2, "l")]]
    with pytest.raises(ContractError, match="people or language models") as caught:
        load_comparisons(rows)
    *_, people = commands_in(caught.value.hint.replace(" if they are", ";"))
    assert votes_of(load_comparisons(rows, **people)) == [[1, 1, 0]]
    for judged in (dict(annotators_are="judges"), dict(format="alpaca_eval")):
        ds = load_comparisons(rows, **judged)
        assert votes_of(ds, "judge") == [[1, 1, 0]] and votes_of(ds) == [[None] * 3]


@pytest.mark.parametrize("name", ["gpt4", "weighted_alpaca_eval_gpt4_turbo"])
def test_verdicts_of_models_are_read(name):
    rows = [JUDGED | dict(preference=1.25, annotator=name)]
    assert votes_of(load_comparisons(rows), "judge") == [[0.75, 0.25, 0]]


ASPECTS = [
    ("preference_overall", "preference_helpfulness", "preference_safety"),
    ("vote_style", "vote_facts"),
    ("label_helpfulness", "label_overall"),
]


@pytest.mark.parametrize("names", ASPECTS)
def test_aspects_are_no_voters(names):
    rows = table(**{name: ("A", "B") for name in names})
    assert votes_of(load_comparisons(rows)) == NO_VOTES
    said = notes_of(rows)
    assert "raters=" not in said
    (command,) = commands_in(said)
    assert votes_of(load_comparisons(rows, **command)) == [[1, 0, 0], [0, 1, 0]]
    overall = [name for name in names if "overall" in name]
    assert not overall or command["columns"] == dict(vote=overall[0])


JUDGES_AND_PEOPLE = [
    ("judge_verdict", "human_verdict"),
    ("vote_gpt4", "vote_human"),
    ("preference_gpt", "preference_human"),
]


@pytest.mark.parametrize("names", JUDGES_AND_PEOPLE)
def test_judges_are_not_counted_as_people(names):
    rows = table(**dict(zip(names, [("A", "B"), ("B", "B")])))
    assert votes_of(load_comparisons(rows)) == NO_VOTES
    each, one = commands_in(notes_of(rows))
    ds = load_comparisons(rows, **each)
    assert votes_of(ds) == [[0, 1, 0]] * 2
    assert votes_of(ds, "judge") == [[1, 0, 0], [0, 1, 0]]
    assert votes_of(load_comparisons(rows, **one)) == [[0, 1, 0]] * 2
    with pytest.raises(ContractError, match="people or language models"):
        load_comparisons(rows, format="votes_wide", columns=dict(raters="+".join(names)))


TIES = ["neither", "equal", "undecided", "same", "votes_for_none", "no_preference"]


@pytest.mark.parametrize("counts", [("votes_a", "votes_b"), ("human_a", "human_b")])
@pytest.mark.parametrize("ties", TIES)
def test_ties_under_other_names_are_named(counts, ties):
    rows = table(**dict(zip((*counts, ties), [(3, 2), (1, 2), (4, 0)])))
    said = notes_of(rows)
    assert f"`{ties}`: looks like votes and is not used" in said
    (command,) = commands_in(said)
    assert votes_of(load_comparisons(rows, **command)) == [[3, 1, 4], [2, 2, 0]]


@pytest.mark.parametrize("counts", [("votes_a", "votes_b"), ("human_a", "human_b")])
def test_two_columns_of_ties_are_to_be_summed(counts):
    rows = table(**dict(zip((*counts, "neither", "both"), [(3,), (1,), (4,), (1,)])))
    assert "write the sum of `neither` and `both` as `human_tie`" in notes_of(rows)


@pytest.mark.parametrize("flag", ["is_tie", "tie", "both_bad"])
@pytest.mark.parametrize("value", [True, "true", 1])
def test_flags_of_ties_beside_a_choice_are_named(flag, value):
    for won in (dict(response_a="x", response_b="y", label=1), dict(chosen="x", rejected="y")):
        note = f"`{flag}` (true in 1 rows): looks like ties"
        assert note in notes_of([dict(prompt="Tea?") | won | {flag: value}])
        assert note not in notes_of([dict(prompt="Tea?") | won | {flag: 0}])


def test_names_of_voters_beside_their_votes_are_no_votes():
    rows = table(annotator_1=("kim",), vote_1=("A",), annotator_2=("lee",), vote_2=("B",))
    assert votes_of(load_comparisons(rows)) == [[1, 1, 0]]
    said = notes_of(rows)
    assert "`annotator_1`, `annotator_2`: says who voted" in said and "raters=" not in said


@pytest.mark.parametrize("traits", [("user_age", "user_level"), ("worker_age", "worker_score")])
def test_traits_beside_a_vote_are_not_proposed(traits):
    rows = table(winner=("A",), user_id=("x",), **dict(zip(traits, [(2,), (1,)])))
    assert votes_of(load_comparisons(rows)) == [[1, 0, 0]]
    assert "raters=" not in notes_of(rows)


def test_other_counts_are_read_instead_of_those_that_are():
    rows = table(votes_a=(3,), votes_b=(1,), human_votes_a=(2,), human_votes_b=(0,))
    said = notes_of(rows)
    assert "instead of `votes_a`, `votes_b`" in said and "raters=" not in said
    assert votes_of(load_comparisons(rows, **commands_in(said)[0])) == [[2, 0, 0]]


@pytest.mark.parametrize("other", ["vote", "winner"])
def test_a_vote_beside_counts_is_read_instead_of_them(other):
    rows = table(**{other: ("A",), "human_a": (1,), "human_b": (2,)})
    assert votes_of(load_comparisons(rows)) == [[1, 2, 0]]
    (command,) = commands_in(notes_of(rows))
    assert votes_of(load_comparisons(rows, **command)) == [[1, 0, 0]]


@pytest.mark.parametrize("names", [("annotator_1", "annotator_2"), ("Annotator 1", "Annotator 2")])
def test_columns_of_raters_keep_their_names(names):
    rows = table(**dict(zip(names, [("A",), ("B",)])))
    ballots = load_comparisons(rows)["ballots"][0]
    assert [ballot["annotator"] for ballot in ballots] == [*names]


OPPOSITES = [("chosen", "rejected"), ("best", "worst"), ("better_one", "worse_one")]


@pytest.mark.parametrize("names", OPPOSITES)
@pytest.mark.parametrize("values", [("A", "B"), ("Assam", "A stone")])
def test_the_worse_response_is_no_second_vote(names, values):
    rows = table(**dict(zip(names, [values, values[::-1]])))
    said = notes_of(rows, **(dict(format="comparisons") if "chosen" in names else {}))
    assert "raters=" not in said
    (command,) = commands_in(said)
    assert votes_of(load_comparisons(rows, **command)) == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("names", [("gold", "prediction"), ("overall", "helpfulness")])
def test_a_vote_and_its_aspect_are_no_two_votes(names):
    rows = table(**dict(zip(names, [("A", "B"), ("B", "B")])))
    said = notes_of(rows)
    assert "raters=" not in said
    (command,) = commands_in(said)
    assert votes_of(load_comparisons(rows, **command)) == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("column", ["ranking", "vote_order"])
def test_a_ranking_is_no_list_of_votes(column):
    rows = table(**{column: (["A", "B"], ["B", "A"])})
    (command,) = commands_in(notes_of(rows))
    assert votes_of(load_comparisons(rows, **command)) == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("values", [(1, 0), ("True", "False"), ("yes", "no")])
@pytest.mark.parametrize("column", ["is_a_better", "b_is_better", "prefers_first", "chose_b"])
def test_a_flag_is_true_for_the_side_that_it_names(column, values):
    rows = table(**{column: values})
    (command,) = commands_in(notes_of(rows))
    expected = [[1, 0, 0], [0, 1, 0]]
    if column in ("b_is_better", "chose_b"):
        expected = expected[::-1]
    assert votes_of(load_comparisons(rows, **command)) == expected


SCALES = {
    (-1, 0, 2): "a tie b",
    (2, 3, 5): "a tie b",
    (-3, 0, 1): "a tie b",
    (4, 5): "b b",
    (1, 3, 5): "a tie b",
    (1, 2, 3, 4): "a a b b",
}


@pytest.mark.parametrize("steps", SCALES)
def test_the_middle_of_a_scale_is_not_that_of_the_steps_that_occur(steps):
    rows = table(vote=steps, annotator="k" * len(steps))
    with pytest.raises(ContractError) as caught:
        load_comparisons(rows)
    words = re.search(r"--vote-words (\S+?) or", caught.value.hint)[1]
    expected = [f"{step}={vote}" for step, vote in zip(steps, SCALES[steps].split())]
    assert words.split(",") == expected


@pytest.mark.parametrize("step", [3, 5])
def test_a_lone_step_is_not_guessed(step):
    with pytest.raises(ContractError) as caught:
        load_comparisons(table(vote=(step,), annotator=("k",)))
    assert f"{step}=a|b|tie|none" in caught.value.hint


ODD_NAMES = {
    "a comma in a word": dict(preferred=("a bit, A", "no, B")),
    "a comma in a name": {"my, vote": ("A", "B")},
    "an equals sign": {"a=vote": ("A", "B")},
}


@pytest.mark.parametrize("kind", ODD_NAMES)
def test_a_proposed_command_can_be_parsed(kind):
    from plurality_nb.cli.comparisons import parse_pairs

    rows = table(**ODD_NAMES[kind])
    said = notes_of(rows)
    (command,) = commands_in(said)
    mapping = re.search(r"--map ('.*?'|\S+)", said)[1]
    assert parse_pairs(shlex.split(mapping)[0], "--map") == command["columns"]
    assert votes_of(load_comparisons(rows, **command)) == [[1, 0, 0], [0, 1, 0]]


def test_names_with_a_plus_sign_can_be_proposed():
    rows = table(**{"rater_1": ("A",), "alice+x": ("B",)})
    (command,) = commands_in(notes_of(rows))
    assert votes_of(load_comparisons(rows, **command)) == [[1, 1, 0]]


LATE = [dict(vote="A"), dict(votes_a=2, votes_b=1), dict(rater_1="A", rater_2="B")]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("first", [{}, dict(label=1)])
def test_votes_that_begin_late_are_not_ignored(late, first, monkeypatch):
    monkeypatch.setattr("plurality_nb.data.loading.ROWS_PEEKED", 3)
    rows = [dict(prompt=f"Tea {i}?") | TEXTS | first for i in range(6)]
    rows[-1] = rows[-1] | late
    with pytest.raises(ContractError, match="one that begins here"):
        load_comparisons(rows)
    assert len(load_comparisons([*rows[:-1], rows[0] | dict(prompt="x", remark="A")])) == 6


LABELS = {
    (1, 2): [[1, 0, 0], [0, 1, 0]],
    (-1, 1, 0): [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
    ("1", "0"): [[1, 0, 0], [0, 1, 0]],
    (True, False): [[1, 0, 0], [0, 1, 0]],
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("strict", [True, False])
def test_labels_in_another_form_are_told_with_what_reads_them(labels, strict):
    rows = table(label=labels)
    with pytest.raises(ContractError) as caught:
        load_comparisons(rows, strict=strict)
    as_said, turned = commands_in(caught.value.hint)
    assert votes_of(load_comparisons(rows, **as_said)) == LABELS[labels]
    opposite = [[b, a, tie] for a, b, tie in LABELS[labels]]
    assert votes_of(load_comparisons(rows, **turned)) == opposite


CALLED = [
    dict(votes="A:3 B:1"),
    dict(votes="AAB"),
    dict(vote={"annotator": "x", "vote": "A"}),
    dict(votes_a=["x", "y"]),
    {"#A": 3, "#B": 1},
    dict(rank_a=1, rank_b=2),
    dict(win_a=True, win_b=False),
    dict(better_response=1),
    dict(chosen_idx=0),
    dict(ratings_a=[5, 4], ratings_b=[3, 3]),
    dict(rater_1_a=5, rater_1_b=3),
    dict(share_a="0,7", share_b="0,3"),
    dict(soft_label=0.7),
]


@pytest.mark.parametrize("votes", CALLED)
def test_what_only_its_name_shows_to_be_a_vote_is_named(votes):
    row = dict(prompt="Tea?") | TEXTS
    said = notes_of([row | votes])
    assert "looks like" in said
    for column in votes:
        assert f"`{column}`" in said
    assert votes_of(load_comparisons([row | votes])) == NO_VOTES[:1]


HARMLESS = [
    *(dict(votes=17), dict(n_votes=3), dict(best_reason="I like it"), dict(chosen_model="x")),
    *(dict(vote_time=3.5), dict(rank=2), dict(wins=""), dict(vote_id="v17")),
]


@pytest.mark.parametrize("other", HARMLESS)
def test_what_is_about_a_vote_is_none(other):
    assert "looks like votes" not in notes_of([dict(prompt="Tea?") | TEXTS | other])


@pytest.mark.parametrize(
    "names", [("votes-a", "votes-b"), ("votes.a", "votes.b"), ("A votes", "B votes")]
)
def test_counts_are_read_whatever_joins_their_names(names):
    rows = table(**dict(zip(names, [(3, 0), (1, 2)])))
    assert votes_of(load_comparisons(rows)) == [[3, 1, 0], [0, 2, 0]]


@pytest.mark.parametrize("flag", [dict(valid="no"), dict(status="rejected"), dict(spam=1)])
def test_flags_beside_a_label_are_named(flag):
    (column,) = flag
    for won in (TEXTS | dict(label=1), dict(chosen="x", rejected="y")):
        assert f"`{column}` is" in notes_of([dict(prompt="Tea?") | won | flag])
        assert f"`{column}` is" not in notes_of([dict(prompt="Tea?") | won | {column: "fine"}])


@pytest.mark.parametrize("names", [["x", "y"], {"name": "x"}])
def test_several_names_are_not_one_person(names):
    rows = [dict(prompt="Tea?") | TEXTS | dict(vote="A", annotator=names)]
    with pytest.raises(ContractError, match="one name"):
        load_comparisons(rows)
