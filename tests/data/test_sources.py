import gzip
import json

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.errors import ContractError

GOOD = dict(prompt="Hi", response_a="Hello", response_b="Hey")


def write(path, text, encoding="utf-8"):
    data = text if isinstance(text, bytes) else text.encode(encoding)
    (gzip.open if path.suffix == ".gz" else open)(path, "wb").write(data)
    return path


CASES = {
    "broken line": (
        ".jsonl",
        json.dumps(GOOD) + "\n{\n" + json.dumps(GOOD | dict(response_b="x")) + "\n",
        "not a JSON object",
        1,
    ),
    "not an object": (".jsonl", json.dumps(GOOD) + "\n[1]\n", "not a JSON object", 1),
    "invalid UTF-8": (
        ".jsonl",
        json.dumps(GOOD).encode() + b'\n{"prompt": "\xff"}\n',
        "not text in UTF-8",
        1,
    ),
    "no prompt": (
        ".jsonl",
        json.dumps(GOOD) + "\n" + json.dumps(GOOD | dict(prompt="")) + "\n",
        "no prompt",
        1,
    ),
    "prompt of wrong shape": (
        ".jsonl",
        json.dumps(GOOD) + "\n" + json.dumps(GOOD | dict(prompt=["Hi"])) + "\n",
        "`prompt` is not text, or a list of {role, content} with text in both",
        1,
    ),
    "negative votes": (
        ".jsonl",
        json.dumps(GOOD) + "\n" + json.dumps(GOOD | dict(human_a=-1)) + "\n",
        "`human_a` is not a whole number >= 0",
        1,
    ),
    "half a person": (
        ".json",
        json.dumps([GOOD, GOOD | dict(human_a=0.5)]),
        "`human_a` is not a whole number >= 0",
        1,
    ),
    "label": (
        ".csv",
        "prompt,response_a,response_b,label\nHi,a,b,1\nHi,a,c,0.7\n",
        "`label` is not 1 (A), 0 (B), 0.5 (tie) or null",
        1,
    ),
    "a vote of nan": (
        ".jsonl",
        json.dumps(GOOD | dict(human_a=float("nan")))
        + "\n"
        + json.dumps(GOOD | dict(label=float("inf")))
        + "\n",
        "`label` is not 1 (A), 0 (B), 0.5 (tie) or null",
        1,
    ),
    "response of another type": (
        ".json",
        json.dumps([GOOD, GOOD | dict(response_b=True)]),
        "`response_b` is not text",
        1,
    ),
    "null response": (
        ".json",
        json.dumps([GOOD, GOOD | dict(response_b=None)]),
        "`response_b` is not text",
        1,
    ),
    "missing prompt": (
        ".jsonl",
        json.dumps(GOOD) + "\n" + json.dumps(GOOD | dict(prompt=None)) + "\n",
        "no prompt",
        1,
    ),
    "a role that is no text": (
        ".json",
        json.dumps([GOOD, GOOD | dict(prompt=[dict(role=1, content="x")])]),
        "`prompt` is not text, or a list of {role, content} with text in both",
        1,
    ),
    "too many cells": (
        ".csv",
        "prompt,response_a,response_b\nHi,a,b\nHi,a,b,c\n",
        "more or fewer cells than the header",
        1,
    ),
    "bytes that are no text in a CSV": (
        ".csv",
        b"prompt,response_a,response_b\nHi,a,b\nHi,\xff,c\nHi,a,d\n",
        "not text in UTF-8",
        1,
    ),
    "a broken element of a list": (
        ".json",
        json.dumps([GOOD])[:-1] + ", {]",
        "not a whole JSON list",
        1,
    ),
    "a number of a million digits": (
        ".jsonl",
        json.dumps(GOOD)
        + '\n{"prompt": "Hi", "response_a": "a", "response_b": '
        + "9" * 10**6
        + "}\n",
        "not a JSON object",
        1,
    ),
    "nested too deeply": (
        ".jsonl",
        json.dumps(GOOD) + '\n{"x": ' + "[" * 10**5 + "]" * 10**5 + "}\n",
        "not a JSON object",
        1,
    ),
    "votes fewer than ballots": (
        ".json",
        json.dumps([GOOD, GOOD | dict(human_b=1, ballots=[dict(annotator="u", vote="a")])]),
        "`human_a` is not at least the 1 votes that `ballots` holds",
        1,
    ),
    "ballot for nobody": (
        ".json",
        json.dumps([GOOD, GOOD | dict(ballots=[dict(annotator="u", vote="c")])]),
        "`ballots` is not a list of {annotator, vote, traits} with text in all, a vote one of ['a', 'b', 'tie'] or null",
        1,
    ),
    "missing column later": (
        ".jsonl",
        json.dumps(GOOD) + "\n" + json.dumps(dict(prompt="Hi")) + "\n",
        "no `response_a`",
        1,
    ),
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
    lines = (tmp_path / "rejects.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == [row]


def test_a_row_of_a_csv_with_two_broken_lines_is_one_bad_row(tmp_path):
    text = b'prompt,response_a,response_b\nHi,"\xff\n\xff",b\nHi,a,c\n'
    ds, account = read_comparisons(write(tmp_path / "data.csv", text), strict=False)
    assert account["rejected_rows"] == [0] and ds["response_b"][:] == ["c"]


WHOLE = {
    "zero rows": (".jsonl", "", "no rows|at least one comparison"),
    "an object that is no row": (".json", '{"data": []}', r"got \['data'\]"),
    "an object over several lines": (".json", '{\n "data": []\n}', "want a JSON object"),
    "a list cut short": (".json", "[", "a whole JSON list"),
    "a header alone": (".csv", "prompt,response_a,response_b\n", "at least one comparison"),
    "a header with repeats": (
        ".csv",
        "prompt,response_a,response_a\nx,y,z\n",
        "a header without repeats",
    ),
    "no parquet": (".parquet", "PAR1", "a parquet file"),
    "no gzip": (".jsonl.gz.txt", "x", "want a .jsonl"),
    "unknown columns": (".csv", "question,good,bad\na,b,c\n", r"question.*The nearest is"),
    "unknown kind": (".xlsx", "x", "want a .jsonl"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_files_that_hold_no_comparisons(name, tmp_path):
    kind, text, message = WHOLE[name]
    with pytest.raises(ContractError, match=message):
        load_comparisons(write(tmp_path / f"data{kind}", text))


def test_a_gzip_file_cut_short_keeps_what_was_whole(tmp_path):
    lines = "".join(
        json.dumps(GOOD | dict(response_b=f"{i} " + "x" * 50)) + "\n" for i in range(2000)
    )
    path = write(tmp_path / "data.jsonl.gz", lines)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ContractError, match="a whole gzip file"):
        load_comparisons(path)
    ds, account = read_comparisons(path, strict=False)
    assert account["rejected"] == {"not a whole gzip file": 1} and 0 < len(ds) < 2000


def test_a_byte_order_mark_and_a_conversation_in_a_csv(tmp_path):
    prompt = json.dumps(
        [
            dict(role="user", content="Hi"),
            dict(role="assistant", content="Yes?"),
            dict(role="user", content="Tea, or not?"),
        ]
    )
    table = pd.DataFrame([dict(prompt=prompt, response_a="NA", response_b="", human_a=3)])
    path = write(tmp_path / "data.csv", table.to_csv(index=False), "utf-8-sig")
    ds = load_comparisons(path)
    assert [t["role"] for t in ds["prompt"][0]] == ["user", "assistant", "user"]
    assert (ds["response_a"][0], ds["response_b"][0], ds["human_a"][0]) == ("NA", "", 3)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    from plurality_nb.data import saving

    path = write(tmp_path / "data.jsonl", json.dumps(GOOD) + "\n")
    ds = load_comparisons(path)
    old = saving.save_comparisons(ds, tmp_path / "out.jsonl").read_bytes()

    def fail(ds, f):
        f.write("half")
        raise OSError("disk full")

    monkeypatch.setitem(saving._TEXT_WRITERS, ".jsonl", fail)
    with pytest.raises(OSError):
        saving.save_comparisons(ds, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "data.jsonl",
        "out.jsonl",
        "out.jsonl.json",
    ]


def test_lines_of_ten_megabytes(tmp_path):
    rows = [GOOD | dict(response_a=c * 10**7) for c in "xyz"]
    path = write(tmp_path / "data.jsonl.gz", "".join(json.dumps(r) + "\n" for r in rows))
    ds = load_comparisons(path)
    assert [len(a) for a in ds["response_a"]] == [10**7] * 3 and ds["response_a"][2][-1] == "z"


def test_odd_pairs_are_kept_counted_and_named(tmp_path):
    rows = [
        GOOD,
        GOOD | dict(response_b=" \u2003\n"),
        GOOD | dict(response_a="x", response_b="x"),
        GOOD,
        dict(prompt="Hi", response_a="Hey", response_b="Hello"),
    ]
    ds, account = read_comparisons(write(tmp_path / "data.json", json.dumps(rows)), merge=False)
    assert [account[k] for k in ("read", "kept", "empty", "identical", "repeated", "merged")] == [
        5,
        5,
        1,
        1,
        2,
        0,
    ]
    assert account["named"] == dict(
        empty=[ds["pair_id"][1]], identical=[ds["pair_id"][2]], repeated=[ds["pair_id"][0]]
    )
    assert read_comparisons(rows)[1]["merged"] == 2


def test_strict_loading_names_the_first_bad_rows_and_counts_the_rest(tmp_path):
    with pytest.raises(
        ContractError, match=r"got 50 invalid rows:(\n  row \d+: .*){3}\n  ... and 47 more: `resp"
    ):
        load_comparisons([GOOD] * 10 + [GOOD | dict(response_a=1)] * 50)
    _, account = read_comparisons(
        [GOOD] + [GOOD | dict(response_a=1)] * 5000, strict=False, rejects=tmp_path / "r.jsonl"
    )
    assert (
        account["rejected"] == {"`response_a` is not text": 5000}
        and len((tmp_path / "r.jsonl").read_text().splitlines()) == 5000
    )


def test_columns_can_be_named(tmp_path):
    path = write(
        tmp_path / "d.json", json.dumps([dict(ask=dict(q="Hi"), good="x", bad="y", extra=1)])
    )
    with pytest.raises(ContractError, match=r"`ask\.w`: want a column of every row"):
        load_comparisons(path, columns=dict(prompt="ask.w", chosen="good", rejected="bad"))
    ds = load_comparisons(path, columns=dict(prompt="ask.q", chosen="good", rejected="bad"))
    assert (
        ds["prompt"][0][0]["content"] == "Hi"
        and ds["extra"][:] == [1]
        and not {"ask", "good", "bad"} & set(ds.column_names)
    )
    with pytest.raises(ContractError, match="`format`: want one of"):
        load_comparisons(path, format="x")


def test_a_format_can_be_forced():
    row = dict(instruction="Hi", output_1="x", output_2="y", preference=1, annotator_index=2)
    assert load_comparisons([row])["human_a"][:] == [1]
    assert load_comparisons([row], format="alpaca_eval")["judge_a"][:] == [1]


def test_large_tables_live_on_disk(monkeypatch, tmp_path):
    from plurality_nb.data import arrow

    rows = [
        dict(
            prompt=f"{i // 2}?", response_a="x" * 50, response_b=f"{i}", n=i if i < 900 else i + 0.5
        )
        for i in range(3000)
    ]
    plain = load_comparisons(rows + rows[:7])
    monkeypatch.setattr(arrow.Spool.__init__, "__defaults__", (None, None, 50_000))
    ds = load_comparisons(rows + rows[:7])
    assert ds.cache_files and not plain.cache_files
    assert ds.to_dict() == plain.to_dict()
    from plurality_nb.data.saving import save_comparisons

    for kind in (".parquet", ".jsonl.gz", ".csv"):
        assert (
            load_comparisons(save_comparisons(ds, tmp_path / f"x{kind}")).to_dict()
            == plain.to_dict()
        )


def test_parts_are_the_same_whatever_else_is_loaded():
    rows = [dict(prompt=f"{i // 2}?", response_a="x", response_b=f"{i}") for i in range(600)]
    parts = {p: load_comparisons(rows, part=p)["group"][:] for p in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == 600 and 0.7 < len(parts["train"]) / 600 < 0.9
    assert set(load_comparisons(rows[:100], part="test")["group"]) <= set(parts["test"])
    assert set(load_comparisons(rows, part="test", seed=1)["group"]) != set(parts["test"])


def test_limit_is_a_reproducible_draw():
    def draw(seed):
        return load_comparisons("sample", limit=20, seed=seed)["pair_id"][:]

    assert draw(0) == draw(0) != draw(1) and len(draw(0)) == 20


OTHER = {
    "a text": (["x"], "row 0: `row`: want an object with named columns, got 'x'"),
    "null": ([None], "row 0: `row`: want an object with named columns, got None"),
    "a column that is no text": ([{1: 2}], r"`columns`: want those of a known format .*got \[1\]"),
    "a column that is no text, later": ([GOOD, {1: 2}], "row 1: "),
    "one row": (GOOD, r"`data`: want .*got one dict. One row goes into a list, `\[row\]`"),
    "columns": ({c: [x] for c, x in GOOD.items()}, "Dataset.from_dict"),
    "a number": (3, "`data`: want a name, a path, or rows"),
    "bytes": (b"x.jsonl", "`data`: want a name, a path, or rows"),
    "nothing": ([], "want at least one comparison"),
    "an empty table": (pd.DataFrame(GOOD, index=[]), "want at least one comparison"),
    "a long name": ("x" * 5000, "No such file here"),
    "a name that no file has": ("x\0.jsonl", "No such file here"),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_holds_no_rows_is_named(name):
    data, message = OTHER[name]
    with pytest.raises(ContractError, match=message) as e:
        load_comparisons(data)
    assert len(str(e.value)) < 1500
    if name != "a column that is no text, later":
        with pytest.raises(ContractError):
            load_comparisons(data, strict=False)


def test_rows_that_are_none_are_set_aside_wherever_they_stand():
    for rows in (["x", GOOD], [GOOD, "x"], [None, GOOD, 3]):
        ds, account = read_comparisons(rows, strict=False)
        assert len(ds) == 1 and account["rejected"] == {"not an object": len(rows) - 1}


def test_a_data_frame_is_rows():
    table = pd.DataFrame(
        [
            GOOD | dict(human_a=3.0, n=1, words=np.array(["a", "b"])),
            GOOD | dict(response_a="x", n=2),
        ]
    )
    ds = load_comparisons(table)
    assert (
        ds["human_a"][:] == [3, None]
        and ds["n"][:] == [1, 2]
        and ds["words"][:] == [["a", "b"], None]
    )
    with pytest.raises(ContractError, match="row 1: `response_a`: want text, got None"):
        load_comparisons(pd.DataFrame([GOOD, GOOD | dict(response_a=None)]))
    user, yes, no = (
        [dict(role=r, content=c)]
        for r, c in [("user", "Tea?"), ("assistant", "Yes"), ("assistant", "No")]
    )
    for wrap in (list, np.array):
        ds = load_comparisons(
            pd.DataFrame([dict(prompt=wrap(user), chosen=wrap(yes), rejected=wrap(no))] * 2501),
            merge=False,
        )
        assert (
            len(ds) == 2501
            and {ds["response_a"][0], ds["response_b"][0]} == {"Yes", "No"}
            and ds["prompt"][2500] == user
        )
    assert load_comparisons(pd.DataFrame([GOOD | dict(n=pd.NA)]))["n"][:] == [None]


def test_people_that_are_not_there_are_named(tmp_path):
    for people, message in [
        (
            tmp_path / "none.csv",
            "`people`: want a file, or rows, got .*none.csv.*No such file here",
        ),
        ("x" * 5000, "`people`: want a file"),
        ([3], "people: row 0: `people`: want rows with named columns"),
        ([{1: 2}], "`people`: want a column whose name ends in 'id'"),
        (dict(user_id="u"), "`people`: want .*got one dict"),
        (3, "`people`: want"),
    ]:
        with pytest.raises(ContractError, match=message):
            load_comparisons([GOOD], people=people)
    write(tmp_path / "people.csv", "user_id,age,note\nu,18-24,\n")
    rows = [GOOD | dict(ballots=[dict(annotator="u", vote="a")])]
    for people in (
        tmp_path / "people.csv",
        pd.DataFrame([dict(user_id="u", age="18-24", note=None)]),
    ):
        assert load_comparisons(rows, format="comparisons", people=people)["ballots"][0][0][
            "traits"
        ] == [dict(name="age", value="18-24")]


@pytest.mark.parametrize("limit", [0, 2.5, "3"])
def test_a_limit_is_a_whole_number(limit):
    with pytest.raises(ContractError, match="`limit`: want a whole number >= 1"):
        load_comparisons([GOOD], limit=limit)


def test_a_split_of_a_file_is_what_its_column_says(tmp_path):
    rows = [
        GOOD | dict(response_b=str(i), split=s)
        for i, s in enumerate(["train", "val", "valid2", "test", "train"])
    ]
    table = pd.DataFrame(rows)
    table.to_csv(tmp_path / "x.csv", index=False)
    table.to_parquet(tmp_path / "x.parquet")
    write(tmp_path / "x.jsonl.gz", "".join(json.dumps(r) + "\n" for r in rows))
    Dataset.from_list(rows).save_to_disk(tmp_path / "x")
    for data in (
        *(tmp_path / n for n in ("x.csv", "x.parquet", "x.jsonl.gz", "x")),
        rows,
        table,
        Dataset.from_list(rows),
    ):
        for split, kept in [
            (None, "01234"),
            ("train", "04"),
            ("validation", "12"),
            ("valid2", "2"),
            ("test", "3"),
        ]:
            ds, account = read_comparisons(data, split=split)
            assert "".join(ds["response_b"]) == kept and account["left_out"] == (
                {f"not of the split {split!r}": 5 - len(kept)} if split else {}
            )
        with pytest.raises(
            ContractError,
            match=r"`split`: want one of \['train', 'val', 'valid2', 'test'\], got 'bogus'.*--split",
        ):
            load_comparisons(data, split="bogus")
    write(tmp_path / "x.jsonl.gz", json.dumps(GOOD) + "\n")
    for data in (tmp_path / "x.jsonl.gz", [GOOD]):
        for split in ("bogus", "train"):
            with pytest.raises(
                ContractError,
                match=f"`split`: want a column `split` in the rows, or data that has splits, got '{split}'",
            ):
                load_comparisons(data, split=split)
    both = DatasetDict(train=Dataset.from_list(rows[:2]), test=Dataset.from_list(rows[2:]))
    assert len(load_comparisons(both)) == 2 and len(load_comparisons(both, split="test")) == 3
    with pytest.raises(ContractError, match=r"`split`: want one of \['train', 'test'\], got 'dev'"):
        load_comparisons(both, split="dev")


def test_row_numbers_stay_the_files_where_a_split_is_asked_for():
    rows = [
        GOOD | dict(split="train"),
        GOOD | dict(split="test"),
        GOOD | dict(split="train", response_a=3),
    ]
    with pytest.raises(ContractError, match="row 2: `response_a`"):
        load_comparisons(rows, split="train")


def test_conversations_in_a_csv(tmp_path):
    user, yes, no = (
        dict(role=r, content=c)
        for r, c in [
            ("user", "It's {a} } {'b'} \"tea\"?\n"),
            ("assistant", "Yes, it's"),
            ("assistant", 'No "tea"'),
        ]
    )
    forms = [
        dict(prompt=[user], chosen=[yes], rejected=[no]),
        dict(chosen=[user, yes], rejected=[user, no]),
    ]
    want = load_comparisons([forms[0]])
    for spell in (json.dumps, str, lambda talk: str(np.array(talk, dtype=object))):
        for form in forms:
            pd.DataFrame([{c: spell(talk) for c, talk in form.items()}]).to_csv(
                tmp_path / "x.csv", index=False
            )
            ds = load_comparisons(tmp_path / "x.csv")
            assert (ds["pair_id"][:], ds["prompt"][:], ds["label"][:]) == (
                want["pair_id"][:],
                want["prompt"][:],
                want["label"][:],
            )
    pd.DataFrame(
        [
            dict(prompt="Hi", good=json.dumps([yes]), bad=json.dumps([no])),
            dict(prompt="Hi", good="[{'role': 'assistant', 'content': 'x", bad=json.dumps([no])),
        ]
    ).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ContractError, match="row 1: `good`: want a whole conversation as JSON"):
        load_comparisons(tmp_path / "x.csv", columns=dict(chosen="good", rejected="bad"))


def test_a_response_in_a_csv_is_text_whatever_it_looks_like(tmp_path):
    looks = [
        "3",
        "[1, 2]",
        '{"a": 1}',
        "",
        "null",
        "1e5",
        "[{'a': 1}]",
        json.dumps([dict(role="assistant", content="x")]),
    ]
    pd.DataFrame([dict(prompt="3", chosen=x, rejected="No.") for x in looks]).to_csv(
        tmp_path / "trl.csv", index=False
    )
    ds = load_comparisons(tmp_path / "trl.csv")
    assert [r["response_a"] if r["label"] == 1 else r["response_b"] for r in ds] == looks and ds[
        "prompt"
    ][0][0]["content"] == "3"
    pd.DataFrame([dict(prompt="3", response_a=x, response_b=f"{x} ") for x in looks]).to_csv(
        tmp_path / "own.csv", index=False
    )
    assert load_comparisons(tmp_path / "own.csv")["response_a"][:] == looks


def test_numbers_in_a_csv_are_typed_under_the_name_they_are_given(tmp_path):
    path = write(
        tmp_path / "x.csv",
        "prompt,response_a,response_b,va,vb,label,n\nHi,1,2,3,,0.5,7\nHi,a,b,,,,8\n",
    )
    ds = load_comparisons(path, columns=dict(human_a="va", human_b="vb"))
    assert [ds[c][:] for c in ("human_a", "human_b", "label", "n")] == [
        [3, None],
        [0, None],
        [0.5, None],
        ["7", "8"],
    ]
    with pytest.raises(
        ContractError, match=r"`n`: want 1 .A., 0 .B., 0.5 .tie. or null, got 7.0 .float."
    ):
        load_comparisons(path, columns=dict(label="n"))
    with pytest.raises(
        ContractError, match=r"`response_a`: want a whole number >= 0, got 'a' .str."
    ):
        load_comparisons(path, columns=dict(human_a="response_a", response_a="n"))
    assert load_comparisons(path, merge=False, columns=dict(response_a="va"))["response_a"][:] == [
        "3",
        "",
    ]


def test_pandalm(real):
    path = real("pandalm_testset_part.json")
    raw = pd.read_json(path, dtype=False)
    odd = [
        i
        for i, r in raw.iterrows()
        if not (isinstance(r.response1, str) and isinstance(r.response2, str))
    ]
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
    assert sum(merged["human_a"]) + sum(merged["human_b"]) + sum(merged["human_tie"]) == 3 * len(
        good
    )
    key = good.apply(
        lambda r: (r.instruction, r.input, *sorted([r.response1, r.response2])), axis=1
    )
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
            said = "".join(
                f"\n\n{'Human' if t['role'] == 'user' else 'Assistant'}: {t['content']}"
                for t in ds["prompt"][i]
            )
            assert (said + f"\n\nAssistant: {ds[f'response_{side}'][i]}").split() == text.split()
    assert 0.45 < sum(label == 1 for label in ds["label"]) / len(ds) < 0.55


def test_alpaca_eval_and_llmbar(real):
    ds = load_comparisons(real("alpaca_eval_gpt4_turbo_votes.jsonl.gz"))
    raw = pd.read_json(real("alpaca_eval_gpt4_turbo_votes.jsonl.gz"), lines=True)
    assert len(ds) == 2974 and abs(sum(ds["judge_b"]) - (raw.preference - 1).sum()) < 1e-2
    ds = load_comparisons(real("llmbar_judge_votes.jsonl"))
    raw = pd.read_json(real("llmbar_judge_votes.jsonl"), lines=True)
    assert ds["judge_a"][:] == [sum(v["winner"] == "1" for v in votes) for votes in raw.votes]
    assert [label == 1 for label in ds["label"]] == (raw.label == 1).tolist()
