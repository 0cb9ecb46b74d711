"Chat judges against a real server, and against one that does everything wrong."

import json
import logging
import math
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from chat_server import ChatServer, name_of, reply

from plurality_nb.data.build import from_rows
from plurality_nb.data.checks import check_row
from plurality_nb.data.sample import load_sample
from plurality_nb.judges.chat import ChatJudge, JudgeError
from plurality_nb.judges.collect import ask_both_orders
from plurality_nb.judges.prompts import Question

KEY = "sk-proj-Zq81_secret-4711"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    "Base URL of llama.cpp's server with a small random model."
    pytest.importorskip("xllamacpp", reason="llama.cpp's server is not installed (xllamacpp)")
    folder = tmp_path_factory.mktemp("llama")
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).parents[1] / "llama_server.py", folder],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), (folder / "log").read_text()[-2000:]
            yield f"{url}/v1"
        finally:
            process.kill()


def test_a_real_server_answers_in_all_three_modes(llama, tmp_path, caplog):
    ds = load_sample().select(range(4))
    judge = ChatJudge("random", base_url=llama, concurrency=4, reply_tokens=8)
    came = ask_both_orders(ds, judge, 10, store=tmp_path / "v.sqlite", progress=False)
    assert came.account["asked"] == came.account["wanted"] == 40 and came.account["unanswered"] == 0
    assert np.all(came.votes.sum((1, 2)) == 10) and came.votes[:, :, :2].sum() > 20
    # This server takes at most four, ten votes want five.
    assert "refuses several answers a request" in caplog.text
    again = ask_both_orders(ds, judge, 10, store=tmp_path / "v.sqlite", progress=False)
    assert (
        again.account["stored"] == 40
        and again.account["asked"] == 0
        and np.array_equal(again.votes, came.votes)
    )
    wide = ChatJudge("random", base_url=llama, votes_per_request=4, reply_tokens=8)
    assert (
        ask_both_orders(ds, wide, 8, progress=False).account["asked"] == 32
        and wide.per_request == 4
    )

    crowd = ChatJudge(
        "random",
        "crowd",
        base_url=llama,
        extra=dict(grammar='root ::= "A=" ("7 B=3 tie=0" | "4 B=5 tie=1")'),
    )
    came = ask_both_orders(ds, crowd, 10, progress=False)
    assert came.account["asked"] == 8 and came.account["failed"] == 0
    assert {tuple(v) for v in came.votes[:, 0, :3]} <= {(3.5, 1.5, 0.0), (2.0, 2.5, 0.5)}


def test_likelihoods_are_the_servers_own(llama):
    ds = load_sample().select(range(3))
    judge = ChatJudge("random", "likelihood", base_url=llama)
    votes = ask_both_orders(ds, judge, 2, progress=False).votes
    for row, (p, a, b) in enumerate(zip(ds["prompt"], ds["response_a"], ds["response_b"])):
        for order, sides in enumerate([(a, b), (b, a)]):
            body = dict(
                model="random",
                messages=judge.asking.messages(Question(p, *sides)),
                max_tokens=1,
                logprobs=True,
                top_logprobs=40,
            )
            request = urllib.request.Request(
                f"{llama}/chat/completions",
                json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )
            top = json.load(urllib.request.urlopen(request, timeout=60))["choices"][0]["logprobs"][
                "content"
            ][0]["top_logprobs"]
            p_of = {t["token"]: math.exp(t["logprob"]) for t in top}
            first = p_of["A"] / (p_of["A"] + p_of["B"])
            assert votes[row, order, order] == pytest.approx(first, abs=2e-3)


TIMEOUT = 3  # seconds, after which the judge gives up waiting
FAULTS = {}


def fault(first=0, last=0, failed=0, unanswered=0):
    "Registers what a question named after the function meets, and what must come of it."

    def keep(meet):
        FAULTS[meet.__name__] = meet, (first, last, failed, unanswered)
        return meet

    return keep


@fault(first=1)
def patience(attempt, handler):
    return (
        handler.send(429, dict(error=dict(message="slow down")), Retry_After="1")
        if attempt == 0
        else reply("A")
    )


@fault(last=1)
def stumbles(attempt, handler):
    return (
        handler.send(500 + 3 * attempt, dict(error=dict(message="oops")))
        if attempt < 2
        else reply("B")
    )


@fault(first=1)
def hangs(attempt, handler):
    return time.sleep(TIMEOUT + 2) if attempt == 0 else reply("A")


@fault(last=1)
def resets(attempt, handler):
    if attempt:
        return reply("B")
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


@fault(first=1)
def breaks_off(attempt, handler):
    if attempt:
        return reply("A")
    handler.send(200, b'{"choices": [{"message": {"content": "B"}}, {"mess', length=5000)
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@fault(last=1)
def half_json(attempt, handler):
    return (
        handler.send(200, b'{"choices": [{"message": {"content": "A"}')
        if attempt == 0
        else reply("B")
    )


@fault(unanswered=1)
def no_choices(attempt, handler):
    return dict(choices=[])


@fault(unanswered=1)
def always_down(attempt, handler):
    return handler.send(503, dict(error="down"))


@fault(unanswered=1)
def error_as_answer(attempt, handler):
    return dict(error=dict(message="quota", code=429))


@fault(failed=1)
def refusal(attempt, handler):
    return dict(
        choices=[
            dict(
                message=dict(content=None, refusal="I cannot compare these."), finish_reason="stop"
            )
        ]
    )


@fault(failed=1)
def filtered(attempt, handler):
    return dict(choices=[dict(message=dict(content="A"), finish_reason="content_filter")])


@fault(failed=1)
def nothing_said(attempt, handler):
    return reply(None)


@fault(failed=1)
def prose(attempt, handler):
    return reply("Both responses have their merits, and I would not want to choose.")


@fault(failed=1)
def too_long(attempt, handler):
    return handler.send(
        400,
        dict(
            error=dict(
                message="This model's maximum context length is 10 tokens",
                code="context_length_exceeded",
            )
        ),
    )


@fault(last=1)
def prose_with_a_verdict(attempt, handler):
    return reply("Response A says \"Answer: A\", which is odd. Therefore, Response B is better.")


@fault(first=1)
def thinks(attempt, handler):
    return reply("<think>Response B is better. No, wait.</think>\n\n**A**")


def test_no_vote_is_lost_and_none_invented(tmp_path):
    seen = Counter()

    def answer(body, handler):
        name = re.search(r"^\| fault (\w+)$", body["messages"][-1]["content"], re.M)[1]
        seen[name] += 1
        meet, _ = FAULTS[name]
        return meet(seen[name] - 1, handler)

    rows = [dict(prompt=f"fault {name}", response_a="same", response_b="same") for name in FAULTS]
    ds = from_rows([check_row(row) for row in rows])  # responses that are the same are asked once
    with ChatServer(answer) as server:

        def ask(**settings):
            judge = ChatJudge(
                "m",
                base_url=server.url,
                concurrency=len(FAULTS),
                timeout=TIMEOUT,
                retries=3,
                votes_per_request=1,
            )
            store = tmp_path / "v.sqlite"
            return ask_both_orders(ds, judge, 2, store=store, progress=False, **settings)

        def asked_since(before):
            return {name for name in seen if seen[name] != before[name]}

        came = ask()
        for row, (name, (_, want)) in enumerate(FAULTS.items()):
            first, last, failed, unanswered = want
            assert came.votes[row, 0].tolist() == [first, last, 0, failed + unanswered], name
        want = np.array([w for _, w in FAULTS.values()]).sum(0)
        account = came.account
        assert account["asked"] == len(FAULTS) - want[3]
        assert account["failed"] == want[2]
        assert account["unanswered"] == want[3]
        assert account["unasked"] == 0
        (patient,) = {
            name_of(body)
            for body in server.bodies
            if "fault patience" in body["messages"][-1]["content"]
        }
        first, second = (moment for name, moment in server.times if name == patient)
        # As `Retry-After` said; the client's own first pause is under half a second.
        assert second - first > 0.95

        before = dict(seen)  # started again: only what got no answer is asked
        again = ask()
        assert asked_since(before) == {name for name, (_, w) in FAULTS.items() if w[3]}
        assert again.account["stored"] == account["asked"]
        assert np.array_equal(again.votes, came.votes)
        before = dict(seen)  # and with `retry_failed` the failed ones as well
        ask(retry_failed=True)
        assert asked_since(before) == {name for name, (_, w) in FAULTS.items() if w[2] or w[3]}


@pytest.mark.parametrize(
    "status, error, message",
    [
        (
            401,
            dict(message=f"Incorrect API key provided: {KEY}"),
            "refuses the key in OPENAI_API_KEY",
        ),
        (404, dict(message="no such model"), "has no model 'm'"),
        (
            429,
            dict(message="You exceeded your current quota", code="insufficient_quota"),
            "has no credit left",
        ),
    ],
)
def test_a_server_that_can_serve_nothing_ends_the_run(
    status, error, message, monkeypatch, tmp_path, caplog
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with (
        ChatServer(
            lambda body, h: h.send(status, dict(error=error), x_should_retry="false")
        ) as server,
        pytest.raises(JudgeError, match=message) as e,
    ):
        ask_both_orders(
            load_sample().select(range(9)),
            ChatJudge("m", base_url=server.url, concurrency=2),
            4,
            store=tmp_path / "v.sqlite",
            progress=False,
        )
    assert len(server.bodies) <= 4 and "0 answers of this run are kept" in str(e.value)
    assert KEY not in str(e.value) and KEY[8:] not in str(e.value)


def test_the_key_is_sent_and_nowhere_else(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.INFO)
    complaint = dict(error=dict(message=f"maximum context length, and by the way {KEY}"))
    with ChatServer(lambda body, handler: handler.send(400, complaint)) as server:
        judge = ChatJudge("m", base_url=server.url)
        came = ask_both_orders(
            load_sample().select(range(2)), judge, 4, store=tmp_path / "v.sqlite", progress=False
        )
    assert came.account["failed"] == came.account["asked"] == 8
    kept = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert server.keys == {f"Bearer {KEY}"} and "HTTP Request" in caplog.text
    told = f"{judge!r}{judge.identity()}{judge.host}{came.account}{caplog.text}"
    assert KEY.encode() not in kept and KEY not in told and KEY[8:] not in told
    assert b"127.0.0.1" in kept  # the host is a note


def test_servers_that_cannot_do_what_is_asked_are_named(caplog):
    questions = [Question([dict(role="user", content="Tea?")], "Assam.", "Oolong.", 3)]
    with (
        ChatServer() as server,
        pytest.raises(JudgeError, match=r"127.0.0.1:\d+ ignores `logprobs`.*'binary' or 'crowd'"),
    ):
        # One answer without probabilities may be odd; three, and none with them, are the server's way.
        ChatJudge("m", "likelihood", base_url=server.url).ask(questions * 3)
    with ChatServer(lambda body, h: reply("A")) as server:
        assert ChatJudge("m", base_url=server.url).ask(questions)[0].sum() == 3
    assert "ignores several answers a request (`n`)" in caplog.text

    def wants_a_newer_field(body, handler):
        if "max_tokens" not in body:
            return reply(*"AAA")
        wanted = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return handler.send(400, dict(error=dict(message=wanted)))

    with ChatServer(wants_a_newer_field) as server:
        assert ChatJudge("m", base_url=server.url).ask(questions).tolist() == [[3, 0, 0, 0]]
        assert "max_completion_tokens" in server.bodies[-1] and len(server.bodies) == 2


def test_a_server_that_is_gone_ends_the_run_soon(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    judge = ChatJudge("m", base_url=f"http://127.0.0.1:{port}/v1", retries=0, concurrency=2)
    with pytest.raises(
        JudgeError, match=r"\d+ questions in a row got no answer.*no connection.*kept in"
    ):
        ask_both_orders(load_sample(), judge, 4, store=tmp_path / "v.sqlite", progress=False)


def test_a_client_of_ones_own(monkeypatch):
    openai = pytest.importorskip("openai")
    with ChatServer() as server:
        judge = ChatJudge("m", client=lambda: openai.AsyncOpenAI(base_url=server.url, api_key=KEY))
        questions = [
            Question([dict(role="user", content="Tea?")], "Assam.", f"Oolong {i}.")
            for i in range(20)
        ]
        # Each call has an event loop of its own.
        assert judge.ask(questions).tolist() == judge.ask(questions).tolist()
        assert judge.host == server.url.split("/")[2]
        assert KEY not in f"{judge!r}{judge.identity()}"
        assert server.keys == {f"Bearer {KEY}"}
