"""Servers that do wrong, one fault each, and what becomes of the votes.

Each fault meets one of two pairs; the other is answered well. It holds if no vote is invented, none
lost without a reason, nothing ends that should not, the same call afterwards goes on, and the key
that the server repeats is nowhere."""

import gzip
import json
import logging
import math
import os
import socket
import struct
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from chat_server import ChatServer
from common import Trial
from dialects import ServerDialect, answer_text, first_token, is_first_good, reply_in

from plurality_nb.data.build import from_rows
from plurality_nb.data.checks import check_row
from plurality_nb.judges.chat import ChatJudge, JudgeError
from plurality_nb.judges.collect import ask_both_orders

KEY = "sk-proj-Zq81_secret-4711"
WELL = ServerDialect()
TIMEOUT = 0.3


@dataclass
class ServerFault:
    meet: Callable  # body, handler, number of the request: what is sent, as by `ChatServer`
    reads: str  # `all` votes, `none`, or `any` where either is right, but no wrong one
    mode: str = "binary"
    ends: bool = False  # the run, with a `JudgeError`
    retries: int = 0
    is_long: bool = False  # more than a second


FAULTS: dict[str, ServerFault] = {}


def fault(reads: str, **settings):
    "Registers a function as the fault that it is named after."

    def keep(meet: Callable) -> Callable:
        FAULTS[meet.__name__.replace("_", " ")] = ServerFault(meet, reads, **settings)
        return meet

    return keep


def other(body: dict) -> str:
    "The answer that would be wrong."
    return "B" if is_first_good(body) else "A"


def says(message: object, **choice) -> Callable:
    "A reply with a message for each answer; a function makes it of the request."

    def meet(body: dict, handler, number: int) -> dict:
        reply = reply_in(WELL, body)
        for each in reply["choices"]:
            each["message"] = message(body) if callable(message) else message
            each.update(choice)
        return reply

    return meet


def sends(value: object, status: int = 200) -> Callable:
    "A body as it is: bytes, or what JSON can hold."
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda body, handler, number: handler.send(status, data)


def with_reply(**facts) -> Callable:
    return lambda body, handler, number: reply_in(WELL, body) | facts


def add(reads: str, meets: dict[str, Callable], **settings) -> None:
    FAULTS.update({name: ServerFault(meet, reads, **settings) for name, meet in meets.items()})


def content(make: object) -> Callable:
    return lambda body: dict(content=make(body) if callable(make) else make)


encoded = b64encode(f"key: {KEY}".encode()).decode()
thought = dict(type="thinking", thinking=[dict(type="text", text="Response A is better.")])
add(
    "none",
    {
        "content is a number": says(dict(content=5)),
        "content is a bool": says(dict(content=True)),
        "content is an object": says(content(lambda b: dict(text=answer_text(b)))),
        "content is a list of numbers": says(dict(content=[1, 2])),
        "content is thinking alone": says(dict(content=[thought])),
        "content is null": says(dict(content=None)),
        "content is empty": says(dict(content="")),
        "content is white space": says(dict(content=" \n ")),
        "content is a megabyte of prose": says(dict(content="Both have merits. " * 60_000)),
        "reasoning without an answer": says(
            lambda b: dict(content="", reasoning_content=f"The answer is {answer_text(b)}")
        ),
        "reasoning cut off": says(
            dict(content=None, reasoning="Response A is better"), finish_reason="length"
        ),
        "a refusal": says(lambda b: dict(content=answer_text(b), refusal=f"I cannot. {KEY}")),
        "a refusal as a part": says(dict(content=[dict(type="refusal", refusal="No: B")])),
        "a refusal that is no text": says(dict(content="A", refusal=dict(why="B"))),
        "a filtered answer": says(content(answer_text), finish_reason="content_filter"),
        "a call of a tool": says(
            dict(content=None, tool_calls=[dict(id="1", function=dict(name="A", arguments="{}"))])
        ),
        "a call of a function": says(dict(content=None, function_call=dict(name="B"))),
        "message is null": says(None),
        "message is a list": says([dict(content="A")]),
        "message is text": says("A"),
        "an error in a choice": says(dict(content=""), error=dict(message=f"died {KEY}")),
        "choice is null": with_reply(choices=[None, None]),
        "choice is text": with_reply(choices=["A", "B"]),
        "choice is empty": with_reply(choices=[{}, {}]),
        "choices is an object": with_reply(choices=dict(message=dict(content="A"))),
        "choices is text": with_reply(choices="A"),
        "choices is a number": with_reply(choices=2),
        "choices is null": with_reply(choices=None),
        "choices is empty": with_reply(choices=[]),
        "choices are missing": sends(dict(id="x", model="m")),
        "body is null": sends(b"null"),
        "body is a list": sends([dict(message=dict(content="A"))]),
        "body is text": sends("A"),
        "body is a number": sends(1),
        "body is empty": sends(b""),
        "body is a page": sends(b"<!doctype html><html><body>Please log in: A</body></html>"),
        "body is plain text": sends(f"upstream died with {KEY}".encode()),
        "a stream of events": sends(b'data: {"choices":[{"delta":{"content":"A"}}]}\n\n'),
        "half of the JSON": sends(b'{"choices": [{"message": {"content": "A"}'),
        "JSON nested too deep": sends(b"[" * 200_000),
        "usage nested too deep": sends(
            b'{"choices": [{"message": {"content": "A"}}], "usage": '
            + b'{"a":' * 100_000
            + b"1"
            + b"}" * 100_001
        ),
        "a number of 5000 digits": sends(
            b'{"choices": [{"message": {"content": "A"}}], "usage": {"prompt_tokens": '
            + b"9" * 5000
            + b"}}"
        ),
        "bytes that are no text": sends(bytes(range(128, 256)) * 10),
        "an error in status 200": sends(dict(error=dict(message=f"quota {KEY}", code=429))),
        "an error beside null choices": sends(
            dict(id=None, choices=None, error=dict(message="Provider returned error", code=502))
        ),
        "an error that is text": sends(dict(error=f"busy {KEY}")),
        "an error beside an answer": with_reply(error=dict(message="half", code=500)),
        "a detail in status 200": sends(dict(detail=f"no {KEY}")),
        "an object called error": sends(dict(object="error", message="no", code=400)),
        "bad request, in JSON": sends(dict(error=dict(message=f"why? {KEY}")), 400),
        "bad request, in text": sends(f"no {KEY}".encode(), 400),
        "bad request, a page": sends(b"<html><body>Bad request</body></html>", 400),
        "bad request, empty": sends(b"", 400),
        "bad request, nested too deep": sends(b"[" * 200_000, 400),
        "bad request, a list": sends([dict(error=dict(code=400, message="no"))], 400),
        "validation error": sends(
            dict(detail=[dict(loc=["body", "extra_body"], msg="not permitted", input=KEY)]), 422
        ),
        "always complains of the temperature": sends(dict(error="bad temperature"), 400),
        "always complains of n": sends(dict(error="n must be 1"), 400),
        "always complains of the limit": sends(
            dict(error="max_tokens must be at least 1000 and max_completion_tokens too"), 400
        ),
        "complains of the prompt": sends(dict(error=f"maximum context length; {KEY}"), 400),
        "complains of the policy": sends(dict(error=dict(code="content_filter")), 400),
        "moderation": sends(dict(error=dict(message="your input was flagged", code=403)), 403),
        "too large for it": sends(b"request entity too large", 413),
        "a teapot": sends(dict(error="short and stout"), 418),
        "out of order": sends(dict(error=f"oops {KEY}"), 500),
        "overloaded": sends(dict(error=dict(type="overloaded_error")), 529),
        "loading": sends(dict(error=dict(message="Loading model", code=503)), 503),
        "nothing at all": sends(b"", 204),
    },
)
add(
    "all",
    {
        "text in parts": says(content(lambda b: [dict(type="text", text=answer_text(b))])),
        "text after thinking": says(
            content(lambda b: [thought, dict(type="text", text=answer_text(b))])
        ),
        "text as a list of texts": says(content(lambda b: [answer_text(b)])),
        "reasoning that says otherwise": says(
            lambda b: dict(content=answer_text(b), reasoning_content=f"The answer is {other(b)}")
        ),
        "usage beyond 63 bits": with_reply(
            usage=dict(prompt_tokens=2**63, completion_tokens=2**70)
        ),
        "usage below zero": with_reply(usage=dict(prompt_tokens=-5, completion_tokens=-9)),
        "usage in words": with_reply(usage=dict(prompt_tokens="many", completion_tokens="few")),
        "usage is null": with_reply(usage=None),
        "usage is a list": with_reply(usage=[1, 2]),
        "usage is not a number": with_reply(usage=dict(prompt_tokens=math.nan)),
        "usage is infinite": with_reply(usage=dict(completion_tokens=math.inf)),
        "usage of nulls": with_reply(usage=dict(prompt_tokens=None, prompt_tokens_details=[1])),
        "id is an object": with_reply(id=dict(a=1), created="now", object=7),
        "model is a number": with_reply(model=5, system_fingerprint=["x"]),
        "model is a lone surrogate": with_reply(model="m\ud800", system_fingerprint="\udfff"),
        "model is the key": with_reply(model=KEY, system_fingerprint=KEY),
        "finish reason is a number": says(content(answer_text), finish_reason=3),
        "JSON with a byte order mark": lambda b, handler, k: handler.send(
            200, b"\xef\xbb\xbf" + json.dumps(reply_in(WELL, b)).encode()
        ),
        "blank lines before the JSON": lambda b, handler, k: handler.send(
            200, b"\n" * 500 + json.dumps(reply_in(WELL, b)).encode()
        ),
        "more answers than asked": lambda b, handler, k: reply_in(WELL, b | dict(n=9)),
        "fewer answers than asked": lambda b, handler, k: reply_in(WELL, b | dict(n=1)),
        "the model changes": lambda b, handler, k: reply_in(WELL, b) | dict(model=f"m-{k}"),
        "n refused in odd words": lambda b, handler, k: (
            handler.send(400, b"zut") if b.get("n", 1) > 1 else reply_in(WELL, b)
        ),
        "n refused in status 200": lambda b, handler, k: (
            dict(error=dict(message="candidateCount must be 1", code=400))
            if b.get("n", 1) > 1
            else reply_in(WELL, b)
        ),
    },
)
add(
    "any",
    {
        "a lone surrogate": says(content(lambda b: answer_text(b) + "\ud800")),
        "a zero byte": says(content(lambda b: answer_text(b) + "\0")),
        "the key in the answer": says(content(lambda b: f"{answer_text(b)}\n\n{KEY}")),
        "the key in base64": says(content(lambda b: f"{answer_text(b)}\n\n{encoded}")),
        "the key percent-encoded": says(
            content(lambda b: f"{answer_text(b)} {quote(KEY + '/', safe='')}")
        ),
        "bytes that are no text in an answer": lambda b, handler, k: handler.send(
            200,
            json.dumps(reply_in(WELL, b)).encode().replace(b'"content": "', b'"content": "\xff'),
        ),
    },
)


@fault("none")
def longer_than_the_limit(body, handler, number):
    for part in ("status", "headers"):
        if part == "status":
            handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b" " * 2**20)
    handler.wfile.write(json.dumps(reply_in(WELL, body)).encode())
    handler.close_connection = True


@fault("none")
def a_bomb_of_gzip(body, handler, number):
    data = gzip.compress(b" " * (40 * 2**20))
    handler.send(200, data, Content_Encoding="gzip")


@fault("none")
def an_encoding_that_was_not_asked_for(body, handler, number):
    handler.send(200, b"\x1b\x00\x00", Content_Encoding="br")


@fault("none")
def broken_gzip(body, handler, number):
    handler.send(200, b"no gzip at all", Content_Encoding="gzip")


@fault("none")
def length_too_short(body, handler, number):
    handler.send(200, json.dumps(reply_in(WELL, body)).encode(), length=30)
    handler.close_connection = True


@fault("none")
def length_too_long(body, handler, number):
    handler.send(200, b'{"choices": [{"message": {"content": "A"}}]}', length=9000)
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@fault("none")
def reset(body, handler, number):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


@fault("none")
def closed_without_a_word(body, handler, number):
    handler.close_connection = True


@fault("none")
def no_http(body, handler, number):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    handler.close_connection = True


@fault("none")
def an_endless_header(body, handler, number):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000)
    handler.close_connection = True


@fault("none", is_long=True)
def drips_for_ever(body, handler, number):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    end = time.monotonic() + 20 * TIMEOUT
    while time.monotonic() < end:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(TIMEOUT / 6)


@fault("none", is_long=True)
def drips_headers_for_ever(body, handler, number):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    end = time.monotonic() + 20 * TIMEOUT
    while time.monotonic() < end:
        handler.wfile.write(b"X: x\r\n")
        handler.wfile.flush()
        time.sleep(TIMEOUT / 6)


@fault("none")
def says_nothing(body, handler, number):
    time.sleep(2 * TIMEOUT)
    handler.close_connection = True


@fault("all", retries=2, is_long=True)
def rate_limited_once(body, handler, number):
    if number:
        return reply_in(WELL, body)
    return handler.send(429, dict(error=f"slow down {KEY}"), Retry_After="1")


@fault("all", retries=2, is_long=True)
def overloaded_once(body, handler, number):
    return reply_in(WELL, body) if number else handler.send(529, dict(error="overloaded"))


@fault("all", retries=2, is_long=True)
def an_error_in_status_200_once(body, handler, number):
    if number:
        return reply_in(WELL, body)
    return dict(choices=None, error=dict(message="Provider returned error", code=429))


def moved(status: int, place: str) -> Callable:
    return lambda body, handler, number: handler.send(status, b"moved", Location=place)


add(
    "none",
    {
        "moved to another host": moved(307, f"http://127.0.0.2:9/v1?key={KEY}"),
        "moved to another host for good": moved(308, "https://evil.example/v1/chat/completions"),
        "moved, to be fetched": moved(302, "https://evil.example/"),
        "moved nowhere": moved(307, ""),
        "no such model": sends(dict(error=f"no model; {KEY}"), 404),
        "key refused": sends(dict(error=dict(message=f"Incorrect API key: {KEY}")), 401),
        "no credit": sends(dict(error="pay"), 402),
        "forbidden": sends(b"<html>Forbidden</html>", 403),
    },
    ends=True,
)


@fault("all")
def moved_within_itself(body, handler, number):
    if handler.path.endswith("/moved"):
        return reply_in(WELL, body)
    return handler.send(307, b"", Location="/v1/moved")


@fault("none", ends=True)
def moved_in_a_circle(body, handler, number):
    return handler.send(307, b"", Location=handler.path)


def top(*tokens: tuple[object, object]) -> Callable:
    "A reply whose first token has these logarithms; the wrong answer has the first."

    def meet(body: dict, handler, number: int) -> dict:
        names = dict(A=other(body), B=answer_text(body))
        top = [dict(token=names.get(t, t), logprob=value) for t, value in tokens]
        return likely(body, dict(content=[top[0] | dict(top_logprobs=top)]))

    return meet


def likely(body: dict, logprobs: object) -> dict:
    reply = reply_in(WELL, body)
    reply["choices"][0]["logprobs"] = logprobs
    return reply


def logprobs(value: object) -> Callable:
    return lambda body, handler, number: likely(body, value)


add(
    "none",
    {
        "logprobs above zero": top(("A", 0.5), ("B", -1.0)),
        "probabilities, not logarithms": top(("A", 0.9), ("B", 0.1)),
        "percentages": top(("A", 90), ("B", 10)),
        "a mass of 1.81": top(("A", -0.1), ("B", -0.1)),
        "a mass of two": top(("A", 0), ("B", 0)),
        "a logprob of 1000": top(("A", 1000), ("B", -1)),
        "a logprob that is not a number": top(("A", -0.1), ("B", math.nan)),
        "a logprob that is null": top(("A", -0.1), ("B", None)),
        "a logprob of minus infinity": top(("A", -0.1), ("B", -math.inf)),
        "a logprob of -9999": top(("A", 0.0), ("B", -9999.0)),
        "a logprob in words": top(("A", "-0.1"), ("B", "-2")),
        "a logprob that is a bool": top(("A", False), ("B", -2)),
        "a token that is a number": top(("A", -0.1), (5, -3)),
        "the same tokens twice": top(*[("A", -0.4), ("B", -1.2)] * 2),
        "tokens that are no answers": top(("<think>", -0.001), ("x", -9), ("B", -12)),
        "top_logprobs is text": logprobs(dict(content=[dict(token="A", top_logprobs="A")])),
        "top_logprobs is empty": logprobs(dict(content=[dict(token="A", top_logprobs=[])])),
        "top_logprobs of one": top(("A", -0.1)),
        "top_logprobs of numbers": logprobs(dict(content=[dict(token="A", top_logprobs=[1, 2])])),
        "logprobs is null": logprobs(None),
        "logprobs is a list": logprobs([-0.1]),
        "no token": logprobs(dict(content=[])),
        "token is null": logprobs(dict(content=[None])),
    },
    mode="likelihood",
)
add(
    "all",
    {
        "tokens with blanks before them": lambda b, handler, k: likely(b, first_token(b)),
        "a token that is a lone surrogate": lambda b, handler, k: likely(
            b, with_token(first_token(b), "\ud800", -8.0)
        ),
    },
    mode="likelihood",
)


def with_token(logprobs: dict, token: str, value: float) -> dict:
    logprobs["content"][0]["top_logprobs"].append(dict(token=token, logprob=value))
    return logprobs


def ask(url: str, meets: ServerFault, store: Path) -> tuple[dict, list]:
    "Votes on the odd pair and on the plain one."
    rows = [
        dict(prompt=f"{name} question", response_a=f"good {name}", response_b=f"bad {name}")
        for name in ("odd", "plain")
    ]
    judge = ChatJudge(
        "m",
        meets.mode,
        base_url=url,
        concurrency=2,
        retries=meets.retries,
        timeout=TIMEOUT if meets.is_long or "nothing" in store.name else 2.0,
        server_seed=1,
    )
    ds = from_rows([check_row(row) for row in rows])
    asked = ask_both_orders(ds, judge, 4, store=store, progress=False)
    return asked.account | dict(server=judge.server_facts()), asked.votes.sum(1).tolist()


def expected(mode: str, body_reads_all: bool) -> list[float]:
    "Votes for the good response, for the bad one, ties, failures."
    if not body_reads_all:
        return [0, 0, 0, 4]
    good = 4.0 if mode == "binary" else 4 * 0.75 / 0.95
    return [good, 4 - good, 0, 0]


def is_close(got: list[float], want: list[float]) -> bool:
    return all(math.isclose(x, y, abs_tol=1e-3) for x, y in zip(got, want, strict=True))


def wrongs(fault: ServerFault, account: dict, votes: list) -> Iterator[str]:
    "What did not hold, of one run."
    odd, plain = votes
    if not is_close(plain, expected(fault.mode, True)):
        yield f"the plain pair got {plain}"
    outcomes = [expected(fault.mode, reads) for reads in (True, False)]
    allowed = dict(all=outcomes[:1], none=outcomes[1:], any=outcomes)[fault.reads]
    if not any(is_close(odd, want) for want in allowed):
        yield f"the odd pair got {odd}"
    counted = account["stored"] + account["asked"] + account["unanswered"] + account["unasked"]
    if counted != account["wanted"] or account["unasked"]:
        yield f"of {account['wanted']} wanted, {counted} counted"
    n_lost = account["failed"] + account["unanswered"]
    if sum(account["reasons"].values()) != n_lost or (odd[3] > 0) != (n_lost > 0):
        yield f"{n_lost} failed, with reasons {account['reasons']}"


def try_fault(name: str, fault: ServerFault, folder: Path, log: list) -> Iterator[str]:
    "What did not hold."
    store = folder / f"{name}.sqlite"

    def answer(body: dict, handler) -> object:
        if "odd question" not in body["messages"][-1]["content"]:
            if fault.ends:  # answers would show that the server can serve
                time.sleep(0.2)
            return reply_in(WELL, body)
        asked = [b for b in server.bodies if b["messages"] == body["messages"]]
        return fault.meet(body, handler, len(asked) - 1)

    with ChatServer(answer) as server:
        shown = ""
        for _ in range(2):  # the second time as a user would go on
            try:
                account, votes = ask(server.url, fault, store)
            except JudgeError as error:
                shown += str(error)
                if not fault.ends:
                    yield f"ended: {error}"
                break
            shown += repr(account)
            if fault.ends:
                yield "did not end"
            yield from wrongs(fault, account, votes)
    kept = b"".join(path.read_bytes() for path in folder.glob(f"{name}.sqlite*"))
    told = shown + "\n".join(log)
    forms = (KEY, KEY[8:], quote(KEY + "/", safe=""), encoded[6:30])
    if any(form in told or form.encode() in kept for form in forms):
        yield "the key was shown or kept"


class _Listener(logging.Handler):
    def __init__(self, lines: list):
        super().__init__(logging.INFO)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


# One line a group of what once did not hold.
ONCE_FELL = """
a refusal|an error beside an answer|text in parts|text after thinking|a lone surrogate
JSON nested too deep|usage nested too deep|usage beyond 63 bits|usage in words|usage is infinite
moderation|n refused in odd words|n refused in status 200|fewer answers than asked
the key in the answer|the key in base64|the key percent-encoded|model is the key
longer than the limit|moved to another host|moved in a circle|moved within itself
logprobs above zero|probabilities, not logarithms|a mass of 1.81|a logprob of 1000
a logprob of minus infinity|a logprob of -9999|a logprob that is not a number|logprobs is null
the same tokens twice|top_logprobs is empty|tokens with blanks before them
reasoning without an answer|choices is text|body is a page|half of the JSON|key refused
"""


def trials(size: str) -> Iterator[Trial]:
    "At size `small` those that once fell."
    names = list(FAULTS)
    if size == "small":
        names = [name for line in ONCE_FELL.split("\n") if line for name in line.split("|")]
    root = logging.getLogger()
    log: list[str] = []
    listener = _Listener(log)
    before = {name: os.environ.get(name) for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL")}
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.INFO)
    os.environ["OPENAI_API_KEY"] = KEY
    os.environ.pop("OPENAI_BASE_URL", None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                log.clear()
                try:
                    wrong = "; ".join(try_fault(name, FAULTS[name], Path(folder), log))
                except Exception as error:
                    wrong = f"crashed: {type(error).__name__}: {error}"
                yield Trial("servers", name, not wrong, wrong)
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value
