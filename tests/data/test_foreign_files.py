"Files as spreadsheets and other tools write them, and files that would break a reader."

import gzip
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plurality_nb.data import files
from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.errors import ContractError

HEADER = ["prompt", "response_a", "response_b", "human_a", "human_b"]
CELLS = [
    ["Où est-il?", "Café, là", "Là-bas; ici", "3", "1"],
    ["How?", "yes | no", "a\tb", "1", "2"],
]


def table(separator=",", quote='"'):
    lines = [HEADER, *([f"{quote}{cell}{quote}" for cell in row] for row in CELLS)]
    return "".join(separator.join(line) + "\r\n" for line in lines)


READ = {
    "commas": ("x.csv", table(), "utf-8", {}),
    "semicolons": ("x.csv", table(";"), "utf-8-sig", {}),
    "tabulators": ("x.csv", table("\t"), "utf-8", {}),
    "bars": ("x.csv", table("|"), "utf-8", {}),
    "a .tsv file": ("x.tsv", table("\t"), "utf-8", {}),
    "Excel's sep=": ("x.csv", "sep=;\r\n" + table(";"), "utf-8", {}),
    "UTF-16": ("x.csv", table(), "utf-16", {}),
    "UTF-16 with tabulators": ("x.csv", table("\t"), "utf-16", {}),
    "UTF-32": ("x.csv", table(), "utf-32", {}),
    "Windows": ("x.csv", table(";"), "cp1252", dict(encoding="cp1252")),
    "UTF-16 without its mark": ("x.csv", table(), "utf-16-be", dict(encoding="utf-16-be")),
    "another separator": ("x.csv", table("~"), "utf-8", dict(separator="~")),
    "capitals in the name": ("X.CSV", table(), "utf-8", {}),
    "empty rows at the end": ("x.csv", table() + ",,,,\r\n" * 3 + "\r\n", "utf-8", {}),
    "empty cells after each row": (
        "x.csv",
        table().replace("\r\n", ",,\r\n"),
        "utf-8",
        {},
    ),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("zipped", [False, True])
def test_spreadsheets_are_read(name, zipped, tmp_path):
    file, text, encoding, how = READ[name]
    path = tmp_path / (f"{file}.gz" if zipped else file)
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if zipped else data)
    ds = load_comparisons(path, **how)
    got = [[row["prompt"][0]["content"], *(str(row[c]) for c in HEADER[1:])] for row in ds]
    assert got == CELLS and ds.column_names[-1] == "ballots"


NAMED = {
    "Windows": ("x.csv", table().encode("cp1252"), r"byte 0xf9 after '.*--encoding cp1252"),
    "Windows in JSON": (
        "x.jsonl",
        json.dumps(dict(prompt="Où?"), ensure_ascii=False).encode("cp1252"),
        "--encoding cp1252",
    ),
    "UTF-16 without its mark": ("x.csv", table().encode("utf-16-le"), "--encoding utf-16-le"),
    "an unknown separator": ("x.csv", table("~", "").encode(), "give it: `--separator`"),
    "two separators": ("x.csv", b"a;b;c,d\n1;2;3,4\n", '--separator ";"'),
    "an open quotation mark": (
        "x.csv",
        b'prompt,response_a,response_b\nHi,a,b\nHi,a,"c\nHi,a,d\n' + b"Hi,a,e\n" * 99,
        r"row 1: `row`: want a row of CSV, got unexpected end of data in lines 3 to 103",
    ),
    "a quotation mark in quotation marks": (
        "x.csv",
        b'prompt,response_a,response_b\nHi,"a "x" b",c\n',
        "one inside a quoted cell is written twice",
    ),
    "a header with repeats": ("x.csv", b"prompt,prompt,chosen\n", r"got \['prompt'\] more than"),
    "cells without a name": (
        "x.csv",
        b"prompt,chosen,rejected,,\nHi,a,b,x,\n",
        "a name in the head",
    ),
    "a sheet": ("x.xlsx", b"PK", "Save the sheet as CSV in UTF-8"),
    "two lists": (
        "x.json",
        json.dumps([dict(zip(HEADER, "abc"))] * 2).encode() * 2,
        "after its end there is",
    ),
    "a number": ("x.json", b"3", "a JSON object"),
    "NUL bytes": ("x.jsonl", bytes(300), "a JSON object"),
}


@pytest.mark.parametrize("name", NAMED)
def test_what_cannot_be_read_is_named_with_the_remedy(name, tmp_path):
    file, data, message = NAMED[name]
    (tmp_path / file).write_bytes(data)
    with pytest.raises(ContractError, match=message):
        load_comparisons(tmp_path / file)


def test_encodings_and_separators_that_are_none(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(table())
    for encoding in ("cp99", "hex", "x\0"):
        with pytest.raises(ContractError, match="`encoding`: want the name of one"):
            load_comparisons(path, encoding=encoding)
    for separator in ("", ";;", '"', "\n"):
        with pytest.raises(ContractError, match="`separator`: want one character"):
            load_comparisons(path, separator=separator)


def test_no_text_is_made_of_two_lines(tmp_path):
    good = json.dumps(dict(prompt="Hi", response_a="a", response_b="b"))
    broken = '{"prompt": "Hi", "response_a": "x\n y", "response_b": "z"}'
    (tmp_path / "x.jsonl").write_text(f"{broken}\n{good},{good}\n")
    with pytest.raises(ContractError, match="want a JSON object"):
        load_comparisons(tmp_path / "x.jsonl")


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(files, "_LARGE", 2**22)


def test_files_that_grow_without_bound_are_refused(small_limit, tmp_path):
    row = dict(prompt="Hi", response_a="a" * 10**6, response_b="b")
    text = "".join(json.dumps(row | dict(n=i)) + "\n" for i in range(9))
    csv = "prompt,response_a,response_b\n" + f"Hi,{row['response_a']},b\n" * 9
    for name in ("x.jsonl.gz", "x.json.gz", "x.csv.gz"):
        with gzip.open(tmp_path / name, "wt") as file:
            file.write(text if "json" in name else csv)
        for strict in (True, False):
            with pytest.raises(ContractError, match="--any-size"):
                load_comparisons(tmp_path / name, strict=strict)
    assert len(load_comparisons(tmp_path / "x.jsonl.gz", any_size=True, merge=False)) == 9
    pq.write_table(pa.Table.from_pylist([row] * 9), tmp_path / "x.parquet", compression="zstd")
    with pytest.raises(ContractError, match="grows at most 100 times"):
        load_comparisons(tmp_path / "x.parquet")
    assert len(load_comparisons(tmp_path / "x.parquet", any_size=True)) == 1


def test_texts_that_do_not_repeat_are_of_any_size(small_limit, tmp_path):
    draw = random.Random(0)
    rows = [
        dict(prompt=f"{i}", response_a=draw.randbytes(10**5).hex(), response_b="b")
        for i in range(25)
    ]
    with gzip.open(tmp_path / "x.jsonl.gz", "wt") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    assert len(load_comparisons(tmp_path / "x.jsonl.gz")) == 25


def test_members_of_a_gzip_file_and_their_ends(tmp_path):
    lines = [json.dumps(dict(prompt=f"{i}", response_a="a" * i, response_b="b")) for i in range(9)]
    members = [gzip.compress(f"{line}\n".encode()) for line in lines]
    (tmp_path / "x.jsonl.gz").write_bytes(b"\0\0".join(members))
    assert len(load_comparisons(tmp_path / "x.jsonl.gz")) == 9
    exact = json.dumps(dict(prompt="Hi", response_a="", response_b="b"))
    filler = "a" * (2 * files._BLOCK_SIZE - len(exact))  # the contents fill two pieces exactly
    text = json.dumps(dict(prompt="Hi", response_a=filler, response_b="b"))
    assert len(text) == 2 * files._BLOCK_SIZE
    (tmp_path / "y.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert len(load_comparisons(tmp_path / "y.jsonl.gz")) == 1


def test_values_that_python_cannot_hold_are_bad_rows(tmp_path):
    texts = pa.array([b"good", b"\xff\xfe", b"fine"]).cast(pa.string(), safe=False)
    late = pa.array([0, 2**62, 1], pa.timestamp("us"))
    for column, values in dict(response_a=texts, when=late).items():
        columns = dict(prompt=["Hi"] * 3, response_a=["x", "y", "z"], response_b=["b"] * 3)
        path = tmp_path / "x.parquet"
        pq.write_table(pa.table(columns | {column: values}), path)
        with pytest.raises(ContractError, match="row 1: `row`: want a row of values that Python"):
            load_comparisons(path)
        account = read_comparisons(path, strict=False)[1]
        assert account["rejected_rows"] == [1] and account["kept"] == 2
    repeated = pa.Table.from_arrays([pa.array(["x"])] * 2, ["prompt", "prompt"])
    pq.write_table(repeated, tmp_path / "y.parquet")
    with pytest.raises(ContractError, match=r"got \['prompt'\] more than once"):
        load_comparisons(tmp_path / "y.parquet")


def test_lone_surrogates_and_deep_values_in_own_columns(tmp_path):
    deep = json.loads("[" * 400 + "]" * 400)
    rows = [
        dict(prompt="Hi", response_a="a", response_b="b", odd="\ud800", deep=deep),
        dict(prompt="Ho", response_a="a\0", response_b="b", odd={"\udfff": 1}, deep=None),
    ]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ds = load_comparisons(tmp_path / "x.jsonl")
    assert ds["response_a"][1] == "a\0" and "ud800" in ds["odd"][0]
    rows[1]["response_a"] = "\ud800"
    with pytest.raises(ContractError, match="row 1: `response_a`: want text in UTF-8"):
        load_comparisons(rows)


MISSING = {
    "a file": "none.csv",
    "a file in a folder": "inside/pairs.json",
    "a path without its ending": "inside/pairs",
    "a folder that is none": "outside/pairs.jsonl",
}


@pytest.mark.parametrize("name", MISSING)
def test_a_mistyped_path_is_no_failed_download(name, tmp_path, monkeypatch):
    from plurality_nb.data import opening

    def unreachable(*args, **kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr(opening, "load_dataset", unreachable)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "pairs.jsonl").touch()
    with pytest.raises(ContractError, match=r"want a file or folder, got .*No such file here") as e:
        load_comparisons(MISSING[name])
    assert "Connection" not in str(e.value)
    assert name not in ("a file in a folder", "a path without its ending") or "Is it" in str(
        e.value
    )
    with pytest.raises(ContractError, match=r"got ConnectionError.*No file or folder here"):
        load_comparisons("nobody/nothing")
    with pytest.raises(ContractError, match=r"Is it 'sample'\?"):
        load_comparisons("sampel")


def test_a_folder_that_is_no_data_set_names_its_files(tmp_path):
    (tmp_path / "pairs.jsonl").touch()
    with pytest.raises(ContractError, match=r"Give one of its files: pairs\.jsonl"):
        load_comparisons(tmp_path)


@pytest.mark.parametrize("columns", [[3], {"n": 3}, {"n": {"_type": "No"}}, "x"])
def test_a_broken_note_is_named(columns, tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps(dict(prompt="x", response_a="a", response_b="b")))
    (tmp_path / "x.jsonl.json").write_text(json.dumps(dict(settings={}, columns=columns)))
    with pytest.raises(
        ContractError, match=r"x\.jsonl\.json: `columns`: want the types of a table"
    ):
        load_comparisons(tmp_path / "x.jsonl")
