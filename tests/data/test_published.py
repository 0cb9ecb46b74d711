"Authored files in the published schemas of UKPConvArg1, CoBBLEr and WMT 2023, by path and by name."

import json
import tarfile

import pytest

from plurality_nb.data import opening
from plurality_nb.data.catalog import SOURCES
from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.published import mqm_penalty, published_rows
from plurality_nb.errors import ContractError

ARGUMENTS = [
    ("A cat is quiet.", "A cat is proud.", ["a1", "a1", "equal", "a2", "a1"]),
    ("A cat is quiet.", "It catches mice & rats.", ["a2", "equal", "equal", "a2", "a2"]),
]


def argument_pair(first, second, votes, stance="Cats"):
    def argument(text):
        escaped = text.replace("&", "&amp;")
        side = f"<stance>{stance}</stance>" if stance else ""
        return f"<author>somebody</author>{side}<text>{escaped}</text><id>arg1</id>"

    given = "".join(
        f"<mTurkAssignment><turkID>W{i}</turkID><hitID>H</hitID><value>{vote}</value>"
        "<reason>So it is.</reason></mTurkAssignment>"
        for i, vote in enumerate(votes)
    )
    return (
        f"<annotatedArgumentPair><id>x</id><arg1>{argument(first)}</arg1>"
        f"<arg2>{argument(second)}</arg2><debateMetaData><title>Cats or dogs?</title>"
        "<description>Say which.</description><url>http://x</url></debateMetaData>"
        f"<mTurkAssignments>{given}</mTurkAssignments><goldLabel>a1</goldLabel>"
        "</annotatedArgumentPair>"
    )


def write_arguments(path, pairs=ARGUMENTS, **kwargs):
    body = "".join(argument_pair(*pair, **kwargs) for pair in pairs)
    path.write_text(f'<?xml version="1.0"?>\n<list>{body}</list>', encoding="utf-8")
    return path


def counts(ds, who="human"):
    columns = zip(ds[f"{who}_a"][:], ds[f"{who}_b"][:], ds[f"{who}_tie"][:])
    return [tuple(votes) for votes in columns]


def test_arguments_of_a_debate(tmp_path):
    ds = load_comparisons(write_arguments(tmp_path / "cats-or-dogs_cats.xml"))
    assert counts(ds) == [(3, 1, 1), (0, 3, 2)]
    asked = "Cats or dogs?\n\nSay which.\n\nArgue for this side: Cats"
    assert [turn["content"] for turn in ds["prompt"][0]] == [asked]
    assert ds["response_b"][1] == "It catches mice & rats."
    assert [b["annotator"] for b in ds["ballots"][0]] == ["W0", "W1", "W2", "W3", "W4"]
    assert [b["vote"] for b in ds["ballots"][0]] == ["a", "a", "tie", "b", "a"]


def test_a_debate_without_a_side(tmp_path):
    ds = load_comparisons(write_arguments(tmp_path / "x.xml", stance=""))
    assert ds["prompt"][0][0]["content"] == "Cats or dogs?\n\nSay which."


def test_an_unknown_vote_is_a_bad_row(tmp_path):
    path = write_arguments(tmp_path / "x.xml", [*ARGUMENTS, ("x", "y", ["a3"])])
    with pytest.raises(ContractError, match="value"):
        load_comparisons(path)
    ds, account = read_comparisons(path, strict=False)
    assert len(ds) == 2 and account["rejected_rows"] == [2]


@pytest.mark.parametrize("text", ["<list>", "", "no XML", "<list><annotatedArgumentPair>"])
def test_xml_that_is_none(text, tmp_path):
    path = tmp_path / "x.xml"
    path.write_text(text)
    with pytest.raises(ContractError, match=r"x\.xml.*XML of UKPConvArg1"):
        load_comparisons(path)


def test_xml_cut_short_keeps_what_was_whole(tmp_path):
    path = write_arguments(tmp_path / "x.xml")
    path.write_text(path.read_text()[:-40])
    ds, account = read_comparisons(path, strict=False)
    assert len(ds) == 1 and account["rejected"] == {"not XML of UKPConvArg1": 1}


MODELS = ["one", "two", "three"]


def write_rankings(folder):
    "Two instructions, three models, two people and three judges, of whom one lacks a model."
    examples = [
        {
            "instruction": "Name a fruit.",
            "System A": "Pear.",
            "System B": "Plum.",
            "System C": "4.",
        },
        {
            "instruction": "Name a tree.",
            "System A": "Oak.",
            "System B": "Blue.",
            "System C": "Elm.",
        },
    ]
    letters = [
        dict(zip(MODELS, ["System A", "System B", "System C"])),
        dict(zip(MODELS, ["System C", "System A", "System B"])),
    ]
    files = {
        "examples.json": examples,
        "model_annotations/human_annotation_gt_formatted.json": letters,
        "human_annotations/annot_1.json": [
            dict(one=2, two=1, three=0),
            dict(one=1, two=2, three=0),
        ],
        "human_annotations/annot_2.json": [
            dict(one=1, two=2, three=0),
            dict(one=2, two=1, three=0),
        ],
        "human_annotations/annot_1_new.json": [dict(one=0, two=0, three=0)] * 2,
        "model_annotations/nC2_preferences_one.json": [
            dict(one=2, two=1, three=1),
            dict(one=0, two=1),
        ],
        "model_annotations/nC2_preferences_two.json": [dict(one=1, two=1, three=1)],
        "model_annotations/nC2_preferences_gpt4.json": [dict(one=2, two=1, three=0)] * 2,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder


def test_rankings_of_people_and_of_models(tmp_path):
    ds = load_comparisons(write_rankings(tmp_path / "batches"))
    pairs = list(zip(ds["model_a"][:], ds["model_b"][:]))
    assert pairs == [("one", "three"), ("one", "two"), ("three", "two")] * 2
    assert ds["response_a"][3] == "Elm." and ds["response_b"][4] == "Oak."
    assert counts(ds) == [(2, 0, 0), (1, 1, 0), (0, 2, 0), (2, 0, 0), (1, 1, 0), (0, 2, 0)]
    assert [b["annotator"] for b in ds["ballots"][0]] == ["annot_1", "annot_2"]
    # Judge `one` compared no `three` on the second instruction, and `two` judged the first alone.
    assert counts(ds, "judge")[:3] == [(2, 0, 1), (2, 0, 1), (0, 1, 2)]
    assert counts(ds, "judge")[3:] == [(1, 0, 0), (1, 1, 0), (0, 1, 0)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("examples.json", "[{"),
        ("human_annotations/annot_2.json", '{"one": 1}'),
        ("model_annotations/nC2_preferences_two.json", ""),
    ],
)
def test_a_file_of_rankings_that_is_no_list(name, content, tmp_path):
    folder = write_rankings(tmp_path / "batches")
    (folder / name).write_text(content)
    with pytest.raises(ContractError, match="a list in JSON"):
        load_comparisons(folder)


@pytest.mark.parametrize("lost", ["System C", "instruction"])
def test_an_example_that_lacks_something_is_a_bad_row(lost, tmp_path):
    folder = write_rankings(tmp_path / "batches")
    examples = json.loads((folder / "examples.json").read_text())
    del examples[0][lost]
    (folder / "examples.json").write_text(json.dumps(examples))
    ds, account = read_comparisons(folder, strict=False)
    assert len(ds) == 3 and account["rejected_rows"] == [0]


OLD = "system doc doc_id seg_id rater source target category severity comment".split()
NEW = "system doc docSegId globalSegId rater source target category severity metadata".split()
TEXTS = dict(X="Das ist <v>ein</v> Haus.", Y="Dies ist ein Haus.", Z="<v>Unsinn</v>")
ERRORS = [
    ("X", 1, "p", "Style/Awkward", "Minor"),
    ("X", 1, "p", "Fluency/Punctuation", "Minor"),
    ("Y", 1, "p", "No-error", "No-error"),
    ("Z", 1, "p", "Non-translation!", "Major"),
    ("X", 1, "q", "Fluency/Punctuation", "Minor"),
    ("X", 1, "q", "Fluency/Punctuation", "Minor"),
    ("X", 1, "q", "Fluency/Punctuation", "Minor"),
    ("Y", 1, "q", "Fluency/Punctuation", "minor"),
    ("Y", 1, "q", "Fluency/Spelling", "Neutral"),
    ("Y", 1, "q", "Fluency/Punctuation", "Minor"),
    ("Y", 1, "q", "Fluency/Punctuation", "Minor"),
    ("Z", 1, "q", "Accuracy/Addition", "major"),
    ("X", 2, "r", "No-error", "No-error"),
    ("Y", 2, "r", "Accuracy/Omission", "Major"),
]


def write_errors(path, columns=NEW, errors=ERRORS, name="table.tsv"):
    lines = ["\t".join(columns)]
    for system, segment, rater, category, severity in errors:
        source = f'This is "house {segment}.'  # a quotation mark alone is no quotation
        place = ["d", str(segment), str(segment)]
        lines.append(
            "\t".join([system, *place, rater, source, TEXTS[system], category, severity, ""])
        )
    table = path.parent / name
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(table, name)
    table.unlink()
    return path


@pytest.mark.parametrize("columns", [OLD, NEW])
def test_errors_in_translations(columns, tmp_path):
    path = write_errors(tmp_path / "sxs_mqm_generalMT2023_ende.3ratings.tsv.tar.gz", columns)
    ds = load_comparisons(path)
    assert list(zip(ds["model_a"][:], ds["model_b"][:])) == [
        ("X", "Y"),
        ("X", "Z"),
        ("Y", "Z"),
        ("X", "Y"),
    ]
    # p: 1.1, 0 and 25; q: .3, .3 and 5; r: 0 and 5, and no Z
    assert counts(ds) == [(0, 1, 1), (2, 0, 0), (2, 0, 0), (1, 0, 0)]
    assert ds["response_a"][0] == "Das ist ein Haus."
    assert ds["prompt"][0][0]["content"] == 'Translate into German:\n\nThis is "house 1.'
    assert [b["annotator"] for b in ds["ballots"][0]] == ["p", "q"]


def test_a_language_that_no_name_says(tmp_path):
    ds = load_comparisons(write_errors(tmp_path / "errors.tgz"))
    assert ds["prompt"][0][0]["content"].startswith("Translate:\n\n")


@pytest.mark.parametrize(
    ("category", "severity", "penalty"),
    [
        ("Accuracy/Mistranslation", "Major", 5),
        ("Non-translation", "Major", 25),
        ("Fluency/Punctuation", "Major", 5),
        ("Fluency/Punctuation", "Minor", 0.1),
        ("Terminology/Inconsistent", "Minor", 1),
        ("Source issue", "Neutral", 0),
        ("No-error", "", 0),
    ],
)
def test_penalties(category, severity, penalty):
    assert mqm_penalty(category, severity) == penalty


def test_archives_without_a_table_of_errors(tmp_path):
    want = "an archive with a table of errors"
    (tmp_path / "a.tar.gz").write_bytes(b"no archive")
    whole = write_errors(tmp_path / "b.tar.gz").read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(whole[: len(whole) // 2])
    write_errors(tmp_path / "c.tar.gz", name="table.csv")
    write_errors(tmp_path / "d.tar.gz", [*NEW[:4], "who", *NEW[5:]])
    write_errors(tmp_path / "e.tar.gz", ["system", "doc", "x", "y", *NEW[4:]])
    for path in sorted(tmp_path.glob("*.tar.gz")):
        with pytest.raises(ContractError, match=want):
            load_comparisons(path)


def test_a_table_too_large_to_unpack(tmp_path, monkeypatch):
    monkeypatch.setattr("plurality_nb.data.published._MOST_UNPACKED", 100)
    with pytest.raises(ContractError, match=r"bytes in 'table\.tsv'"):
        load_comparisons(write_errors(tmp_path / "x.tar.gz"))


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    "The URLs that were asked for; each gives an authored file of its name."
    urls = []
    rankings = write_rankings(tmp_path / "batches")

    def fetch(url):
        urls.append(url)
        name = url.rpartition("/")[2]
        if name.endswith(".xml"):
            return write_arguments(tmp_path / name)
        if name.endswith(".tar.gz"):
            return write_errors(tmp_path / name)
        path = rankings / url.partition("/batches/")[2]
        return path if path.exists() else rankings / "model_annotations/nC2_preferences_one.json"

    monkeypatch.setattr(opening, "_fetch", fetch)
    return urls


def test_the_three_by_name(fetched):
    ds = load_comparisons("ukpconvarg1:tv-is-better-than-books_tv")
    assert counts(ds) == [(3, 1, 1), (0, 3, 2)] and set(ds["source"]) == {"ukpconvarg1"}
    assert len(fetched) == 1 and fetched[0].endswith("/tv-is-better-than-books_tv.xml")
    ds = load_comparisons("wmt23_sxs_mqm:zhen")
    assert len(ds) == 4 and ds["prompt"][0][0]["content"].startswith("Translate into English:")
    fetched.clear()
    ds = load_comparisons("cobbler")
    assert len(ds) == 6 and max(ds["judge_a"]) > 2
    assert len(fetched) == len(set(fetched)) == 24  # six people, sixteen models, two more


def test_all_debates_at_once(fetched):
    ds, account = read_comparisons("ukpconvarg1")  # the same two pairs in each
    assert len(fetched) == 32 == len(SOURCES["ukpconvarg1"].subsets)
    assert len(ds) == account["kept"] == 2


def test_all_of_them_are_of_one_commit_each():
    for name in ("ukpconvarg1", "cobbler", "wmt23_sxs_mqm"):
        commit = SOURCES[name].files.split("/")[5]
        assert len(commit) == 40 and int(commit, 16)


def test_what_is_read_otherwise(tmp_path):
    (tmp_path / "pairs.jsonl").write_text("")
    assert published_rows(tmp_path / "pairs.jsonl") is None and published_rows(tmp_path) is None
