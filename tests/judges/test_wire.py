"What goes over the wire to a chat server, what comes back, and what of it is kept or shown."

import json
import math
from base64 import b64encode

import pytest
from chat_server import ChatServer, letters, reply

from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges.chat import ChatJudge
from plurality_nb.judges.collect import ask_both_orders
from plurality_nb.judges.prompts import Question
from plurality_nb.judges.replies import read_first_token
from plurality_nb.judges.safety import JudgeError, check_address, is_local, without_secrets
from plurality_nb.judges.wire import open_client

KEY = "sk-proj-Zq81_secret-4711"
QUESTION = Question([dict(role="user", content="Tea?")], "Assam.", "Oolong.", 2)


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def answers_of(server, question=QUESTION, **settings):
    judge = ChatJudge("m", base_url=server.url, retries=0, **settings)
    return judge, [answer for _, answers in judge.answers([question]) for answer in answers]


def always(status, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ChatServer(lambda _, handler: handler.send(status, data))


# Which servers are on this machine ------------------------------------------------------------


@pytest.mark.parametrize(
    "host, local",
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.9.8.7", True),
        ("[::1]", True),
        ("127.evil.example", False),
        ("localhost.evil.com", False),
        ("127.0.0.1.nip.io", False),
        ("evil.com#localhost", False),
        ("10.0.0.1", False),
        ("[2001:db8::1]", False),
    ],
)
def test_a_name_like_a_local_one_is_not_local(host, local):
    assert is_local(f"http://{host}/v1") == local


@pytest.mark.parametrize(
    "url, key, warns",
    [
        ("http://gateway.example/v1", KEY, True),
        ("http://127.evil.example/v1", KEY, True),
        ("http://10.0.0.1:8000/v1", KEY, True),
        ("https://gateway.example/v1", KEY, False),
        ("http://127.0.0.1:8000/v1", KEY, False),
        ("http://[::1]:8000/v1", KEY, False),
        ("http://gateway.example/v1", "none", False),
    ],
)
def test_a_key_over_plain_http_is_warned_of(url, key, warns, monkeypatch, caplog):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    open_client(url, 1, 0)
    assert ("unencrypted" in caplog.text) == warns
    assert key not in caplog.text


# Secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2-4711@api.example.com/v1",
        "https://api.example.com/v1?key=hunter2-4711",
        "https://api.example.com/v1?api-version=2&subscription-key=hunter2-4711",
        "https://api.example.com/v1?access_token=hunter2-4711",
        "https://api.example.com/v1#token=hunter2-4711",
        "https://api.example.com/sk-hunter2-4711abcdefghij/v1",
    ],
)
def test_an_address_with_a_key_is_refused_before_anything_is_sent(url, monkeypatch):
    with pytest.raises(ContractError, match="set OPENAI_API_KEY instead") as e:
        ChatJudge("m", base_url=url)
    assert "hunter2" not in str(e.value)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(ContractError, match="set OPENAI_API_KEY instead"):
        ChatJudge("m").ask([QUESTION])


def test_an_address_without_a_key_may_have_fields():
    check_address("https://me.openai.azure.com/openai/deployments/m?api-version=2024-10-21")
    check_address("https://gateway.example/v1/0123456789abcdef0123456789abcdef/api-gateway/openai")


def test_a_key_in_extra_is_sent_and_nowhere_else(command_line, tmp_path):
    def repeats_the_key(body, handler):
        text = f"A\n\n{body['api_key']}" if body["seed"] % 2 else "B"
        if body["seed"] == 2:
            return handler.send(400, dict(error=f"maximum context length, said {body['api_key']}"))
        return reply(text)

    data, out, store = (tmp_path / name for name in ("p.jsonl", "v.jsonl", "s.sqlite"))
    data.write_text(json.dumps(dict(prompt="Tea?", response_a="Assam.", response_b="Oolong.")))
    extra = json.dumps(dict(api_key=KEY, metadata=dict(Authorization=f"Bearer {KEY}")))
    with ChatServer(repeats_the_key) as server:
        judge = ["--judge", "chat:m", "--base-url", server.url, "--server-seed", "1"]
        code, stdout, stderr = command_line(
            "vote", data, *judge, "--extra", extra, "--votes", "6", "--out", out, "--store", store
        )
    assert code == 0, stderr
    assert server.bodies[0]["api_key"] == KEY
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert KEY.encode() not in kept and b"***" in kept
    assert KEY not in stdout + stderr


def test_another_key_is_no_other_judge():
    judges = [ChatJudge("m", extra=dict(api_key=key, top_k=5)) for key in (KEY, KEY[::-1])]
    assert judges[0].identity() == judges[1].identity()
    assert judges[0].identity()["extra"] == dict(api_key="***", top_k=5)


@pytest.mark.parametrize("before", ["", "a", "ab", "Bearer "])
def test_a_key_is_masked_in_base64_wherever_it_begins(before):
    encoded = b64encode(f"{before}{KEY} and more".encode()).decode()
    masked = without_secrets(encoded, [KEY])
    assert "***" in masked and len(masked) < len(encoded) - len(KEY)


def test_placeholders_are_words_like_others(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ChatServer(lambda body, handler: reply("None is worse: A")) as server:
        _, answers = answers_of(server, votes_per_request=1)
    assert answers[0].raw == "None is worse: A"


# Redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_texts_follow_no_redirect_to_another_server(status, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServer() as other:
        place = f"{other.url}/chat/completions?key={KEY}"
        moved = ChatServer(lambda body, handler: handler.send(status, b"", Location=place))
        with moved as server, pytest.raises(JudgeError, match="redirects to") as e:
            answers_of(server)
        assert other.bodies == []
        assert other.url in str(e.value) and KEY not in str(e.value)
        assert "--base-url" in str(e.value)


def test_a_redirect_within_the_server_is_followed():
    def moved(body, handler):
        if handler.path == "/v2":
            return letters(body, handler)
        return handler.send(307, b"", Location="/v2")

    with ChatServer(moved) as server:
        _, answers = answers_of(server)
    assert [answer.error for answer in answers] == [None, None]


# What a server says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status, body, said",
    [
        (401, dict(error="invalid key"), "invalid key"),
        (401, dict(detail="Not authenticated"), "Not authenticated"),
        (404, b"404 page not found", "404 page not found"),
        (404, b"<html><title>Not here</title><p>Ask &amp; see</p></html>", "Not here Ask & see"),
        (404, [dict(error=dict(message="models/m is not found"))], "models/m is not found"),
        (
            403,
            dict(error=dict(message="Provider returned error", metadata=dict(raw="no quota"))),
            "Provider returned error; no quota",
        ),
        (401, dict(errors=[dict(code=7, message="first"), "second"]), "first; second"),
        (402, dict(message="top up"), "has no credit left: top up"),
    ],
)
def test_what_a_server_says_is_shown_whole(status, body, said):
    with always(status, body) as server, pytest.raises(JudgeError, match=r"127\.0\.0\.1") as e:
        answers_of(server)
    assert said in str(e.value)


@pytest.mark.parametrize(
    "status, body, said",
    [
        (422, dict(detail=[dict(loc=["body", "top_k"], msg="not permitted")]), "body.top_k: not"),
        (400, dict(message=dict(detail="odd")), "odd"),
        (200, dict(error="busy"), "busy"),
        (200, dict(choices=None, error=dict(message="down", code=503)), "down"),
        (200, b"<!DOCTYPE html><html>Log in</html>", "Log in"),
        (200, b'data: {"a": 1}\n\n', "a stream of events, which was not asked for"),
    ],
)
def test_why_a_question_got_no_answer_is_told(status, body, said):
    with always(status, body) as server:
        _, answers = answers_of(server)
    assert all(said in answer.error and answer.raw is None for answer in answers)


def test_a_long_complaint_is_shown_up_to_a_limit():
    with always(401, dict(error="no " * 5000)) as server, pytest.raises(JudgeError) as e:
        answers_of(server)
    assert 900 < len(str(e.value)) < 1300 and "(14,999 characters)" in str(e.value)


@pytest.mark.parametrize(
    "words", ["zut", "Only one completion choice is allowed", "<html>no</html>"]
)
def test_any_refusal_of_several_answers_is_tried_with_one(words, caplog):
    def one(body, handler):
        return handler.send(400, words.encode()) if "n" in body else reply("A")

    with ChatServer(one) as server:
        judge, answers = answers_of(server)
    assert [answer.first for answer in answers] == [1, 1]
    assert ["n" in body for body in server.bodies] == [True, False, False]
    assert judge.per_request == 1 and judge.server_facts()["changes"]
    assert caplog.text.count("refuses several answers") == 1


def test_one_answer_of_many_that_refuses_the_key_costs_one_question():
    def hiccup(body, handler):
        if len(server.bodies) == 3:
            return handler.send(401, dict(error="who are you?"))
        return letters(body, handler)

    with ChatServer(hiccup) as server:
        judge = ChatJudge("m", base_url=server.url, retries=0, concurrency=1)
        asked = ask_both_orders(load_sample().select(range(4)), judge, 4, progress=False)
    assert (asked.account["asked"], asked.account["unanswered"]) == (14, 2)
    assert "who are you?" in str(asked.account["reasons"])


# A prompt that was cut ------------------------------------------------------------------------

LONG = Question([dict(role="user", content="tea and milk or " * 1500)], "Assam.", "Oolong.", 1)


def count_of(tokens, **details):
    def counted(body, handler):
        usage = dict(prompt_tokens=tokens, completion_tokens=1, prompt_tokens_details=details)
        return reply("A") | dict(usage=usage)

    return counted


@pytest.mark.parametrize(
    "tokens, details, warns, fails",
    [
        (6500, {}, False, False),
        (5000, {}, True, False),
        (2051, {}, True, True),
        (300, dict(cached_tokens=6200), False, False),
        (0, {}, False, False),
        ("many", {}, False, False),
    ],
)
def test_a_prompt_that_was_cut_is_noticed(tokens, details, warns, fails, caplog):
    with ChatServer(count_of(tokens, **details)) as server:
        _, answers = answers_of(server, LONG)
        _, of_short = answers_of(server)
    assert ("cut long prompts" in caplog.text) == warns
    assert bool(answers[0].error) == fails
    if warns:
        assert f"{tokens:,} tokens of about" in caplog.text
    assert not of_short[0].error


def test_a_cut_is_told_once(caplog):
    with ChatServer(count_of(100)) as server:
        judge = ChatJudge("m", base_url=server.url)
        assert judge.ask([LONG] * 3)[:, 3].tolist() == [1, 1, 1]
    assert caplog.text.count("cut long prompts") == 1


# Who answers ----------------------------------------------------------------------------------


def test_a_change_of_the_model_is_told_once(caplog):
    def changing(body, handler):
        name = f"m-{min(len(server.bodies), 4) // 2}"
        return letters(body, handler) | dict(model=name, system_fingerprint=f"fp-{KEY}")

    with ChatServer(changing) as server:
        judge = ChatJudge("m", base_url=server.url, concurrency=1)
        judge.ask([QUESTION] * 6)
    assert judge.server_facts()["model"] == ["m-0", "m-1", "m-2"]
    assert judge.server_facts()["system_fingerprint"] == ["fp-***"]
    assert caplog.text.count("answers with model 'm-1' now, before with 'm-0'") == 1
    assert caplog.text.count("answers with model") == 1


def test_an_alias_is_no_change(caplog):
    with ChatServer(lambda b, h: letters(b, h) | dict(model="m-2026-01-01")) as server:
        judge = ChatJudge("m", base_url=server.url)
        judge.ask([QUESTION] * 3)
    assert judge.server_facts() == dict(model=["m-2026-01-01"]) and not caplog.records


# Probabilities --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "logprobs",
    [
        (0.3, -2),
        (0.7, 0.3),
        (70, 30),
        (-0.1, -0.1),
        (0, 0),
        (1000, -1),
        (-0.2, math.nan),
        (-0.2, math.inf),
        (-0.2, -math.inf),
        (0, -9999),
        (-0.2, None),
        ("-0.2", "-2"),
        (False, -2),
    ],
)
def test_impossible_probabilities_are_no_vote(logprobs):
    top = [dict(token=t, logprob=value) for t, value in zip("AB", logprobs, strict=True)]
    raw = read_first_token(dict(logprobs=dict(content=[dict(token="A", top_logprobs=top)])))
    assert "impossible probabilities" in raw.failure and not raw.text


def test_tokens_with_blanks_before_them_are_added_up():
    masses = {"A": 0.1, " A": 0.2, "▁A": 0.1, "B": 0.2, " B": 0.1, "x": 0.2}
    top = [dict(token=t, logprob=math.log(p)) for t, p in masses.items()]
    logprobs = dict(content=[dict(token="A", top_logprobs=top)])

    def likely(body, handler):
        choice = dict(message=dict(content="A"), finish_reason="stop", logprobs=logprobs)
        return dict(choices=[choice])

    with ChatServer(likely) as server:
        _, answers = answers_of(server, QUESTION._replace(votes=1), mode="likelihood")
    assert answers[0].first == pytest.approx(4 / 7)
