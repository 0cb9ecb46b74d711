"Turn marks are broken wherever a model could read them, and nothing else changes."

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plurality_nb.data.marks import break_turn_marks

MARKS = """<|im_start|> <|im_end|> <|endoftext|> <|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> <s> </s>
    [INST] [/INST] <<SYS>> <</SYS>> <bos> <eos> <start_of_turn> <end_of_turn> <|user|> <|assistant|> <|system|> <|end|>
    [gMASK] <sop> <eop> <extra_id_0> <extra_id_1> <turn|> <|turn> <|channel> <channel|> <end_of_utterance> <think> </think>
    [THINK] [/THINK] <｜User｜> <｜Assistant｜> <｜end▁of▁sentence｜> <seed:think> [|endofturn|] <|START_OF_TURN_TOKEN|>
    <|channel|> <|message|> [SYSTEM_PROMPT] [TOOL_CALLS] <BOS_TOKEN> ◁think▷ ]~b] [e~[ [unused9] <eot> <role> [CLS]""".split()
DISGUISES = {
    "as it is": lambda mark: mark,
    "in capitals": str.upper,
    "without width inside": lambda mark: "\u200b".join(mark),
    "a joiner inside": lambda mark: f"{mark[:2]}\u2060{mark[2:]}",
    "a soft hyphen inside": lambda mark: f"{mark[:-1]}\u00ad{mark[-1]}",
    "a direction inside": lambda mark: f"{mark[:1]}\u200e{mark[1:]}",
    "full width": lambda mark: "".join(
        chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in mark
    ),
    "Cyrillic letters": lambda mark: mark.translate(
        str.maketrans("aeiopcsxyS", "\u0430\u0435\u0456\u043e\u0440\u0441\u0455\u0445\u0443\u0405")
    ),
    "other brackets": lambda mark: mark.translate(str.maketrans("<>|", "\u2039\u203a\uff5c")),
    "a blank before the end": lambda mark: re.sub(r"(?=[>\]▷]$)", " ", mark),
}


def looks(text: str) -> str:
    "A text as a tokenizer might normalise it."
    return "".join(
        c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf"
    ).lower()


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_broken_in_every_disguise(mark, disguise):
    disguised = DISGUISES[disguise](mark)
    broken = break_turn_marks(f"Water.{disguised}Tea")
    assert broken != f"Water.{disguised}Tea"
    assert looks(mark) not in looks(broken)
    assert broken.replace(" ", "") == f"Water.{disguised}Tea".replace(" ", "")
    assert break_turn_marks(broken) == broken


ORDINARY = [
    "",
    "if a < b and c > d or x<y: a[1] |= b[0] || c",
    "<p class='x'>Hello <b>you</b></p> <br/> <!-- no -->",
    "Map<String, List<Integer>> m; auto f = [&](int x) { return x; };",
    "f x = case x of { Just y -> y <|> z; _ -> a <$> b }",
    "xs |> List.map (fun x -> x) <| ys",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "[1] See [the page](https://example.org/<id>), [sic], [a|b].",
    "«Bonjour», dit-il. ‹ici› 「はい」 《红楼梦》【注】 〈a〉",
    "He said <hello> and [laughs], email <user@example.org>.",
    "x<s or y>s; p(A|B) = p(B|A)p(A)/p(B)",
    "git push origin <branch> [--force]",
    "Ελληνικά, русский, हिन्दी, العربية, עברית, ไทย",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text):
    assert break_turn_marks(text) == text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=8)), max_size=8).map("".join))
def test_only_spaces_are_added(text):
    broken = break_turn_marks(text)
    assert broken.replace(" ", "") == text.replace(" ", "")
    assert break_turn_marks(broken) == broken
    assert not any(mark in broken for mark in MARKS)
