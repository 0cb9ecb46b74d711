"Which prompts count as the same: for splits, for `seen`, for `exclude`, for resampling."

import json
import os
from pathlib import Path

import numpy as np
import pytest

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.grouping import known_ids, regroup
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.near_duplicates import near_groups, shingles
from plurality_nb.data.saving import save_comparisons
from plurality_nb.data.schema import (
    first_turn_id,
    frame_texts,
    group_id,
    pair_id,
    prompt_id,
    text_hash,
)
from plurality_nb.data.split import split_by_group
from plurality_nb.errors import ContractError
from plurality_nb.rewards.baselines import PairOfRewards, baseline_rewards
from plurality_nb.rewards.model import RewardModel
from plurality_nb.rewards.probe import train_probe
from plurality_nb.rewards.targets import exclude_groups, group_folds
from plurality_nb.taxonomy.plurality import score_plurality
from plurality_nb.votes.calibration import calibrated_shares
from plurality_nb.votes.margins import add_margins

QUESTION = "What is the best way to learn C#?"
SAME = [
    QUESTION,
    QUESTION + " ",
    QUESTION + "\r\n",
    QUESTION.upper(),
    QUESTION.replace(" ", "  "),
    QUESTION.replace(" ", "\u00a0"),
    QUESTION[:-1],
    f"“{QUESTION}”",
    QUESTION + "\u200b",
    "Ｗhat is the best way to learn C#？",
]
OTHER = [
    "What is the best way to learn C?",
    "What is the best way to learn D#?",
    "What is the worst way to learn C#?",
    "Whatis the best way to learn C#?",
]


def pairs_on(prompts: list, response: str = "No") -> list[dict]:
    return [dict(prompt=p, response_a="Yes", response_b=response, label=1) for p in prompts]


class Longer(RewardModel):
    def rewards(self, ds, progress=True):
        return PairOfRewards(*baseline_rewards(ds, "longer response"))


@pytest.mark.parametrize("prompt", SAME)
def test_a_prompt_in_other_letters_or_blanks_is_the_same_group(prompt):
    assert group_id(prompt) == group_id(QUESTION)
    conversation = [dict(role="user", content=prompt)]
    assert group_id(conversation) == group_id(prompt)


@pytest.mark.parametrize("prompt", OTHER)
def test_a_prompt_that_says_something_else_is_another_group(prompt):
    assert group_id(prompt) != group_id(QUESTION)


def test_turns_and_roles_tell_groups_apart():
    def turn(role, content):
        return dict(role=role, content=content)

    one = [turn("user", "Tea?"), turn("assistant", "Yes."), turn("user", "Which?")]
    assert group_id(one) != group_id([turn("user", "Tea?\nYes.\nWhich?")])
    assert group_id(one) == group_id([turn("user", "tea"), turn("assistant", "yes"), *one[2:]])
    assert group_id([turn("system", "Tea?")]) != group_id([turn("user", "Tea?")])
    assert group_id("!!!") != group_id("???")


def test_ids_of_pairs_are_those_of_the_exact_texts():
    "Collected answers are kept under them, so they may not change."
    assert pair_id("Name a prime between 12 and 16.", "13", "It is 13.") == "5d4c5d802478bc40"
    assert len({pair_id(prompt, "Yes", "No") for prompt in SAME}) == len(SAME)
    assert prompt_id(QUESTION) == text_hash(frame_texts("user", QUESTION))


def test_a_trailing_blank_does_not_escape_seen_exclude_splits_and_folds():
    ds = to_comparisons(pairs_on([*SAME, *OTHER]))
    n_same = len(SAME)
    seen = Longer(groups=frozenset(ds["group"][:1])).score(ds)["seen"][:]
    assert seen == [True] * n_same + [False] * len(OTHER)
    assert len(exclude_groups(ds, ds["group"][:1])) == len(OTHER)
    assert len(set(group_folds(ds["group"][:], 3)[:n_same])) == 1
    parts = split_by_group(ds, dict(one=0.5, other=0.5))
    assert sorted(sum(p in SAME for p in texts(part)) for part in parts.values()) == [0, n_same]


def texts(ds) -> list[str]:
    return [prompt[0]["content"] for prompt in ds["prompt"]]


def test_files_with_groups_of_exact_prompts_load_and_their_models_know_them(tmp_path):
    rows = pairs_on([QUESTION, QUESTION + " "])
    old = [dict(row, group=prompt_id(row["prompt"])) for row in rows]
    path = tmp_path / "old.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in old))
    ds = load_comparisons(path)
    assert len(ds) == 2 and len(set(ds["group"])) == 1
    assert "own_group" not in ds.column_names
    old_model = Longer(groups=frozenset([prompt_id(QUESTION)]))
    assert old_model.score(ds)["seen"][:] == [True, False]


def test_the_random_baseline_depends_on_the_exact_texts_alone():
    ds = to_comparisons(pairs_on([QUESTION, QUESTION + " "]))
    rewards = baseline_rewards(ds, "random").a
    other = with_columns(ds, group=["0" * 16, "1" * 16])
    assert len(set(rewards)) == 2
    np.testing.assert_array_equal(rewards, baseline_rewards(other, "random").a)


def test_near_prompts_are_those_whose_shingles_overlap():
    "Against the overlaps of all pairs, over prompts with some words changed."
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(300)]
    base = [" ".join(rng.choice(words, 30)) for _ in range(60)]
    changed = []
    for text in base:
        tokens = text.split()
        for place in rng.choice(30, rng.integers(0, 6), replace=False):
            tokens[place] = "other"
        changed.append(" ".join(tokens))

    def overlap(one, other):
        return len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))

    want = {group_id(c) for c in changed if max(overlap(c, b) for b in base) >= 0.7}
    assert 10 < len(want) < 50
    assert near_groups(changed, base) == want
    assert near_groups(["", "?", "Tea"], ["tea "]) == {group_id("Tea")}


def conversation(*texts: str) -> list[dict]:
    "Turns as they alternate in HH."
    roles = ["user", "assistant"] * len(texts)
    return [dict(role=role, content=text) for role, text in zip(roles, texts)]


RECIPE = "I have two eggs, flour and milk in the kitchen. What can I cook for my friends tonight?"
TALKS = [  # the first three continue one another, the fourth nearly repeats the first
    conversation(RECIPE),
    conversation(RECIPE.upper(), "Pancakes, which go with nearly everything.", "Without the eggs?"),
    conversation(RECIPE, "Pancakes.", "Without eggs?", "Then rather a flat bread.", "How long?"),
    conversation(RECIPE.replace("friends", "guests")),
    conversation("Name a prime.", "13", "Another?"),
]
PARTS_BY = dict(exact=[0, 1, 2, 3, 4], first_turn=[0, 0, 0, 3, 4], near=[0, 1, 2, 0, 4])


def parts_of(ds) -> list[int]:
    groups = list(ds["group"])
    return [groups.index(group) for group in groups]


@pytest.mark.parametrize("by", PARTS_BY)
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_groups_that_are_asked_for_outlive_the_file(by, suffix, tmp_path):
    "Each command loads what the one before it has written."
    ds = load_comparisons(pairs_on(TALKS), group_by=by)
    assert parts_of(ds) == PARTS_BY[by]
    save_comparisons(ds, tmp_path / f"talks.{suffix}")
    for merge in [True, False]:
        again = load_comparisons(tmp_path / f"talks.{suffix}", merge=merge)
        assert again["group"][:] == ds["group"][:]
    assert parts_of(load_comparisons(tmp_path / f"talks.{suffix}", group_by="exact")) == [*range(5)]


def test_rows_of_one_group_go_to_one_part_whatever_is_drawn():
    rows = pairs_on([t for n in range(40) for t in (f"Tell me of {n}", talk_about(n))])
    for part in ["train", "validation", "test"]:
        ds = load_comparisons(rows, part=part, group_by="first_turn")
        counts = np.unique(np.array(ds["group"][:]), return_counts=True)[1]
        assert (counts == 2).all()
    assert len(set(load_comparisons(rows, limit=50, group_by="first_turn")["group"])) < 50


def talk_about(number: int) -> list[dict]:
    return conversation(f"tell me of {number}!", "It is a number.", "Is it large?")


@pytest.mark.parametrize("by", PARTS_BY)
@pytest.mark.parametrize("learned", range(len(TALKS)))
def test_a_model_trained_on_one_has_seen_the_others_of_its_group(by, learned):
    ds = load_comparisons(pairs_on(TALKS), group_by=by)
    groups = known_ids(ds.select([learned]))
    want = [part == PARTS_BY[by][learned] for part in PARTS_BY[by]]
    assert Longer(groups=groups).score(ds)["seen"][:] == want
    other = ds.select([i for i in range(5) if i != learned])
    assert len(exclude_groups(other, groups)) == 5 - sum(want)
    exact = load_comparisons(pairs_on(TALKS))
    assert Longer(groups=groups).score(exact)["seen"][learned]


def test_trained_models_note_the_prompts_themselves_beside_their_groups():
    rows = [dict(row, label=n % 2) for n, row in enumerate(pairs_on(TALKS))]
    ds = load_comparisons(rows, group_by="near")
    model = train_probe(ds, "bt", folds=2, max_steps=2, progress=False)
    assert {group_id(talk) for talk in TALKS} | set(ds["group"]) == model.groups
    assert model.settings["prompts"] == 4
    assert all(model.score(load_comparisons(rows), progress=False)["seen"])


def test_near_prompts_of_comparisons_are_excluded_unless_told_otherwise(caplog):
    ds, evaluated = (load_comparisons(pairs_on(talks)) for talks in (TALKS, TALKS[:1]))
    assert len(exclude_groups(ds, evaluated)) == 3
    assert "2 of 5 rows left out" in caplog.text and "1 of them as near" in caplog.text
    caplog.clear()
    assert len(exclude_groups(ds, evaluated, near=False)) == 4
    assert len(exclude_groups(ds, evaluated["group"])) == 4
    assert "near" not in caplog.text
    votes = dict(human_a=[3] * 5, human_b=[1] * 5, human_tie=[0] * 5)
    labelled = with_columns(ds, label=[1, 0, 1, 0, 1], **votes)
    margins = add_margins(labelled, "constant", votes="human", exclude=evaluated)["margin"]
    assert [margin is None for margin in margins] == [True, False, False, True, False]
    how = dict(objective="bt", folds=2, max_steps=2, progress=False)
    assert train_probe(ds, exclude=evaluated, **how).settings["pairs"] == 3
    assert train_probe(ds, exclude=evaluated, exclude_near=False, **how).settings["pairs"] == 4


def test_prompts_of_one_group_keep_their_own_plurality():
    ds = load_comparisons(pairs_on(TALKS), group_by="first_turn")
    exact = load_comparisons(pairs_on(TALKS))
    own = score_plurality(ds, progress=False)
    np.testing.assert_array_equal(own, score_plurality(exact, progress=False))
    assert len(set(own)) == 5


def test_calibration_learns_from_no_row_on_the_prompt_however_it_is_grouped():
    rng = np.random.default_rng(0)
    prompts = [talk for n in range(30) for talk in (f"Tell me of {n}", talk_about(n))]
    rows = []
    for row in pairs_on(prompts):
        votes = dict(zip(("human_a", "human_b"), rng.multinomial(9, [0.6, 0.4]).tolist()))
        rows.append({**row, **votes, "judge_a": 6, "judge_b": 4})
    ds = load_comparisons(rows, group_by="first_turn")
    itself = calibrated_shares(load_comparisons(rows), rated=ds)
    np.testing.assert_array_equal(itself, calibrated_shares(ds, rated=ds))


def test_a_grouping_that_is_unknown_is_refused():
    with pytest.raises(ContractError, match="group_by"):
        load_comparisons(pairs_on(TALKS), group_by="first-turn")


def test_hh_conversations_that_begin_alike_are_never_split():
    "2,304 prompts of the harmless test split are 2,170 groups by first turn."
    folder = Path(os.environ.get("PLURALITY_DATA", "../shared/data"))
    path = folder / "hh_harmless_base_test.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no {path}")
    parts = [
        load_comparisons(path, format="hh", strict=False, part=part, group_by="first_turn")
        for part in ("train", "test")
    ]
    train, test = ({first_turn_id(p) for p in ds["prompt"]} for ds in parts)
    assert len(test) > 150 and not train & test
    exact = load_comparisons(path, format="hh", strict=False)
    assert len(set(exact["group"])) - len(set(regroup(exact, "first_turn")["group"])) == 134
