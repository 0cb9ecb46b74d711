"An answer that its server cut off is a vote only if it begins with one, also when it is read again."

import pytest
from chat_server import ChatServer, reply

from plurality_nb.data.sample import load_sample
from plurality_nb.judges.chat import ChatJudge
from plurality_nb.judges.collect import ask_both_orders
from plurality_nb.judges.parsing import read_answer
from plurality_nb.judges.store import VoteStore


def cut_off(text):
    "A server whose answers all end there, for want of tokens."

    def answer(body, handler):
        sent = reply(*[text] * body.get("n", 1))
        for choice in sent["choices"]:
            choice["finish_reason"] = "length"
        return sent

    return answer


THOUGHTS = [
    "Okay, let me weigh the two. Response A is better in tone. On the facts, though,",
    "Both name a tea. Overall, Response A is better.",
    "First, Response A is better.",
    "<think>Answer: A",
    "Response A is better",
]


@pytest.mark.parametrize("text", THOUGHTS)
def test_unfinished_thought_is_no_vote(text):
    with ChatServer(cut_off(text)) as server:
        judge = ChatJudge("m", base_url=server.url, reply_tokens=20)
        came = ask_both_orders(load_sample().select(range(2)), judge, 2, progress=False)
    assert came.votes[..., :3].sum() == 0 and came.account["failed"] == 4
    assert came.account["reasons"] == {"no plain verdict, cut off at 20 tokens": 4}


def test_unfinished_thought_about_a_crowd_is_no_vote():
    text = "Let me think. Perhaps A=7 B=2 tie=1, but response B is"
    with ChatServer(cut_off(text)) as server:
        judge = ChatJudge("m", base_url=server.url, mode="crowd")
        came = ask_both_orders(load_sample().select(range(2)), judge, 2, progress=False)
    assert came.votes[..., :3].sum() == 0


def test_first_words_are_a_vote():
    with ChatServer(cut_off("B\n\nResponse B names a tea, and")) as server:
        judge = ChatJudge("m", base_url=server.url)
        came = ask_both_orders(load_sample().select(range(2)), judge, 2, progress=False)
    assert came.votes[..., :3].sum() == 4 and came.votes[..., 3].sum() == 0
    assert came.votes[:, 0, 1].sum() == 2 == came.votes[:, 1, 0].sum()


def test_what_was_cut_off_stays_cut_off_when_it_is_read_again(tmp_path):
    text = "Both name a tea. Overall, Response A is better."
    assert read_answer(text, "binary").error is None  # had it been the whole answer
    ds = load_sample().select(range(2))
    with ChatServer(cut_off(text)) as server:
        judge = ChatJudge("m", base_url=server.url)
        for reader in ("1", "0"):
            ask_both_orders(ds, judge, 2, store=tmp_path / "v.sqlite", progress=False)
            with VoteStore(tmp_path / "v.sqlite") as store:
                store.db.execute("update answers set reader = ?", (reader,))
                store.db.commit()
        again = ask_both_orders(ds, judge, 2, store=tmp_path / "v.sqlite", progress=False)
    assert again.votes[..., :3].sum() == 0
    assert len(server.bodies) <= 4
