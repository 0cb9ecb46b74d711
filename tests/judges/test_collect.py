"Collections that are killed, shared, limited and read again."

import json
import multiprocessing
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from chat_server import ChatServer, letter, reply

from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges.chat import ChatJudge
from plurality_nb.judges.collect import Budget, ask_both_orders, collect_votes, plan_votes
from plurality_nb.judges.parsing import Answer
from plurality_nb.judges.prompts import Judge, Question
from plurality_nb.judges.registry import load_judge
from plurality_nb.judges.store import VoteStore, answer_keys, judge_key, merge_stores

CONCURRENCY = 8
PATIENCE = 300  # seconds for what takes one or two; a busy machine may need more
COLLECT = """
import json, sys
from plurality_nb.judges.collect import ask_both_orders
from plurality_nb.judges.chat import ChatJudge
from plurality_nb.data.sample import load_sample
url, store, rows = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
judge = ChatJudge("m", base_url=url, concurrency=8, votes_per_request=1, server_seed=7)
ds = load_sample().select(range(int(rows)))
came = ask_both_orders(ds, judge, 10, store=store, progress=False)
print(json.dumps(dict(votes=came.votes.tolist(), **came.account)))
"""


def collect(server, store, rows=50):
    "A process that waits for a line before it collects; its imports take longer than its work."
    return subprocess.Popen(
        [sys.executable, "-c", COLLECT, server.url, store, str(rows)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start(process):
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    process.stdin.write("go\n")
    process.stdin.flush()
    return process


def finish(process):
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


@pytest.mark.longest
@pytest.mark.slow  # 22 processes, each of which imports the package
def test_a_run_killed_twenty_times_asks_nothing_twice_and_loses_nothing(tmp_path):
    kills, draw = 20, random.Random(0)
    with ChatServer(delay=0.03) as server:
        waiting = [collect(server, tmp_path / "v.sqlite") for _ in range(2)]
        for _ in range(kills):
            server.started.clear()
            process = start(waiting.pop(0))
            waiting.append(collect(server, tmp_path / "v.sqlite"))
            assert server.started.wait(PATIENCE)
            time.sleep(draw.uniform(0, 0.12))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, (
                "killed after its end: the kill tested nothing"
            )
        before = sum(server.answered.values())
        last, idle = finish(start(waiting[0])), waiting[1]
        idle.kill()
        assert before > 20 and last["stored"] < 500  # the kills came in the middle of the work
    assert (
        last["stored"] + last["asked"] == last["wanted"] == 500
        and last["unanswered"] == last["failed"] == 0
    )
    assert len(server.answered) == 500
    assert sum(server.answered.values()) - 500 <= kills * CONCURRENCY
    with ChatServer() as undisturbed:
        whole = finish(start(collect(undisturbed, tmp_path / "w.sqlite")))
    assert set(undisturbed.answered.values()) == {1} and last["votes"] == whole["votes"]


def open_stores(folder, together, failures):
    "Opens new stores at the same moments as others do; None in the queue says that it is done."
    for k in range(30):
        together.wait(PATIENCE)
        try:
            VoteStore(folder / f"{k}.sqlite").close()
        except Exception as e:
            failures.put(str(e))
    failures.put(None)


@pytest.mark.slow  # four processes, each of which imports the package
def test_a_new_store_is_made_once_whoever_comes(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    together, failures = spawn.Barrier(4), spawn.Queue()
    for _ in range(4):
        spawn.Process(target=open_stores, args=(tmp_path, together, failures)).start()
    reports = [failures.get(timeout=PATIENCE)]
    while reports.count(None) < 4:
        reports.append(failures.get(timeout=PATIENCE))
    assert reports == [None] * 4


@pytest.mark.slow  # two processes, each of which imports the package
def test_processes_that_share_a_store_share_the_work(tmp_path):
    both_ask = threading.Event()

    def answer_once_both_ask(body, handler):
        "One process has eight questions under way at most, so the ninth is another's."
        if len(server.bodies) > CONCURRENCY:
            both_ask.set()
        assert both_ask.wait(PATIENCE)
        return reply(letter(body))

    with ChatServer(answer_once_both_ask) as server:
        runs = [collect(server, tmp_path / "v.sqlite", 20) for _ in range(2)]
        one, two = map(finish, [start(process) for process in runs])
    assert one["votes"] == two["votes"]
    assert one["asked"] + two["asked"] == 200
    assert min(one["asked"], two["asked"]) > 0
    assert len(server.answered) == 200 and set(server.answered.values()) == {1}


def test_stores_of_several_machines_are_one_afterwards(tmp_path):
    ds = load_sample().select(range(12))
    with ChatServer() as server:
        stores = [tmp_path / f"{i}.sqlite" for i in range(3)]
        for i, store in enumerate(stores):
            judge = ChatJudge("m", base_url=server.url, server_seed=7)
            part = ds.select(range(i, 12, 3))
            ask_both_orders(part, judge, 4, store=store, progress=False)
        assert merge_stores(stores, tmp_path / "all.sqlite") == 48
        assert len(server.bodies) <= 24  # two votes a request
    # Another address, where nobody listens.
    moved = ChatJudge("m", base_url="http://127.0.0.1:9/v1", server_seed=7)
    came = ask_both_orders(ds, moved, 4, store=tmp_path / "all.sqlite", progress=False)
    assert came.account["asked"] == 0 and came.account["stored"] == 48


class Plain(Judge):
    "Answers at once, in words that a reader reads."

    name = "plain"

    def __init__(self, words="B is better", **identity):
        self.words = words
        self.asked = 0
        self.facts = dict(judge="plain") | identity
        self.version = "1"

    @property
    def reader(self):
        return self.version

    def identity(self):
        return self.facts

    def estimate(self, question):
        return 100, 10 * question.votes

    def read(self, raw, question, **facts):
        side = raw[0] if self.version == "1" else raw[-1]
        return Answer(
            side == "A", side == "B", 0, None if side in "AB" else "unreadable", raw, **facts
        )

    def answers(self, questions):
        for i, q in enumerate(questions):
            self.asked += q.votes
            yield i, [self.read(self.words, q, tokens_in=100, tokens_out=10)] * q.votes


def test_what_could_change_an_answer_is_asked_again_and_nothing_else():
    question = Question([dict(role="user", content="Tea?")], "Assam.", "Oolong.", 2)

    def key(judge, question=question, personas=(None, None)):
        "Of the second vote."
        return answer_keys(judge_key(judge.identity()), question, personas)[1]

    def chat(model="m", **settings):
        return ChatJudge(model, **settings)

    base = key(chat())
    changed = [
        chat("m2"),
        chat(mode="crowd"),
        chat(ties=True),
        chat(temperature=0.5),
        chat(server_seed=1),
        chat(reply_tokens=9),
        chat(judge_id="m@3"),
        chat(extra=dict(top_p=0.5)),
    ]
    keys = [key(j) for j in changed] + [
        key(chat(), personas=(None, "Likes lists.")),
        key(chat(), question._replace(first="Oolong.", second="Assam.")),
        key(chat(), question._replace(first="Assam")),
    ]
    keys.append(key(chat(), question._replace(prompt=[dict(role="system", content="Tea?")])))
    assert len({base, *keys}) == len(keys) + 1
    same = [
        chat(base_url="http://127.0.0.1:1/v1"),
        chat(concurrency=3),
        chat(timeout=1),
        chat(retries=0),
        chat(votes_per_request=1),
        chat("other", judge_id="m"),
    ]
    assert {key(j) for j in same} == {base}


def test_stored_words_are_read_again_without_asking(tmp_path):
    ds, judge = load_sample().select(range(3)), Plain("B or A")
    first = ask_both_orders(ds, judge, 2, store=tmp_path / "v.sqlite", progress=False)
    judge.version = "2"  # a reader that looks at the last letter
    again = ask_both_orders(ds, judge, 2, store=tmp_path / "v.sqlite", progress=False)
    assert judge.asked == 6 and first.votes[:, 0, 1].sum() == again.votes[:, 0, 0].sum() == 3
    with VoteStore(tmp_path / "v.sqlite") as store:
        assert set(store.db.execute("select reader, first from answers")) == {("2", 1.0)}


@pytest.mark.parametrize(
    "limits, asked, stopped",
    [
        (dict(max_questions=7), 7, "max_questions"),
        (dict(max_tokens=660), 6, "max_tokens"),
        (dict(max_cost=0.0011, price_in=1, price_out=10), 5, "max_cost"),
        (dict(max_questions=0), 0, "max_questions"),
        (dict(max_questions=40), 40, None),
        (dict(max_tokens=10**6, max_questions=10**6), 40, None),
    ],
)
def test_limits_stop_cleanly_and_the_rest_can_follow(limits, asked, stopped, tmp_path, caplog):
    ds, judge = load_sample().select(range(5)), Plain()
    came = ask_both_orders(
        ds, judge, 8, store=tmp_path / "v.sqlite", budget=Budget(**limits), progress=False
    )
    assert (
        judge.asked == came.account["asked"] == asked
        and came.account["stopped"] == stopped
        and came.account["unasked"] == 40 - asked
    )
    budget = Budget(**limits)
    assert budget.exceeded(asked, came.account["tokens_in"], came.account["tokens_out"]) is None
    rest = collect_votes(ds, judge, 8, store=tmp_path / "v.sqlite", progress=False)
    assert judge.asked == 40 and all(
        a + b + t == 8 for a, b, t in zip(rest["judge_a"], rest["judge_b"], rest["judge_tie"])
    )


def test_a_limit_holds_with_many_questions_under_way(tmp_path):
    with ChatServer(delay=0.02) as server:
        judge = ChatJudge("m", base_url=server.url, concurrency=16, reply_tokens=5)
        came = ask_both_orders(
            load_sample(), judge, 10, budget=Budget(max_questions=33), progress=False
        )
        assert (
            came.account["asked"] == sum(b.get("n", 1) for b in server.bodies) == 33
            and came.account["stopped"] == "max_questions"
        )


def test_the_plan_is_what_then_happens(tmp_path):
    ds, judge = load_sample().select(range(6)), Plain()
    ask_both_orders(ds.select(range(2)), judge, 4, store=tmp_path / "v.sqlite", progress=False)
    budget = Budget(price_in=2, price_out=5)
    plan = plan_votes(ds, judge, 4, tmp_path / "v.sqlite", budget=budget, progress=False)
    came = ask_both_orders(
        ds, judge, 4, tmp_path / "v.sqlite", budget=budget, progress=False
    ).account
    assert [plan[k] for k in ("questions", "stored", "tokens_in", "tokens_out", "cost")] == [
        came[k] for k in ("asked", "stored", "tokens_in", "tokens_out", "cost")
    ]
    assert (
        plan_votes(ds, judge, 4, tmp_path / "none.sqlite", progress=False)["stored"] == 0
        and not (tmp_path / "none.sqlite").exists()
    )


def test_the_names_of_the_sides_do_not_matter(tmp_path):
    ds = load_sample().select(range(15))
    with ChatServer() as server:
        judge = ChatJudge("m", base_url=server.url, server_seed=7)
        votes = ask_both_orders(ds, judge, 4, store=tmp_path / "v.sqlite", progress=False).votes
        turned = ask_both_orders(
            swap_sides(ds), judge, 4, store=tmp_path / "v.sqlite", progress=False
        )
    assert turned.account["asked"] == 0 and np.array_equal(
        turned.votes[:, ::-1][:, :, [1, 0, 2, 3]], votes
    )


def test_a_persona_casts_the_same_vote_in_both_orders(tmp_path):
    ds, personas = load_sample().select(range(4)), [f"Person {i}." for i in range(9)]
    with ChatServer() as server:
        ask_both_orders(
            ds,
            ChatJudge("m", base_url=server.url),
            6,
            personas=personas,
            store=tmp_path / "v.sqlite",
            progress=False,
        )
    assert len(server.bodies) == 24 and all(
        "About the person: Person" in b["messages"][-1]["content"] for b in server.bodies
    )
    with VoteStore(tmp_path / "v.sqlite") as store:
        cast = store.db.execute(
            "select pair_id, vote, count(*), count(distinct persona) from answers group by pair_id, vote"
        ).fetchall()
    assert len(cast) == 12 and all(n == 2 and who == 1 for *_, n, who in cast)


@pytest.mark.parametrize("call", [collect_votes, ask_both_orders, plan_votes])
def test_the_name_of_a_judge_is_no_judge_and_the_message_says_how_to_get_one(call):
    ds = load_sample().select(range(2))
    with pytest.raises(
        ContractError, match=r"`judge`: want a judge, .*`load_judge\('population'\)`"
    ):
        call(ds, "population")
    with pytest.raises(ContractError, match="got a value of type NoneType"):
        call(ds, None)


def test_a_mistyped_setting_is_answered_by_the_function_that_was_called():
    ds = load_sample().select(range(2))
    with pytest.raises(TypeError, match=r"^collect_votes\(\) got .*'nvotes'"):
        collect_votes(ds, load_judge("population"), nvotes=2)
    with pytest.raises(TypeError, match=r"^load_comparisons\(\) got .*'colums'"):
        load_comparisons([], colums={})
