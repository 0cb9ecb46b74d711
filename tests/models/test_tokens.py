"Tokens of comparisons: cached, in several processes, and too long."

import pytest
from small_models import small_tokenizer

import plurality_nb.models.tokens as tokens
from plurality_nb.data.build import from_rows
from plurality_nb.data.checks import check_row
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.models.tokens import encode, tokenize_comparisons


@pytest.mark.parametrize("form", ["chat", "plain"])
def test_several_processes_give_the_same(form):
    ds = load_sample()
    one = tokenize_comparisons(
        ds.select(range(128)), small_tokenizer(), form, 120, "truncate_prompt", progress=False
    )
    two = tokenize_comparisons(
        ds.select(range(128)),
        small_tokenizer(),
        form,
        120,
        "truncate_prompt",
        num_proc=2,
        progress=False,
    )
    assert (
        one.to_dict() == two.to_dict()
        and one["row"][:] == sorted(one["row"][:])
        and 64 < len(one) < 128
    )


def test_tokens_are_found_again_and_depend_on_what_they_should(monkeypatch, tmp_path):
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path))
    monkeypatch.setattr(tokens, "_MANY", 10)
    ds, calls, plain = load_sample().select(range(30)), [], tokens._row_tokens
    monkeypatch.setattr(tokens, "_row_tokens", lambda *args: calls.append(1) or plain(*args))
    again = lambda ds=ds, tokenizer=None, form="chat", most=500: tokenize_comparisons(
        ds, tokenizer or small_tokenizer(), form, most, progress=False
    ).to_dict()
    want = again()
    assert len(calls) == 1 and again(from_rows(list(ds))) == want and len(calls) == 1
    other = small_tokenizer()
    other.chat_template = other.chat_template.replace("<|im_start|>", "")
    for kwargs in (
        dict(tokenizer=other),
        dict(tokenizer=small_tokenizer(size=500)),
        dict(form="plain"),
        dict(most=499),
        dict(ds=ds.select(range(1, 30))),
    ):
        before = len(calls)
        again(**kwargs)
        assert len(calls) == before + 1, kwargs
    swapped = ds.rename_columns(dict(response_a="x", response_b="response_a")).rename_column(
        "x", "response_b"
    )
    assert again(swapped)["ids_a"] == want["ids_b"]


def test_the_prompt_is_cut_at_its_beginning_and_the_responses_are_whole():
    tokenizer, row = small_tokenizer(encoder=True), load_sample()[0]
    ds = from_rows(
        [
            check_row(
                {k: row[k] for k in ("prompt", "response_a", "response_b")}
                | dict(prompt=[dict(role="user", content="word " * 300)])
            )
        ]
    )
    whole = tokenize_comparisons(ds, tokenizer, "pair", None, progress=False)[0]
    cut = tokenize_comparisons(ds, tokenizer, "pair", 200, "truncate_prompt", progress=False)[0]
    assert (
        max(len(cut["ids_a"]), len(cut["ids_b"])) == 200
        and cut["cut"] == max(len(whole["ids_a"]), len(whole["ids_b"])) - 200
    )
    for side in ("ids_a", "ids_b"):
        assert cut[side][0] == tokenizer.cls_token_id
        assert cut[side][1:] == whole[side][1 + cut["cut"] :]
    assert cut["type_0"] == whole["type_0"] - cut["cut"]


def test_what_a_template_refuses_is_named():
    tokenizer = small_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system prompts') }}{% endif %}{% endfor %}"
    with pytest.raises(
        ContractError,
        match="conversations that the tokenizer's chat template takes.*no system prompts",
    ):
        encode(
            [[dict(role="system", content="Be brief."), dict(role="user", content="Hello")]],
            ["Hi"],
            tokenizer,
            "chat",
        )
