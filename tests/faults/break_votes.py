"Votes in every wording, repeated, turned, and impossible: none unseen, none miscounted."

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from common import Trial

from plurality_nb.data.loading import read_comparisons
from plurality_nb.errors import ContractError

WORDS = {
    "letters": ("A", "B", "tie"),
    "small letters": ("a", "b", "Tie"),
    "arena": ("model_a", "model_b", "tie (bothbad)"),
    "places": ("left", "right", "neither"),
    "order": ("first", "second", "both"),
    "sentences": ("Response A is better", "B is slightly better", "about the same"),
    "numbers": (1, 2, 0),
    "numbers as text": ("1", "2", "0"),
    "columns": ("response_a", "response_b", "equal"),
    "brackets": ("[[A]]", "[[B]]", "draw"),
    "comparisons": ("A>B", "B>>A", "A=B"),
    "names of models": ("tea-7b", "tea-70b", "no preference"),
}
COLUMNS = [("annotator", "vote"), ("rater_id", "winner"), ("worker", "choice"), ("user", "label")]
UNREADABLE = ["good", "C", "3", "-1", "A or B", "not A", "yes", "none", "½", True, 1.5, [1], {}]
STEPS = {"3": "got 1, 2, 3", "-1": "got -1, 1, 2", "1.5": "got 1, 1.5, 2"}  # told at once
IMPOSSIBLE = [-1, 0.5, "many", 2**31, 10**12, float("inf"), -float("inf"), True, [3], "1e400"]
DOUBTFUL = ["mixtral", "claude-3-opus", "gpt-4", "Llama-3.1-70B-Instruct", "gemini-1.5-pro"]


def pair(swapped: bool = False) -> dict:
    sides = ("No", "Yes") if swapped else ("Yes", "No")
    models = ("tea-70b", "tea-7b") if swapped else ("tea-7b", "tea-70b")
    return {
        "prompt": "Tea?",
        "response_a": sides[0],
        "response_b": sides[1],
        "model_a": models[0],
        "model_b": models[1],
    }


def word_of(choice: str | None, words: tuple, swapped: bool) -> Any:
    if choice is None:
        return words[2]
    if words[0] == "tea-7b":
        return words["Yes No".split().index(choice)]
    return words[("No Yes" if swapped else "Yes No").split().index(choice)]


def counted(rows: list, **settings: Any) -> dict:
    "Response to its votes by people, a tie under None."
    from plurality_nb.data.voters import Counting

    counting = Counting(**settings)
    ds, _ = read_comparisons(rows, counting=counting)
    votes: Counter = Counter()
    for row in ds:
        sides = (row["response_a"], row["response_b"], None)
        for text, side in zip(sides, ("a", "b", "tie")):
            votes[text] += row[f"human_{side}"] or 0
    return {text: count for text, count in votes.items() if count}


def held_by(name: str, want: Any, action: Callable[[], Any]) -> Trial:
    "Whether an action returns what is wanted, or raises our own error that contains it."
    try:
        got: Any = action()
        held = got == want
    except ContractError as error:
        got = str(error)
        held = isinstance(want, str) and want in got
    except Exception as error:  # anything else is what this looks for
        got = f"{type(error).__name__}: {error}"
        held = False
    return Trial("votes", name, held, "" if held else f"{got!r:.300} where {want!r:.100} is right")


def wordings() -> Iterator[Trial]:
    for (name, words), (who, vote), swapped in product(WORDS.items(), COLUMNS, (False, True)):
        choices = ["Yes", "Yes", "No", None]
        rows = [
            pair(swapped) | {who: f"p{i}", vote: word_of(choice, words, swapped)}
            for i, choice in enumerate(choices)
        ]
        want = {"Yes": 2, "No": 1, None: 1}
        yield held_by(f"{name} in {vote}, sides {swapped}", want, lambda rows=rows: counted(rows))
        wide = pair(swapped) | {
            f"rater_{i}": word_of(choice, words, swapped) for i, choice in enumerate(choices)
        }
        if who == "annotator":
            yield held_by(f"{name} in columns", want, lambda wide=wide: counted([wide]))


def repeats() -> Iterator[Trial]:
    for n, rule, swapped in product((2, 3, 50), ("last", "first", "all", "agreed"), (False, True)):
        choices = ["Yes"] * (n - 1) + ["No"]
        rows = [
            pair(swapped and i % 2 == 1)
            | {"annotator": "p0", "vote": word_of(c, WORDS["letters"], swapped and i % 2 == 1)}
            for i, c in enumerate(choices)
        ]
        want = {
            "last": {"No": 1},
            "first": {"Yes": 1},
            "all": {"Yes": n - 1, "No": 1},
            "agreed": {},
        }
        name = f"one person {n} times, {rule}, sides turned {swapped}"
        yield held_by(name, want[rule], lambda rows=rows, rule=rule: counted(rows, repeats=rule))
    anybody = [pair() | {"annotator": "", "vote": "A"} for _ in range(3)]
    yield held_by("three votes without a name", {"Yes": 3}, lambda: counted(anybody))
    ballots = [{"annotator": "p0", "vote": "a"}] * 105
    yield held_by(
        "105 ballots of one", {"Yes": 1}, lambda: counted([pair() | {"ballots": ballots}])
    )


def impossible() -> Iterator[Trial]:
    for word in UNREADABLE:
        rows = [pair() | {"annotator": f"p{i}", "vote": x} for i, x in enumerate(["1", "2", word])]
        refused = STEPS.get(str(word), "row 2: `vote`")
        yield held_by(f"the word {word!r}", refused, lambda rows=rows: counted(rows))
    for numbers in [(0, 1), (1,), (0,), ("1", "0")]:
        rows = [pair() | {"rater": f"p{i}", "choice": x} for i, x in enumerate(numbers)]
        yield held_by(f"{numbers} alone", "--vote-words", lambda rows=rows: counted(rows))
    for count, column in product(IMPOSSIBLE, ("human_a", "votes_a", "human_votes_a")):
        other = column.replace("_a", "_b")
        rows = [pair() | {column: 1, other: 2}, pair() | {column: count, other: 2}]
        name = f"{count!r} in {column}"
        yield held_by(name, f"row 1: `{column}`", lambda rows=rows: counted(rows))
    for count in (float("nan"), None):
        row = pair() | {"human_a": count, "human_b": 2}
        yield held_by(f"{count} in human_a", {"No": 2}, lambda row=row: counted([row]))


def large_counts_are_told() -> Trial:
    _, account = read_comparisons([pair() | {"human_a": 10**9, "human_b": 1}])
    held = any("check that these are counts" in note for note in account["notes"])
    return Trial("votes", "a count of 1e9", held, f"{account['notes']}")


def unused_are_named() -> Iterator[Trial]:
    for extra in (
        {"n_a": 1, "n_b": 2},
        {"winner": "2024"},
        {"annotator": "p"},
        {"human_a": 1, "vote": "A"},
    ):
        _, account = read_comparisons([pair() | extra])
        column = list(extra)[-1]
        held = any(f"`{column}`" in note for note in account["notes"])
        yield Trial("votes", f"{extra} unused", held, f"{account['notes']}")


def judges() -> Iterator[Trial]:
    for name, column in product(DOUBTFUL, ("annotator", "judge")):
        rows = [pair() | {column: name, "vote": "A"}]
        yield held_by(f"{name} in {column}", "--judges", lambda rows=rows: counted(rows))
        yield held_by(
            f"{name} in {column}, said to be a judge",
            {},
            lambda rows=rows, name=name: counted(rows, judges=[name]),
        )


def trials(size: str) -> Iterator[Trial]:
    logging.disable(logging.WARNING)
    try:
        every = [*wordings(), *repeats(), *impossible(), *judges()]
        if size == "small":  # each fourth, from all kinds
            every = [*every[::4], *every[-2:]]
        yield from every
        yield from unused_are_named()
        yield large_counts_are_told()
    finally:
        logging.disable(logging.NOTSET)
