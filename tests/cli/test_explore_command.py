"`plurality explore` as a process: it serves, keeps notes, and ends with Ctrl-C."

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.reports import serving
from plurality_nb.studies import evaluate

# What a shell starts in the background has SIGINT ignored; as a terminal starts it, it is not.
MAIN = """
import signal
from plurality_nb.cli.app import main

signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@pytest.mark.slow(seconds=20)
def test_it_serves_until_ctrl_c(tmp_path):
    save_comparisons(load_sample().select(range(6)), tmp_path / "pairs.jsonl")
    command = [sys.executable, "-c", MAIN, "explore", "pairs.jsonl", "--no-browser"]
    process = subprocess.Popen(
        [*command, "--model", "random"],
        cwd=tmp_path,
        env=os.environ | dict(BROWSER="false"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().strip()
        state = json.load(urllib.request.urlopen(address + "state", timeout=60))
        assert (state["page"]["total"], state["about"]["models"]) == (6, ["random"])
        note = dict(kind="note", n=1, pair_id=state["pair"]["pair_id"], note="why?", tags=[])
        request = urllib.request.Request(
            address + "act", json.dumps(note).encode(), {"Content-Type": "application/json"}
        )
        assert b"kept in pairs.notes.json" in urllib.request.urlopen(request, timeout=60).read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and out == ""
    assert err.splitlines()[-3:] == [
        "notes and tags go to pairs.notes.json",
        "Ctrl-C ends it",
        "ended",
    ]
    assert "why?" in (tmp_path / "pairs.notes.json").read_text()


@pytest.fixture
def at_once(monkeypatch, tmp_path):
    "As if Ctrl-C came at once; the explorations that were served."
    monkeypatch.chdir(tmp_path)
    served = []

    def end(server, *args):
        served.append(server._panel.exploration)
        raise KeyboardInterrupt

    monkeypatch.setattr(serving.ExplorerServer, "serve_forever", end)
    return served


def foreign(path):
    "Three pairs under other names, one of them bad."
    rows = [dict(question=f"why {k}?", one="because", two="no reason", left=k) for k in range(3)]
    path.write_text("\n".join(json.dumps(row) for row in [*rows, dict(question=1)]))


MAPPED = ["--map", "prompt=question,response_a=one,response_b=two,human_a=left"]


def test_foreign_files_are_read_as_by_other_commands(at_once, command_line, tmp_path):
    foreign(tmp_path / "rated.jsonl")
    code, out, err = command_line("explore", "rated.jsonl", *MAPPED, "--no-browser")
    assert code == 0 and out.startswith("http://127.0.0.1:") and "3 pairs kept" in err
    assert at_once[0].ds["response_a"][:] == ["because"] * 3
    code, _, err = command_line("explore", "rated.jsonl", *MAPPED, "--no-browser", "--strict")
    assert code == 1 and "row 3" in err


@pytest.mark.parametrize(
    "wrong, named",
    [
        (["nowhere.jsonl"], "nowhere.jsonl"),
        (["rated.jsonl", "rated.jsonl", "--model", "random"], "--model"),
        (["rated.jsonl", *MAPPED, "--votes", "crowd"], "--votes"),
        (["rated.jsonl", *MAPPED, "--port", "99999"], "--port"),
        (["rated.jsonl", *MAPPED, "--notes", "rated.jsonl"], "--notes"),
        (["rated.jsonl", *MAPPED, "--model", "no-such-folder"], "no-such-folder"),
    ],
)
def test_wrong_use_is_named(at_once, command_line, tmp_path, wrong, named):
    foreign(tmp_path / "rated.jsonl")
    code, out, err = command_line("explore", *wrong, "--no-browser")
    assert code in (1, 2) and named in " ".join(err.split()) and not out and not at_once


def test_a_port_in_use_is_named(at_once, command_line, tmp_path):
    import socket

    foreign(tmp_path / "rated.jsonl")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = command_line("explore", "rated.jsonl", *MAPPED, "--port", port)
    assert code == 1 and f"`--port`: want a free port, got {port}" in err


def test_several_scored_files_are_models(at_once, command_line, tmp_path):
    save_comparisons(load_sample().select(range(6)), tmp_path / "pairs.jsonl")
    for name in ("random", "longer response"):
        code, *_ = command_line(
            "score", "pairs.jsonl", "--model", name, "--out", f"{name[:4]}.parquet"
        )
        assert code == 0
    code, *_ = command_line("explore", "rand.parquet", "long.parquet", "--no-browser")
    assert code == 0
    assert list(at_once[0].facts.predicted) == ["random", "longer response"]


@pytest.mark.parametrize(
    "typed, options",
    [
        ("", {}),
        ("--trust-remote-code", dict(trust_remote_code=True)),
    ],
)
def test_models_are_looked_for_as_they_will_be_read(
    at_once, command_line, tmp_path, monkeypatch, typed, options
):
    "One with code of its own is not refused where that was allowed."
    looked_for = []
    monkeypatch.setattr(
        evaluate, "find_model", lambda name, **how: looked_for.append((name, how)) or name
    )
    save_comparisons(load_sample().select(range(6)), tmp_path / "pairs.jsonl")
    line = f"explore pairs.jsonl --model random --no-browser {typed}"
    assert command_line(*line.split())[0] == 0
    assert looked_for == [("random", options)]
