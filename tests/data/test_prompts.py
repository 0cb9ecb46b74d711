"The prompt of a preference: never guessed where the data answers, and never taken twice."

import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.trl import from_trl
from plurality_nb.errors import ContractError

ASK, YES, NO = "How do I boil rice?", "Sure, use two cups.", "Sure, use an oven."


def user(text=ASK):
    return dict(role="user", content=text)


def assistant(text):
    return dict(role="assistant", content=text)


def system(text="Be brief, please."):
    return dict(role="system", content=text)


ROW = dict(chosen=YES, rejected=NO)
HIDDEN = {
    "a question": (dict(question=ASK), "prompt=question"),
    "an instruction": (dict(instruction=ASK), "prompt=instruction"),
    "Alpaca's two columns": (dict(instruction=ASK, input="Basmati."), "prompt=instruction+input"),
    "a query in camel case": (dict(userQuery=ASK), "prompt=userQuery"),
    "a context beside it": (dict(context="Cooking.", question=ASK), "prompt=question"),
    "conversations": (dict(conversations=[user()]), "prompt=conversations"),
    "messages": (dict(messages=[user()]), "prompt=messages"),
    "an id beside it": (dict(prompt_id="p1", question_type="how", input=ASK), "prompt=input"),
    "another language": (dict(frage=ASK), "prompt=frage"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_column_that_looks_like_the_prompt_stops_the_load(name):
    columns, mapping = HIDDEN[name]
    rows = [columns | ROW] * 3
    for strict in (True, False):
        with pytest.raises(ContractError, match=f"--map {mapping.replace('+', '.')}`"):
            load_comparisons(rows, strict=strict)
    if name != "another language":  # whose name says nothing
        with pytest.raises(ContractError, match="--map prompt="):
            from_trl(rows)
    ds = load_comparisons(rows, columns=dict([mapping.split("=")]))
    wanted = ASK + "\n\nBasmati." if "+" in mapping else ASK
    assert ds["prompt"][0] == [user(wanted)] and {YES, NO} == {
        ds["response_a"][0],
        ds["response_b"][0],
    }


def test_a_row_without_its_prompt_does_not_get_another():
    rows = [dict(prompt=ASK) | ROW, dict(prompt=None) | ROW, dict(prompt=" ") | ROW]
    account = read_comparisons(rows, strict=False, merge=False)[1]
    assert account["rejected"] == {"no prompt": 2} and account["rejected_rows"] == [1, 2]


def test_an_empty_input_of_the_first_row_is_still_an_input():
    row = dict(instruction=ASK, input="") | ROW
    with pytest.raises(ContractError, match=r"--map prompt=instruction\+input`"):
        load_comparisons([row])


def test_sides_without_a_question_do_not_lose_it():
    sides = dict(chosen=[assistant(YES)], rejected=[assistant(NO)])
    for extra in (dict(question=ASK), dict(messages=[user()])):
        with pytest.raises(ContractError, match="--map prompt="):
            load_comparisons([extra | sides])
    spoken = dict(chosen=[user(), assistant(YES)], rejected=[user(), assistant(NO)])
    assert load_comparisons([dict(question=ASK) | spoken])["prompt"][0] == [user()]


def test_a_column_that_is_no_prompt_can_be_kept():
    row = dict(question_type="how", critique="The second is far worse than it looks.") | ROW
    assert len(load_comparisons([row])) == 1
    row = dict(context="kitchen", chosen="A pot boils", rejected="A pot sings")
    ds, account = read_comparisons([row], columns=dict(mine="context"))
    assert ds["mine"][:] == ["kitchen"] and ds["prompt"][0] == [user("A pot ")]
    assert list(account["notes"].values()) == [1]
    named = dict(frage=ASK) | ROW
    assert load_comparisons([named], format="trl")["prompt"][0] == [user("Sure, use ")]


TURNS = [user("Hi"), assistant("Hello."), user()]
ONCE = {
    "a list, and both sides repeat it": ([user()], [user()], [user()]),
    "white space differs": ([user(f" {ASK}\n")], [user()], [user(f" {ASK}\n")]),
    "a text, and both sides repeat it": (ASK, [user()], [user()]),
    "a text with other white space": (f"{ASK} \n", [user()], [user()]),
    "a text before the answers": (ASK, [], [user()]),
    "a list before the answers": ([user()], [], [user()]),
    "the last of several turns": (ASK, TURNS, TURNS),
    "the first of several turns": ("Hi", TURNS, TURNS),
    "a system's turn in the prompt alone": ([system(), user()], [user()], [system(), user()]),
    "a system's turn in the sides alone": ([user()], [system(), user()], [system(), user()]),
    "a system's turn, then the sides": ([system()], [user()], [system(), user()]),
    "a text after the system's turn": (ASK, [system()], [system(), user()]),
    "turns before those of the sides": (TURNS[:2], [user()], TURNS),
    "blocks of text": ([user([dict(type="text", text=ASK)])], [user()], [user()]),
    "ShareGPT": ([{"from": "human", "value": ASK}], [user()], [user()]),
    "one turn alone": (user(), [user()], [user()]),
    "an empty text": ("", [user()], [user()]),
}


@pytest.mark.parametrize("name", ONCE)
def test_a_prompt_is_taken_once(name):
    prompt, before, wanted = ONCE[name]
    row = dict(prompt=prompt, chosen=[*before, assistant(YES)], rejected=[*before, assistant(NO)])
    for read in (load_comparisons, from_trl):
        ds = read([row])
        assert ds["prompt"][0] == wanted
        assert {YES, NO} == {ds["response_a"][0], ds["response_b"][0]}


def test_an_answer_that_the_prompt_begins_is_whole():
    row = dict(
        prompt=[user(), assistant("Sure, ")],
        chosen=[user(), assistant(YES)],
        rejected=[user(), assistant(NO)],
    )
    assert load_comparisons([row])["prompt"][0] == [user()]


DIFFERENT = {
    "another question": "Who wrote Hamlet?",
    "the whole chosen conversation": [user(), assistant(YES)],
    "another system's turn": [system("Other words here."), user()],
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_prompt_that_the_sides_do_not_begin_with_is_named(name):
    first = [system()] if name == "another system's turn" else []
    row = dict(
        prompt=DIFFERENT[name],
        chosen=[*first, user(), assistant(YES)],
        rejected=[*first, user(), assistant(NO)],
    )
    with pytest.raises(ContractError, match=r"row 0: `prompt`: .*--map my_prompt=prompt"):
        load_comparisons([row])
    ds = load_comparisons([row], columns=dict(my_prompt="prompt"))
    assert ds["prompt"][0] == [*first, user()]


def test_texts_that_begin_with_the_prompt():
    row = dict(prompt=ASK, chosen=f"{ASK} {YES}", rejected=f"{ASK}\n{NO}")
    ds, account = read_comparisons([row])
    assert {YES, NO} == {ds["response_a"][0], ds["response_b"][0]}
    assert account["notes"] == {"both texts begin with the prompt, which is taken once": 1}
    for kept in (dict(chosen=f"{ASK} {YES}"), dict(prompt="Hi", chosen="Hi you", rejected="Hi me")):
        row = dict(prompt=ASK, **ROW) | kept
        ds = load_comparisons([row])
        assert row["chosen"] in (ds["response_a"][0], ds["response_b"][0])


def test_transcripts_with_a_prompt_of_their_own():
    asked = f"\n\nHuman: {ASK}\n\nAssistant:"
    for row in (
        dict(prompt=asked, chosen=f" {YES}", rejected=f" {NO}"),
        dict(prompt=asked, chosen=f"{asked} {YES}", rejected=f"{asked} {NO}"),
        dict(prompt=ASK, chosen=f"{asked} {YES}", rejected=f"{asked} {NO}"),
    ):
        ds = load_comparisons([row])
        assert ds["prompt"][0] == [user()] and ds["response_a"][0].strip() in (YES, NO)
    with pytest.raises(ContractError, match="`rejected`: want a transcript"):
        load_comparisons([dict(chosen=f"{asked} {YES}", rejected=NO)])


SYSTEM = {
    "a text prompt": (ASK, [system(), user()]),
    "turns": ([user()], [system(), user()]),
    "the same turn": (
        [system(" Be  brief, please."), user()],
        [system(" Be  brief, please."), user()],
    ),
}


@pytest.mark.parametrize("name", SYSTEM)
@pytest.mark.parametrize("column", ["system", "system_prompt"])
def test_a_system_column_is_a_turn(name, column):
    prompt, wanted = SYSTEM[name]
    row = {column: "Be brief, please.", "prompt": prompt}
    for sides in (ROW, dict(response_a=YES, response_b=NO)):
        ds, account = read_comparisons([row | sides])
        assert ds["prompt"][0] == wanted and column not in ds.column_names
        assert column in str(account["notes"])


def test_a_system_column_that_is_no_turn_is_kept():
    row = dict(system="gpt-4", prompt=ASK) | ROW
    ds = load_comparisons([row, dict(system="", prompt="Hi") | ROW])
    assert ds["system"][:] == ["gpt-4", ""] and ds["prompt"][0] == [user()]
    row = dict(system="Be long, please.", prompt=[system(), user()]) | ROW
    ds, account = read_comparisons([row])
    assert ds["system"][:] == ["Be long, please."] and "another system turn" in str(
        account["notes"]
    )


SHAPES = {
    "answers in a list": (dict(chosen=[YES], rejected=[NO, "x"]), "`chosen`: want one response"),
    "a rejected list": (dict(chosen=YES, rejected=[NO, "x"]), "`rejected`: want one response"),
    "a turn without content": (dict(chosen=[user(), dict(role="x")]), "`chosen`: want text, or a"),
    "a broken turn in rejected": (dict(rejected=[user(), 3]), "`rejected`: want text, or a list"),
    "a content of numbers": (dict(chosen=[user(), assistant([3])]), "`chosen`: want a content"),
    "the last turn by a user": (
        dict(rejected=[user(), user(NO)]),
        "the last by assistant and user",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_column_with_the_fault_is_named(name):
    change, message = SHAPES[name]
    row = dict(prompt=ASK, chosen=[user(), assistant(YES)], rejected=[user(), assistant(NO)])
    with pytest.raises(ContractError, match=f"row 0: {message}" if "`" in message else message):
        load_comparisons([row | change])


def test_a_turn_with_an_image_is_left_out_in_every_format():
    image = user([dict(type="text", text=ASK), dict(type="image", image="x.png")])
    good = dict(prompt=ASK) | ROW
    trl = dict(chosen=[image, assistant(YES)], rejected=[image, assistant(NO)])
    own = dict(prompt=[image], response_a=YES, response_b=NO)
    for rows in ([good, trl], [dict(prompt=ASK, response_a=YES, response_b=NO), own]):
        account = read_comparisons(rows)[1]
        assert account["left_out"] == {"contains more than text": 1} and account["kept"] == 1


def test_sharegpt_and_single_turns():
    human, gpt = {"from": "human", "value": ASK}, {"from": "gpt", "value": YES}
    other = {"from": "gpt", "value": NO}
    whole = dict(chosen=[human, gpt], rejected=[human, other])
    assert load_comparisons([whole])["prompt"][0] == [user()]
    row = dict(conversations=[human], chosen=gpt, rejected=other)
    ds = load_comparisons([row], columns=dict(prompt="conversations"))
    assert ds["prompt"][0] == [user()] and ds["response_a"][0] in (YES, NO)
