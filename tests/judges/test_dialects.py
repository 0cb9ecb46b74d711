"The command line against servers of thirteen dialects: every vote is read or told, none invented."

import json

import pytest
from dialects import DIALECTS, dialect_server

from plurality_nb.judges.dialects import Dialect, complaint_rules, concerns_one_question
from plurality_nb.judges.wire import Complaint, read_complaint

PAIRS = [
    dict(prompt=f"Tea number {i}?", response_a=f"{a} tea", response_b=f"{b} milk")
    for i, (a, b) in enumerate([("good", "bad"), ("bad", "good"), ("good", "bad")])
]
# Of an answer in each mode, and of ten votes, for the good response and for the other.
SHARES = dict(binary=(1.0, 0.0), crowd=(0.7, 0.2), likelihood=(0.75 / 0.95, 0.2 / 0.95))


def vote(command_line, tmp_path, server, *options):
    data, out = tmp_path / "pairs.jsonl", tmp_path / "voted.jsonl"
    data.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    judge = ["--judge", "chat:m", "--base-url", server.url, "--votes", "10", "--server-seed", "1"]
    code, stdout, stderr = command_line(
        "vote", data, *judge, "--out", out, "--json", "--concurrency", "2", *options
    )
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    return code, json.loads(stdout) if stdout.strip() else {}, rows, stderr


def check_votes(command_line, tmp_path, name, mode):
    with dialect_server(name) as server:
        code, account, rows, stderr = vote(command_line, tmp_path, server, "--mode", mode)
    if mode == "likelihood" and not DIALECTS[name].gives_logprobs:
        assert code == 1 and "logprobs" in stderr and "'binary' or 'crowd'" in stderr
        assert not rows
        return
    assert code == 0, stderr
    assert account["asked"] == account["wanted"] and account["unasked"] == 0
    assert account["failed"] == account["unanswered"] == 0, account
    good, bad = SHARES[mode]
    for pair, row in zip(PAIRS, rows, strict=True):
        first, second = ("a", "b") if pair["response_a"].startswith("good") else ("b", "a")
        assert row[f"judge_{first}"] == pytest.approx(10 * good)
        assert row[f"judge_{second}"] == pytest.approx(10 * bad)
    told = [line for line in stderr.splitlines() if "127.0.0.1" in line]
    assert len(told) == len(set(told)) <= 4, told  # each change once


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_vote_is_read_in_every_dialect(name, command_line, tmp_path):
    check_votes(command_line, tmp_path, name, "binary")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["crowd", "likelihood"])
@pytest.mark.parametrize("name", DIALECTS)
def test_every_vote_is_read_in_every_mode(name, mode, command_line, tmp_path):
    check_votes(command_line, tmp_path, name, mode)


@pytest.mark.parametrize("rule", complaint_rules(), ids=lambda rule: rule.example[:40])
def test_every_rule_reads_its_example(rule):
    assert rule.pattern.search(rule.example)
    assert callable(getattr(Dialect(), f"_{rule.change}"))


REQUEST = dict(
    model="m",
    messages=[dict(role="system", content="Be brief."), dict(role="user", content="Tea?")],
    temperature=0.0,
    seed=3,
    n=10,
    max_tokens=512,
    logprobs=True,
    top_logprobs=20,
)
COMPLAINTS = {  # body of a complaint: what of the request is another then
    "Unknown parameter: 'temperature'.": dict(temperature=None),
    "temperature is deprecated for this model": dict(temperature=None),
    "`temperature` may only be set to 1 when thinking is enabled": dict(temperature=None),
    "temperature must be > 0": dict(temperature=0.01),
    "n must be 1 when using greedy sampling, got 10.": dict(n=None),
    "Multiple candidates is not enabled for this model": dict(n=None),
    "Only one candidate can be specified": dict(n=None),
    "n: Input should be less than or equal to 4": dict(n=4),
    "Invalid 'n': integer above maximum value. Expected a value <= 8, but got 10.": dict(n=8),
    "Value of top_logprobs must be at most 8": dict(top_logprobs=8),
    "top_logprobs: Input should be less than or equal to 11": dict(top_logprobs=11),
    "max_tokens must be at least 600": dict(max_tokens=600),
    "max_tokens is too large: 512. This model supports at most 256 completion tokens": dict(
        max_tokens=256
    ),
    "Unknown parameter: max_tokens": dict(max_tokens=None, max_completion_tokens=512),
    "Argument not supported: seed": dict(seed=None),
    "System role not supported": dict(
        messages=[dict(role="user", content="Be brief.\n\nTea?")],
    ),
    "Developer instruction is not enabled for models/gemma-3": dict(
        messages=[dict(role="user", content="Be brief.\n\nTea?")],
    ),
}


@pytest.mark.parametrize("message", COMPLAINTS)
def test_what_a_server_complains_of_is_changed_once(message, caplog):
    dialect = Dialect("api.example.com")
    sent = dialect.adapted(REQUEST)
    complaint = read_complaint(400, json.dumps(dict(error=dict(message=message))))
    assert dialect.learn(complaint, sent)
    want = {k: v for k, v in (REQUEST | COMPLAINTS[message]).items() if v is not None}
    assert dialect.adapted(REQUEST) == want
    assert len(caplog.records) == len(dialect.changes) == 1
    # Where it says the same again, the field is left out at most: there is an end.
    assert sum(dialect.learn(complaint, dialect.adapted(REQUEST)) for _ in range(9)) <= 1


@pytest.mark.parametrize(
    "message",
    [
        "'max_tokens' or 'max_completion_tokens' is too large: 512. This model's maximum context "
        "length is 4096 tokens and your request has 3900 input tokens",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "the request exceeds the available context size (4096 tokens), try increasing it",
        "Your chosen model requires moderation and your input was flagged",
    ],
)
def test_what_is_said_of_one_question_changes_nothing(message):
    assert concerns_one_question(Complaint(400, message, message))
