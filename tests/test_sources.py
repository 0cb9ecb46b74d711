import gzip
import json

import pandas as pd
import pytest

from plurality_nb.comparisons import ContractError
from plurality_nb.sources import load_comparisons, read_comparisons

GOOD = dict(prompt="Hi", response_a="Hello", response_b="Hey")


def write(path, text, encoding="utf-8"):
    data = text if isinstance(text, bytes) else text.encode(encoding)
    (gzip.open if path.suffix == ".gz" else open)(path, "wb").write(data)
    return path


CASES = {
    "broken line": (".jsonl", json.dumps(GOOD) + "\n{\n" + json.dumps(GOOD | dict(response_b="x")) + "\n", "not a JSON object", 1),
    "not an object": (".jsonl", json.dumps(GOOD) + "\n[1]\n", "not a JSON object", 1),
    "invalid UTF-8": (".jsonl", json.dumps(GOOD).encode() + b'\n{"prompt": "\xff"}\n', "not text in UTF-8", 1),
    "no prompt": (".jsonl", json.dumps(GOOD) + "\n" + json.dumps(GOOD | dict(prompt="")) + "\n", "no prompt", 1),
    "prompt of wrong shape": (".jsonl", json.dumps(GOOD) + "\n" + json.dumps(GOOD | dict(prompt=["Hi"])) + "\n", "`prompt` is not text, or a list of {role, content} with text in both", 1),
    "negative votes": (".jsonl", json.dumps(GOOD) + "\n" + json.dumps(GOOD | dict(human_a=-1)) + "\n", "`human_a` is not a whole number >= 0", 1),
    "half a person": (".json", json.dumps([GOOD, GOOD | dict(human_a=0.5)]), "`human_a` is not a whole number >= 0", 1),
    "label": (".csv", "prompt,response_a,response_b,label\nHi,a,b,1\nHi,a,c,0.7\n", "`label` is not 1 (A), 0 (B), 0.5 (tie) or null", 1),
    "missing column later": (".jsonl", json.dumps(GOOD) + "\n" + json.dumps(dict(prompt="Hi")) + "\n", "no `response_a`", 1),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_rows_are_named_when_strict_and_counted_when_lenient(name, tmp_path):
    kind, text, reason, row = CASES[name]
    path = write(tmp_path / f"data{kind}", text)
    with pytest.raises(ContractError) as e:
        load_comparisons(path)
    assert path.name in str(e.value) and f"row {row}" in str(e.value)
    ds, account = read_comparisons(path, strict=False, rejects=tmp_path / "rejects.jsonl")
    assert account["rejected"] == {reason: 1} and account["rejected_rows"] == [row]
    assert len(ds) == account["kept"] >= 1
    assert [json.loads(l)["row"] for l in open(tmp_path / "rejects.jsonl")] == [row]


WHOLE = {
    "zero rows": (".jsonl", "", "no rows|at least one comparison"),
    "not a list": (".json", "{}", "a list of objects"),
    "broken": (".json", "[1,", "a JSON file"),
    "unknown columns": (".csv", "question,good,bad\na,b,c\n", r"question.*The nearest is"),
    "unknown kind": (".xlsx", "x", "want a .jsonl"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_files_that_hold_no_comparisons(name, tmp_path):
    kind, text, message = WHOLE[name]
    with pytest.raises(ContractError, match=message):
        load_comparisons(write(tmp_path / f"data{kind}", text))


def test_a_gzip_file_cut_short_keeps_what_was_whole(tmp_path):
    lines = "".join(json.dumps(GOOD | dict(response_b=f"{i} " + "x" * 50)) + "\n" for i in range(2000))
    path = write(tmp_path / "data.jsonl.gz", lines)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ContractError, match="a whole gzip file"):
        load_comparisons(path)
    ds, account = read_comparisons(path, strict=False)
    assert account["rejected"] == {"not a whole gzip file": 1} and 0 < len(ds) < 2000


def test_a_byte_order_mark_and_a_conversation_in_a_csv(tmp_path):
    prompt = json.dumps([dict(role="user", content="Hi"), dict(role="assistant", content="Yes?"), dict(role="user", content="Tea, or not?")])
    table = pd.DataFrame([dict(prompt=prompt, response_a="NA", response_b="", human_a=3)])
    path = write(tmp_path / "data.csv", table.to_csv(index=False), "utf-8-sig")
    ds = load_comparisons(path)
    assert [t["role"] for t in ds["prompt"][0]] == ["user", "assistant", "user"]
    assert (ds["response_a"][0], ds["response_b"][0], ds["human_a"][0]) == ("NA", "", 3)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    from plurality_nb import sources
    path = write(tmp_path / "data.jsonl", json.dumps(GOOD) + "\n")
    ds = load_comparisons(path)
    old = sources.save_comparisons(ds, tmp_path / "out.jsonl").read_bytes()

    def fail(ds, p):
        p.write_text("half")
        raise OSError("disk full")

    monkeypatch.setitem(sources._WRITERS, ".jsonl", fail)
    with pytest.raises(OSError):
        sources.save_comparisons(ds, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", "out.jsonl", "out.jsonl.json"]


def test_limit_is_a_reproducible_draw():
    draw = lambda seed: load_comparisons("sample", limit=20, seed=seed)["pair_id"][:]
    assert draw(0) == draw(0) != draw(1) and len(draw(0)) == 20


def test_pandalm(real):
    path = real("pandalm_testset_part.json")
    raw = pd.read_json(path, dtype=False)
    odd = [i for i, r in raw.iterrows() if not (isinstance(r.response1, str) and isinstance(r.response2, str))]
    assert len(odd) == 5
    with pytest.raises(ContractError) as e:
        load_comparisons(path)
    assert all(f"row {i}: `response" in str(e.value) for i in odd)
    ds, account = read_comparisons(path, strict=False, merge=False)
    assert account["rejected_rows"] == odd and sum(account["rejected"].values()) == 5
    good = raw.drop(index=odd)
    empty = (good.response1.str.strip() == "") | (good.response2.str.strip() == "")
    assert account["empty"] == empty.sum() == 40
    votes = good[["annotator1", "annotator2", "annotator3"]]
    for column, value in [("human_a", 1), ("human_b", 2), ("human_tie", 0)]:
        assert ds[column][:] == (votes == value).sum(axis=1).tolist()
    merged = load_comparisons(path, strict=False)
    assert sum(merged["human_a"]) + sum(merged["human_b"]) + sum(merged["human_tie"]) == 3 * len(good)
    key = good.apply(lambda r: (r.instruction, r.input, *sorted([r.response1, r.response2])), axis=1)
    assert len(merged) == key.nunique()


def test_hh_rlhf(real):
    path = real("hh_harmless_base_test.jsonl.gz")
    ds, account = read_comparisons(path, strict=False)
    assert account["rejected"] == {"sides differ before the last turn": 5}
    raw = pd.read_json(path, lines=True).drop(index=account["rejected_rows"]).reset_index(drop=True)
    assert len(raw) == len(ds)
    for i in range(0, len(ds), 97):
        won, lost = ("a", "b") if ds["label"][i] == 1 else ("b", "a")
        for side, text in [(won, raw.chosen[i]), (lost, raw.rejected[i])]:
            said = "".join(f"\n\n{'Human' if t['role'] == 'user' else 'Assistant'}: {t['content']}" for t in ds["prompt"][i])
            assert (said + f"\n\nAssistant: {ds[f'response_{side}'][i]}").split() == text.split()
    assert 0.45 < sum(l == 1 for l in ds["label"]) / len(ds) < 0.55


def test_alpaca_eval_and_llmbar(real):
    ds = load_comparisons(real("alpaca_eval_gpt4_turbo_votes.jsonl.gz"))
    raw = pd.read_json(real("alpaca_eval_gpt4_turbo_votes.jsonl.gz"), lines=True)
    assert len(ds) == 2974 and abs(sum(ds["judge_b"]) - (raw.preference - 1).sum()) < 1e-2
    ds = load_comparisons(real("llmbar_judge_votes.jsonl"))
    raw = pd.read_json(real("llmbar_judge_votes.jsonl"), lines=True)
    assert ds["judge_a"][:] == [sum(v["winner"] == "1" for v in votes) for votes in raw.votes]
    assert [l == 1 for l in ds["label"]] == (raw.label == 1).tolist()
