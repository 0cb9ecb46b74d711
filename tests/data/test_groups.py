"Which prompts count as the same: for splits, for `seen`, for `exclude`, for resampling."

import json

import numpy as np
import pytest

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.near_duplicates import near_groups, shingles
from plurality_nb.data.schema import frame_texts, group_id, pair_id, prompt_id, text_hash
from plurality_nb.data.split import split_by_group
from plurality_nb.rewards.baselines import PairOfRewards, baseline_rewards
from plurality_nb.rewards.model import RewardModel
from plurality_nb.rewards.targets import exclude_groups, group_folds

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
