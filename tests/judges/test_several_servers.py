"Several servers with one model: who is asked, and what happens where one fails."

from collections import Counter

import numpy as np
import pytest
from chat_server import ChatServer, letters

from plurality_nb.data.arrow import take
from plurality_nb.data.sample import load_sample
from plurality_nb.judges.chat import ChatJudge, JudgeError
from plurality_nb.judges.collect import ask_both_orders, ordered_pairs


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pairs():
    return load_sample().select(range(12))


def busy(body, handler):
    handler.send(503, dict(error=dict(message="overloaded")))


def ask(pairs, *urls, **settings):
    judge = ChatJudge("m", base_url=urls, **dict(retries=0) | settings)
    return ask_both_orders(pairs, judge, 4, progress=False)


def test_the_votes_are_those_of_one_server(pairs):
    with ChatServer(letters) as first, ChatServer(letters) as second:
        of_one = ask(pairs, first.url)
        n_of_one = len(first.bodies)
        of_two = ask(pairs, first.url, second.url)
        shares = [len(first.bodies) - n_of_one, len(second.bodies)]
    assert np.array_equal(of_one.votes, of_two.votes)
    assert sum(shares) == n_of_one
    assert min(shares) > n_of_one / 4


def test_a_slow_server_gets_less(pairs):
    with ChatServer(letters) as fast, ChatServer(letters) as slow:
        slow.delay = 0.5
        ask(pairs, fast.url, slow.url, concurrency=2)
        assert len(fast.bodies) > 2 * len(slow.bodies) > 0


@pytest.mark.parametrize("failing", [busy, lambda body, handler: dict(odd=1)])
def test_another_server_answers_where_one_does_not(pairs, failing, caplog):
    with ChatServer(letters) as whole, ChatServer(failing) as broken:
        expected = ask(pairs, whole.url)
        came = ask(pairs, broken.url, whole.url, give_up=3)
    assert np.array_equal(came.votes, expected.votes)
    assert came.account["unanswered"] == 0
    assert "Others go on: 127.0.0.1" in caplog.text


def test_a_run_ends_when_no_server_is_left(pairs):
    urls = ["http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1"]
    with pytest.raises(JudgeError, match="questions in a row got no answer"):
        ask(pairs, *urls, give_up=2)


def test_questions_on_a_prompt_go_to_the_server_that_knows_it(pairs):
    with ChatServer(letters) as first, ChatServer(letters) as second:
        ask(pairs, first.url, second.url, concurrency=2)
        servers = Counter()
        for row in pairs:
            asked = row["prompt"][-1]["content"]
            servers[sum(any(asked in str(b) for b in s.bodies) for s in (first, second))] += 1
    assert servers[1] >= 0.75 * len(pairs)


def test_questions_on_a_prompt_come_together():
    "In the order in which prompts first occur, with the numbers of their rows."
    rows = take(load_sample(), np.array([0, 40, 80] * 3 + [41]))
    judge = ChatJudge("m")
    asked = list(ordered_pairs(rows, judge, 2))
    assert [pair.row for pair in asked[::2]] == [0, 3, 6, 1, 4, 7, 2, 5, 8, 9]
    assert all(pair.pair_id == rows["pair_id"][pair.row] for pair in asked)
    in_order = [pair.row for pair in ordered_pairs(load_sample().select(range(9)), judge, 2)]
    assert in_order == sorted(in_order)


def test_no_address_is_refused():
    with pytest.raises(ValueError, match="`base_url`: want the address of a server, got none"):
        ChatJudge("m", base_url=[])
