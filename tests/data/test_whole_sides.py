"Prompts inside responses, conversations inside texts, and columns beside a prompt."

import json

import pandas as pd
import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.saving import save_comparisons
from plurality_nb.errors import ContractError

PROMPT = "Which tea is the best one to drink?"
TEXTS = dict(prompt=PROMPT, response_a="Assam", response_b="A stone")
SIDES = ("response_a", "response_b")
TURN = dict(role="user", content=PROMPT)
VOTES = [{}, dict(annotator="kim", vote="A"), dict(rater_1="A", rater_2="B")]
ONCE = "both texts begin with the prompt, which is taken once"


def plain(ds):
    return [ds["prompt"][0], ds["response_a"][0], ds["response_b"][0]]


def in_json(column):
    turns = [TURN, dict(role="assistant", content=TEXTS[column])]
    return json.dumps(turns)


def write_lines(path, *rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("votes", VOTES)
@pytest.mark.parametrize("before", [PROMPT + " ", PROMPT + "\n\n", "\n\nHuman: {}\n\nAssistant: "])
def test_a_prompt_that_both_responses_begin_with_is_taken_once(votes, before, tmp_path):
    before = before.format(PROMPT)
    row = TEXTS | {side: before + TEXTS[side] for side in SIDES} | votes
    want = plain(load_comparisons([TEXTS]))
    for prompt in (PROMPT, [TURN]):
        assert plain(load_comparisons([row | dict(prompt=prompt)])) == want
    pd.DataFrame([row]).to_csv(tmp_path / "x.csv", index=False)
    ds, account = read_comparisons(tmp_path / "x.csv")
    assert plain(ds) == want and (ONCE in account["notes"]) == before.startswith(PROMPT)


@pytest.mark.parametrize("sides", [("chosen", "rejected"), SIDES])
def test_what_is_not_taken_is_told(sides, caplog):
    texts = dict(zip(sides, ["Assam", "A stone"]))
    for change, told in [
        ({sides[0]: f"{PROMPT} Assam"}, "only one of the two texts begins with the prompt"),
        ({sides[1]: f"{PROMPT} A stone"}, "only one of the two texts begins with the prompt"),
        ({side: f"Q: {PROMPT} A: {texts[side]}" for side in sides}, "near their beginning"),
        (dict(prompt="Tea or?", **{s: f"Tea or? {texts[s]}" for s in sides}), "may be chance"),
    ]:
        caplog.clear()
        row = dict(prompt=PROMPT, **texts) | change
        ds = load_comparisons([row])
        assert {row[side] for side in sides} == {ds["response_a"][0], ds["response_b"][0]}
        assert told in caplog.text
    caplog.clear()
    load_comparisons([dict(prompt="Hi", **{side: f"Hi {texts[side]}" for side in sides})])
    assert not caplog.text


def test_what_was_saved_is_loaded_as_it_was(tmp_path, caplog):
    rows = [{**TEXTS, "response_a": in_json("response_a"), "response_b": f"{PROMPT} x"}]
    pd.DataFrame(rows).to_csv(tmp_path / "x.csv", index=False)
    ds = load_comparisons(tmp_path / "x.csv")
    assert ds["response_a"][:] == [rows[0]["response_a"]]
    for name in ("own.jsonl", "own.csv", "own.parquet"):
        save_comparisons(ds, tmp_path / name)
        caplog.clear()
        again = load_comparisons(tmp_path / name)
        assert plain(again) == plain(ds) and not caplog.text


@pytest.mark.parametrize("votes", VOTES)
@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_conversations_as_json_in_texts_are_read(votes, kind, tmp_path):
    sides = {side: in_json(side) for side in SIDES}
    asked = [TEXTS | dict(prompt=json.dumps([TURN])), TEXTS | sides]
    for row in (*asked, asked[0] | sides):
        path = tmp_path / f"x.{kind}"
        if kind == "parquet":
            pd.DataFrame([row | votes]).to_parquet(path)
        else:
            path.write_text(json.dumps([row | votes] if kind == "json" else row | votes))
        assert plain(load_comparisons(path)) == plain(load_comparisons([TEXTS]))


@pytest.mark.parametrize("prompt", [{}, dict(prompt=PROMPT), dict(prompt=[TURN])])
def test_chosen_and_rejected_as_json_in_texts_are_read(prompt, tmp_path):
    sides = dict(chosen=in_json("response_a"), rejected=in_json("response_b"))
    texts = dict(prompt=PROMPT, chosen="Assam", rejected="A stone")
    path = write_lines(tmp_path / "x.jsonl", prompt | sides)
    assert plain(load_comparisons(path)) == plain(load_comparisons([texts]))


def test_turns_as_responses_are_read():
    row = TEXTS | {side: json.loads(in_json(side)) for side in SIDES}
    assert plain(load_comparisons([row])) == plain(load_comparisons([TEXTS]))
    row["response_b"] = [TURN, TURN, row["response_b"][1]]
    with pytest.raises(ContractError, match="`response_a`: want conversations that differ in"):
        load_comparisons([row])


@pytest.mark.parametrize("sides", [("chosen", "rejected"), SIDES])
def test_texts_of_which_one_is_none_stay_texts(sides, tmp_path, caplog):
    whole = dict(zip(sides, map(in_json, SIDES)))
    for other in ("A stone", "", '[{"role": "user"', "[1, 2]"):
        rows = [dict(prompt=PROMPT, **whole), dict(prompt="Hi", **whole) | {sides[1]: other}]
        caplog.clear()
        ds = load_comparisons(write_lines(tmp_path / "x.jsonl", *rows))
        assert {*ds["response_a"], *ds["response_b"]} == {*whole.values(), other}
        assert f"`{sides[0]}` looks like a conversation as JSON and is read as text" in caplog.text
    pd.DataFrame(rows).to_csv(tmp_path / "x.csv", index=False)
    if sides == SIDES:
        caplog.clear()
        assert load_comparisons(tmp_path / "x.csv")["response_a"][0] == whole["response_a"]
        assert "write the rows as JSON Lines to have them read" in caplog.text


def test_a_late_text_among_conversations_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("plurality_nb.data.loading.ROWS_PEEKED", 1)
    whole = TEXTS | {side: in_json(side) for side in SIDES}
    rows = [whole, whole | dict(response_a=in_json("response_b")), TEXTS | dict(prompt="Hi there")]
    path = write_lines(tmp_path / "x.jsonl", *rows)
    with pytest.raises(ContractError, match="row 2: `response_a`: want a whole conversation"):
        load_comparisons(path)
    assert len(load_comparisons(path, strict=False)) == 2


BESIDE = {
    "input": "prompt=prompt+input",
    "context": "prompt=context+prompt",
    "history": "prompt=history+prompt",
    "Context": "prompt=Context+prompt",
    "instruction": "prompt=instruction+prompt",
    "sys": "system=sys",
    "system_instruction": "system=system_instruction",
}


@pytest.mark.parametrize("column", BESIDE)
@pytest.mark.parametrize("votes", VOTES)
def test_a_text_beside_the_prompt_is_told_with_what_reads_it(column, votes, caplog):
    rows = [TEXTS | votes, TEXTS | votes | dict(prompt=PROMPT + "?") | {column: "Of these: Assam."}]
    load_comparisons(rows)
    assert f"`{column}` may belong to the prompt and is not read" in caplog.text
    assert f"--map {BESIDE[column]};" in caplog.text and "1 rows: `" in caplog.text
    caplog.clear()
    mapping = dict([BESIDE[column].split("=")])
    read = load_comparisons([rows[1]], columns=mapping)
    assert "Of these: Assam." in next(turn["content"] for turn in read["prompt"][0])
    load_comparisons([rows[1]], columns={f"my_{column}": column})
    assert "may belong" not in caplog.text


def test_the_input_beside_a_mapped_instruction_is_told(caplog):
    row = dict(instruction=PROMPT, input="Assam or a stone?", chosen="Assam", rejected="A stone")
    load_comparisons([row], columns=dict(prompt="instruction"))
    assert "--map prompt=instruction+input;" in caplog.text
    caplog.clear()
    load_comparisons([row], columns=dict(prompt="instruction+input"))
    assert "may belong" not in caplog.text


@pytest.mark.parametrize("value", ["", "  ", None, [], 3, PROMPT[:20]])
def test_what_does_not_change_the_question_is_not_told(value, caplog):
    for column in ("input", "context", "history"):
        load_comparisons([TEXTS | {column: value}])
    assert not caplog.text


@pytest.mark.parametrize(
    "value", [[["Hi", "Hello."]], dict(a="x"), [dict(role="user", content="x")]]
)
def test_turns_beside_the_prompt_are_told(value, caplog):
    load_comparisons([TEXTS | dict(history=value)])
    assert "`history` may belong to the prompt and is not read; if it belongs there" in caplog.text
