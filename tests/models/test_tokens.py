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
    ds = load_sample().select(range(128))
    one, two = (
        tokenize_comparisons(
            ds, small_tokenizer(), form, 120, "truncate_prompt", num_proc=processes, progress=False
        )
        for processes in (None, 2)
    )
    assert one.to_dict() == two.to_dict()
    assert one["row"][:] == sorted(one["row"][:])
    assert 64 < len(one) < 128


def test_tokens_are_found_again_and_depend_on_what_they_should(monkeypatch, tmp_path):
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path))
    monkeypatch.setattr(tokens, "_ROWS_WORTH_KEEPING", 10)
    ds, reads, read = load_sample().select(range(30)), [], tokens._PairReader.read

    def counted_read(self, *args):
        reads.append(1)
        return read(self, *args)

    monkeypatch.setattr(tokens._PairReader, "read", counted_read)

    def tokenize(ds=ds, tokenizer=None, form="chat", max_length=500):
        tokenizer = tokenizer or small_tokenizer()
        return tokenize_comparisons(ds, tokenizer, form, max_length, progress=False).to_dict()

    want = tokenize()
    assert len(reads) == 1
    assert tokenize(from_rows(list(ds))) == want
    assert len(reads) == 1
    other = small_tokenizer()
    other.chat_template = other.chat_template.replace("<|im_start|>", "")
    for kwargs in (
        dict(tokenizer=other),
        dict(tokenizer=small_tokenizer(size=500)),
        dict(form="plain"),
        dict(max_length=499),
        dict(ds=ds.select(range(1, 30))),
    ):
        before = len(reads)
        tokenize(**kwargs)
        assert len(reads) == before + 1, kwargs
    swapped = ds.rename_columns(dict(response_a="x", response_b="response_a"))
    swapped = swapped.rename_column("x", "response_b")
    assert tokenize(swapped)["ids_a"] == want["ids_b"]


def test_the_prompt_is_cut_at_its_beginning_and_the_responses_are_whole():
    tokenizer, row = small_tokenizer(encoder=True), load_sample()[0]
    prompt = [dict(role="user", content="word " * 300)]
    responses = {side: row[side] for side in ("response_a", "response_b")}
    ds = from_rows([check_row(dict(prompt=prompt, **responses))])
    whole = tokenize_comparisons(ds, tokenizer, "pair", None, progress=False)[0]
    cut = tokenize_comparisons(ds, tokenizer, "pair", 200, "truncate_prompt", progress=False)[0]
    assert max(len(cut["ids_a"]), len(cut["ids_b"])) == 200
    assert cut["cut"] == max(len(whole["ids_a"]), len(whole["ids_b"])) - 200
    for side in ("ids_a", "ids_b"):
        assert cut[side][0] == tokenizer.cls_token_id
        assert cut[side][1:] == whole[side][1 + cut["cut"] :]
    assert cut["type_0"] == whole["type_0"] - cut["cut"]


def test_what_a_template_refuses_is_named():
    tokenizer = small_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}"
        "{{ raise_exception('no system prompts') }}{% endif %}{% endfor %}"
    )
    talk = [dict(role="system", content="Be brief."), dict(role="user", content="Hello")]
    want = "conversations that the tokenizer's chat template takes.*no system prompts"
    with pytest.raises(ContractError, match=want):
        encode([talk], ["Hi"], tokenizer, "chat")
