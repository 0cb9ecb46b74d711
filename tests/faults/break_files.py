"""Files that are broken on purpose: bytes, encodings, dialects of CSV, shapes of JSON, types.

A file of pairs with votes that occur nowhere else is written, changed, and loaded strictly and
leniently. It holds if nothing but the package's own error is raised, which names the file and a row
or a column, and if every vote that is loaded stands in the changed file beside its response."""

import contextlib
import csv
import gzip
import io
import json
import logging
import random
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from common import Trial

from plurality_nb.data.loading import load_comparisons
from plurality_nb.errors import ContractError

ROWS = 5
NEAR = 700  # characters between a response and its votes in one row of any file


def pair(i: int) -> dict:
    "A row of the contract whose texts and votes show its number."
    return dict(
        prompt=f"Question {i}, é?",
        response_a=f'left{i:03} "x", ü;',
        response_b=f"right{i:03} line\nline",
        human_a=11000 + i,
        human_b=22000 + i,
        mood="good",
    )


def say(role: str, text: Any, draw: random.Random) -> dict:
    "A turn in one of the ways to write it."
    ways = [
        dict(role=role, content=text),
        dict(role=role, content=[dict(type="text", text=text)]),
        {"from": "human" if role == "user" else "gpt", "value": text},
    ]
    return draw.choice(ways)


def trl(i: int, draw: random.Random) -> dict:
    "The same pair as TRL has it, in any of its forms."
    p = pair(i)
    votes = dict(margin=p["human_a"], label=draw.choice([True, "x", 1]))
    user = [say("user", p["prompt"], draw)]
    yes, no = say("assistant", p["response_a"], draw), say("assistant", p["response_b"], draw)
    forms = [
        dict(prompt=p["prompt"], chosen=p["response_a"], rejected=p["response_b"]),
        dict(prompt=user, chosen=[yes], rejected=[no]),
        dict(prompt=user, chosen=[*user, yes], rejected=[*user, no]),
        dict(prompt=p["prompt"], chosen=[yes], rejected=[no]),
        dict(chosen=[*user, yes], rejected=[*user, no]),
        dict(system="Be brief, please.", question=p["prompt"], chosen=yes, rejected=no),
    ]
    return draw.choice(forms) | votes


def odd_value(draw: random.Random) -> Any:
    "A value that some column does not expect."
    nested: Any = "x"
    for _ in range(draw.choice([2, 40, 300])):
        nested = [nested] if draw.random() < 0.5 else {"k": nested}
    return draw.choice(
        [
            *(
                None,
                "",
                " ",
                "NaN",
                "Infinity",
                -1,
                0.5,
                1e308,
                2**70,
                True,
                [],
                {},
                [None],
                nested,
            ),
            *(
                "\0",
                "\ud800",
                "A" * 5000,
                [["a"]],
                {"role": "user"},
                "=1+1",
                "[{",
                float("inf"),
                "3",
            ),
        ]
    )


# How a table of rows is changed before it is written.
def change_rows(rows: list[dict], draw: random.Random) -> list[Any]:
    rows = [dict(row) for row in rows]
    for _ in range(draw.randint(1, 3)):
        row = draw.choice(rows)
        column = draw.choice(list(row) or ["x"])
        kind = draw.randrange(6)
        if kind == 0:
            row[column] = odd_value(draw)
        elif kind == 1:
            row.pop(column, None)
        elif kind == 2:
            name = draw.choice([column.upper(), f" {column}", f"{column}\ufeff", "", "source"])
            for other in rows:
                if column in other:
                    other[name] = other.pop(column)
        elif kind == 3:
            name = draw.choice(["group", "seen", "margin", "ballots", "traits", "traits", "mood"])
            row[name] = odd_value(draw)
        elif kind == 4:
            for other in rows:
                other[column] = odd_value(draw)
        else:
            rows.append(draw.choice([{}, {column: 1}, dict(row)]))
    return rows


JUNK = [bytes([code]) for code in b'",\n\r\0\xff\\{];\t'] + [
    *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b"NaN", b"1e999", b"[" * 3000)
]


# How a file's bytes are changed.
def change_bytes(data: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.randint(1, 3)):
        at, to = sorted(draw.randrange(len(data) + 1) for _ in range(2))
        junk = draw.choice([*JUNK, draw.randbytes(3)])
        data = draw.choice(
            [
                data[:at],
                data[:at] + junk + data[at:],
                data[:at] + data[at + 1 :],
                data[:at] + data[to:],
                data[:to] + data[at:],
                data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :],
            ]
        )
    return data


ENCODINGS = ["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "mac-roman"]


def encode(text: str, draw: random.Random) -> bytes:
    return text.encode(draw.choice(ENCODINGS), errors="replace")


def as_csv(rows: list[Any], draw: random.Random) -> bytes:
    file = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    how = dict(
        delimiter=draw.choice(",,,;\t|~"),
        quoting=draw.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
        lineterminator=draw.choice(["\n", "\r\n", "\r"]),
    )
    writer = csv.writer(file, **how)
    writer.writerow(names)
    for row in rows:
        cells = [row.get(name, "") for name in names]
        writer.writerow([json.dumps(c) if isinstance(c, list | dict) else c for c in cells])
    return encode(file.getvalue(), draw)


def as_jsonl(rows: list[Any], draw: random.Random) -> bytes:
    ascii_only = draw.random() < 0.5
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    return encode(draw.choice(["\n", "\r\n", "\n\n"]).join(lines), draw)


def as_json(rows: list[Any], draw: random.Random) -> bytes:
    value = draw.choice([rows, rows, rows, dict(data=rows), [rows]])
    return encode(json.dumps(value, indent=draw.choice([None, 1]), ensure_ascii=False), draw)


def as_parquet(rows: list[Any], draw: random.Random) -> bytes:
    table = pa.Table.from_pylist([row for row in rows if row])
    casts = {
        "human_a": [pa.float64(), pa.string(), pa.decimal128(9, 2), pa.uint8(), pa.timestamp("us")],
        "response_a": [pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string())],
        "mood": [pa.list_(pa.string()), pa.null(), pa.map_(pa.string(), pa.int8())],
    }
    for column, kinds in casts.items():
        if column in table.column_names and draw.random() < 0.5:
            with contextlib.suppress(pa.ArrowException):
                at = table.column_names.index(column)
                values = table[column].cast(draw.choice(kinds), safe=False)
                table = table.set_column(at, column, values)
    if draw.random() < 0.3:
        odd = draw.choice(
            [
                pa.array([b"ok"] * len(table) + [b"\xff"])[1:].cast(pa.string(), safe=False),
                pa.array([2**62] + [0] * (len(table) - 1), pa.timestamp("us")),
            ]
        )
        table = table.append_column("odd", odd)
    if draw.random() < 0.1:
        table = table.append_column(draw.choice(table.column_names), table.column(0))
    file = io.BytesIO()
    pq.write_table(table, file, compression=draw.choice(["none", "snappy", "zstd"]))
    return file.getvalue()


WRITERS: dict[str, Callable] = {
    ".csv": as_csv,
    ".tsv": as_csv,
    ".jsonl": as_jsonl,
    ".json": as_json,
    ".parquet": as_parquet,
}


def broken_file(draw: random.Random) -> tuple[str, str, bytes]:
    "What was done, the file's suffix and its bytes."
    shape = draw.choice([lambda i: pair(i), lambda i: trl(i, draw)])
    rows: list[Any] = [shape(i) for i in range(ROWS)]
    done = draw.choice(["rows", "bytes", "bytes", "both", "dialect"])
    if done in ("rows", "both"):
        rows = change_rows(rows, draw)
    suffix = draw.choice(list(WRITERS))
    try:
        data = WRITERS[suffix](rows, draw)
    except (ValueError, TypeError, OverflowError, RecursionError, pa.ArrowException, csv.Error):
        suffix, data = ".jsonl", as_jsonl(rows, draw)  # the other forms cannot hold such rows
    zips = suffix != ".parquet" and draw.random() < 0.2
    if zips and draw.random() < 0.5:
        data, zips = gzip.compress(data), False
        suffix += ".gz"
    if done in ("bytes", "both"):
        data = change_bytes(data, draw)
    if zips:
        data, suffix = gzip.compress(data), f"{suffix}.gz"
    return done, suffix, data


def decoded(data: bytes, suffix: str) -> list[str]:
    "What the file may say, in each encoding."
    if suffix.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, ValueError):
            return []
    texts = [data.decode(name, errors="replace") for name in ("utf-8", "utf-16", "utf-32")]
    return [re.sub(r'"+k"+: |[\[\]{}]|(.)\1{20,}', "", text) for text in texts]  # long junk


def stands_in(texts: list[str], marker: str, vote: int) -> bool:
    "Whether a vote is near a response in the file."
    number = re.compile(rf"(?<!\d){vote}(\.0+)?(?!\d)|{vote:e}"[:200])
    for text in texts:
        for found in re.finditer(re.escape(marker), text):
            if number.search(text[max(0, found.start() - NEAR) : found.end() + NEAR]):
                return True
    return False


def invented(ds: Any, data: bytes, suffix: str) -> str:
    "A vote that was loaded and does not stand in the file; empty where all do."
    texts = decoded(data, suffix)
    if suffix == ".parquet" or not texts:  # its values are compressed, and have no neighbours
        return ""
    for row in ds:
        marker = re.search(r"left\d{3}", row["response_a"] + row["response_b"])
        texts_of_row = row["response_a"] + row["response_b"]
        if re.search(r"(?<!\d)(11|22)00\d(?!\d)", texts_of_row):
            return f"a whole row as text: {texts_of_row[:80]!r}"
        for vote in (row["human_a"], row["human_b"], row["margin"]):
            if vote and marker and not stands_in(texts, marker[0], int(vote)):
                return f"{vote} votes for {marker[0]}"
    return ""


def misread(ds: Any) -> str:
    "What is wrong with rows of a file whose contents were not changed; empty where nothing is."
    for row in ds:
        number = re.search(r"left(\d{3})", row["response_a"] + row["response_b"])
        questions = [turn["content"] for turn in row["prompt"] if turn["role"] == "user"]
        if not number or questions != [f"Question {int(number[1])}, é?"]:
            return f"{row['prompt']} for {row['response_a']!r}"
    return "" if len(ds) == ROWS else f"{len(ds)} rows"


NAMES_A_PLACE = re.compile(r"row \d+|`[^`]+`: want")


def trial(seed: int, folder: Path) -> Trial:
    draw = random.Random(seed)
    done, suffix, data = broken_file(draw)
    path = folder / f"broken{suffix}"
    path.write_bytes(data)
    name = f"{done} of {suffix}, seed {seed}"
    for strict in (True, False):
        try:
            ds = load_comparisons(path, strict=strict, merge=False)
        except ContractError as error:
            if path.name not in str(error) or not NAMES_A_PLACE.search(str(error)):
                return Trial("files", name, False, f"names no place: {str(error)[:200]}")
        except Exception as error:  # whatever else is raised is a fault
            return Trial("files", name, False, f"{type(error).__name__}: {str(error)[:200]}")
        else:
            found = invented(ds, data, suffix)
            if done == "dialect" and not found and strict:
                found = misread(ds)
            if found or path.read_bytes() != data:
                return Trial("files", name, False, f"invented: {found}")
    return Trial("files", name, True)


def trials(size: str) -> Iterator[Trial]:
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(150 if size == "small" else 6000):
                yield trial(seed, Path(folder))
    finally:
        logging.disable(logging.NOTSET)
