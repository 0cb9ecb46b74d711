"What a run may cost, what it must say, and what it refuses to begin."

import json
import threading
from types import SimpleNamespace

import pytest
from chat_server import ChatServer, letters, name_of, reply

from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges.chat import ChatJudge
from plurality_nb.judges.collect import Budget, ask_both_orders, plan_votes
from plurality_nb.judges.parsing import Answer
from plurality_nb.judges.prompts import Judge
from plurality_nb.judges.registry import load_judge

PRICES = dict(price_in=1.0, price_out=2.0)


class Told(Judge):
    "Reports the tokens that it is told to report."

    name = "told"
    per_request = 4

    def __init__(self, tokens_in=100, tokens_out=10, answer=None):
        self.usage = dict(tokens_in=tokens_in, tokens_out=tokens_out)
        self.answer = answer or Answer(1, raw="A")
        self.asked = 0

    def identity(self):
        return dict(judge="told")

    def estimate(self, question):
        return 100, 10 * question.votes

    def answers(self, questions):
        for number, question in enumerate(questions):
            self.asked += question.votes
            first = self.answer._replace(**self.usage)
            yield number, [first, *[first._replace(tokens_in=0)] * (question.votes - 1)]


class Batched(Told):
    "Takes all questions that it can get before it answers."

    def answers(self, questions):
        taken = list(questions)
        self.most = max(len(taken), getattr(self, "most", 0))
        yield from super().answers(taken)


def ask(judge, rows=5, **settings):
    ds = load_sample().select(range(rows))
    return ask_both_orders(ds, judge, 8, progress=False, **settings)


@pytest.mark.parametrize("tokens", [0, -100, 2**70, float("nan"), None])
def test_where_no_usage_comes_the_estimate_counts(tokens):
    account = ask(Told(tokens, tokens), budget=Budget(max_tokens=700)).account
    # A request of four takes 140; the fifth is the last.
    assert account["asked"] == 20 and account["stopped"] == "max_tokens"
    assert account["tokens_in"] == account["tokens_in_estimated"] == 500
    assert account["tokens_out"] == account["tokens_out_estimated"] == 200


def test_a_part_of_the_usage_is_estimated_where_a_part_is_missing():
    account = ask(Told(90, 0), budget=Budget(max_cost=0.0007, **PRICES)).account
    assert account["tokens_in_estimated"] == 0
    assert account["tokens_out"] == account["tokens_out_estimated"] == account["asked"] * 10
    assert account["cost"] == pytest.approx(0.00068) and account["stopped"] == "max_cost"
    assert account["cost_estimated"] == pytest.approx(0.00032)


def test_a_run_ends_only_when_nothing_under_way_could_leave_enough():
    judge = Batched(tokens_in=10, tokens_out=1)  # a request takes 14 and not 140
    account = ask(judge, budget=Budget(max_tokens=270)).account
    assert account["asked"] == 40 and account["stopped"] is None
    judge = Batched(tokens_in=10, tokens_out=1)
    account = ask(judge, 40, budget=Budget(max_tokens=1000)).account
    assert judge.most > 2 and account["stopped"] == "max_tokens"
    used = account["tokens_in"] + account["tokens_out"]
    assert 1000 - 110 < used <= 1000  # not even one vote would fit


@pytest.mark.parametrize("limit", [7, 9, 33])
def test_a_request_that_is_cut_to_a_limit_is_stopped_by_it(limit):
    judge = Told()
    account = ask(judge, budget=Budget(max_questions=limit)).account
    assert (judge.asked, account["stopped"]) == (limit, "max_questions")
    assert account["unasked"] == 40 - limit


def test_a_server_that_counts_more_than_the_estimate_is_found_out_before_much_is_sent():
    def expensive(body, handler):
        usage = dict(prompt_tokens=5000, completion_tokens=100)
        return reply(*["A"] * body.get("n", 1)) | dict(usage=usage)

    with ChatServer(expensive, delay=0.01) as server:
        judge = ChatJudge("m", base_url=server.url, concurrency=64, reply_tokens=5)
        budget = Budget(max_tokens=60_000)
        ds = load_sample()
        account = ask_both_orders(ds, judge, 4, budget=budget, progress=False).account
        n_requests = len(server.bodies)
    assert account["tokens_in"] + account["tokens_out"] == 5100 * n_requests <= 60_000
    assert n_requests >= 6 and account["stopped"] == "max_tokens"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(1e9, raw="A"),
        Answer(float("nan"), raw="A"),
        Answer(-1, 2, raw="A"),
        Answer(0.4, 0.4, raw="A"),
        Answer(1, error="both", raw="A"),
    ],
)
def test_an_impossible_vote_is_a_failed_one(answer, tmp_path):
    asked = ask(Told(answer=answer), 1, store=tmp_path / "v.sqlite")
    assert asked.votes[:, :, :3].sum() == 0 and asked.account["failed"] == 8


@pytest.mark.parametrize("raw", ["A \ud800", "[" * 9000, "\0A", "\ufffe"])
def test_one_odd_answer_ends_neither_a_run_nor_the_next(raw, tmp_path):
    class Fragile(Told):
        version = "1"

        @property
        def reader(self):
            return self.version

        def read(self, text, question, **facts):
            json.loads(text)
            return Answer(1, raw=text, **facts)

    judge = Fragile(answer=Answer(1, raw=raw))
    assert ask(judge, 1, store=tmp_path / "v.sqlite").account["failed"] == 0
    judge.version = "2"
    account = ask(judge, 1, store=tmp_path / "v.sqlite").account
    assert account["stored"] == account["failed"] == 8 and account["asked"] == 0
    assert "cannot be read again" in next(iter(account["reasons"]))
    judge.version = "1"  # the words are still there, as they were read at first
    assert ask(judge, 1, store=tmp_path / "v.sqlite").account["failed"] == 0


def test_stored_failures_name_the_option_that_asks_again(tmp_path, caplog):
    failing = Told(answer=Answer(error="no plain verdict", raw="Hm"))
    store = tmp_path / "v.sqlite"
    first = ask(failing, 1, store=store).account
    assert "8 of 8 answers have no readable vote: 8 no plain verdict" in caplog.text
    assert "retry" not in caplog.text and first["failed_stored"] == 0
    again = ask(Told(), 2, store=store).account
    assert again["failed_stored"] == 8 and again["asked"] == 8
    assert "8 answers without a readable vote are in the store" in caplog.text
    assert "--retry-failed" in caplog.text
    assert ask(Told(), 2, store=store, retry_failed=True).account["failed"] == 0


def test_a_judge_that_leaves_questions_out_gets_them_counted(tmp_path):
    class Forgetful(Told):
        def answers(self, questions):
            for number, answers in super().answers(questions):
                if number % 2:
                    yield number, answers

    account = ask(Forgetful(), 2, store=tmp_path / "v.sqlite").account
    assert account["asked"] == account["unanswered"] == 8


@pytest.mark.parametrize("names", [("RANK", "WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")])
def test_a_further_process_of_a_launch_asks_nothing_alone(names, monkeypatch, tmp_path):
    rank, size = names
    monkeypatch.setenv(size, "2")
    monkeypatch.setenv(rank, "1")
    with pytest.raises(ContractError, match="process 1 of 2, each of which would ask"):
        ask(Told(), 1)
    assert ask(Told(), 1, store=tmp_path / "v.sqlite").account["asked"] == 8
    monkeypatch.setenv(rank, "0")
    assert ask(Told(), 1).account["asked"] == 8


def test_a_judge_without_stored_answers_is_planned_and_refuses_a_store(tmp_path):
    ds, judge = load_sample().select(range(3)), load_judge("population")
    assert plan_votes(ds, judge, 4, progress=False)["questions"] == 6
    for call in [plan_votes, ask_both_orders]:
        with pytest.raises(ContractError, match="leave `store`, `--store` out"):
            call(ds, judge, 4, store=tmp_path / "v.sqlite", progress=False)
    assert not list(tmp_path.iterdir())


# From the shell


@pytest.fixture
def vote(command_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def call(server, *args, out="v.jsonl"):
        common = ["vote", "sample", "--judge", "chat:m", "--base-url", server.url, "--limit", 5]
        return command_line(*common, "--votes", 4, "--out", out, "--retries", 0, *args)

    return call


def test_no_run_begins_that_could_not_end(vote, tmp_path):
    (tmp_path / "notes.txt").write_text("Which tea?")
    refused = {
        "--store v.jsonl": "want a name that is not that of --out",
        "--store v.jsonl.json": "want a name that is not that of --out",
        "--store notes.txt": "want a file that this package wrote votes to",
        "--store notes.txt/v.sqlite": "which is no folder",
        "--store .": "got a folder",
        "--max-cost 1": "want prices of tokens read and written",
        "--shard 1/2 --store notes.txt": "want a file that this package wrote votes to",
    }
    with ChatServer() as server:
        for options, message in refused.items():
            code, _, err = vote(server, *options.split())
            assert code == 1 and message in err, (options, err)
        code, _, err = vote(server, out="v.txt")
        assert code == 1 and "want a name that ends in .parquet" in err
        assert not server.bodies
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "Which tea?"


@pytest.mark.parametrize("shard, is_refused", [(None, True), ("1/2", True), ("2/2", False)])
def test_a_command_that_is_started_several_times_pays_once(shard, is_refused, vote, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    part = ["--shard", shard] if shard else []
    with ChatServer() as server:
        code, _, err = vote(server, "--store", "v.sqlite", *part)
    assert code == int(is_refused) and bool(server.bodies) != is_refused
    assert ("--shard 2/2" in err) == is_refused


def test_a_run_without_a_vote_fails_and_replaces_nothing(vote, tmp_path):
    with ChatServer() as good, ChatServer(lambda body, handler: reply("Hm.")) as bad:
        assert vote(good)[0] == 0
        before = (tmp_path / "v.jsonl").read_bytes()
        code, _, err = vote(bad, "--store", "s.sqlite")
        assert code == 1 and "want votes, got none in 20 answers" in err and "s.sqlite" in err
        assert (tmp_path / "v.jsonl").read_bytes() == before
        code, _, err = vote(bad, "--store", "s.sqlite")  # nothing is asked again
        assert code == 1 and "--retry-failed" in err
        code, _, err = vote(good, "--max-questions", 0)
        assert code == 1 and "nothing was asked" in err
        assert (tmp_path / "v.jsonl").read_bytes() == before
        code, _, err = vote(good, "--store", "s.sqlite", "--retry-failed")
        assert (
            code == 0
            and not json.loads((tmp_path / "v.jsonl.json").read_text())["settings"]["vote"][
                "failed"
            ]
        )


def test_where_nothing_may_be_asked_no_key_is_wanted(vote, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    elsewhere = SimpleNamespace(url="https://judges.example.org/v1")  # which wants a key
    with ChatServer() as server:
        assert vote(server, "--store", "s.sqlite", "--max-questions", 8)[0] == 0
        code, _, err = vote(elsewhere, "--store", "s.sqlite", "--max-questions", 0)
        assert code == 0 and "12 answers not asked for" in err
        assert vote(server, "--store", "s.sqlite")[0] == 0
    code, out, err = vote(elsewhere, "--store", "s.sqlite", "--max-questions", 0)
    assert code == 0 and "stored         20" in out and "stopped" not in err
    code, _, err = vote(elsewhere, "--store", "other.sqlite", "--max-questions", 1)
    assert code == 1 and "want a key for the server" in err


def test_answers_stay_until_they_are_all_there(vote, tmp_path):
    kept = tmp_path / "v.jsonl.answers.sqlite"
    down = threading.Event()

    def answer(body, handler):
        return handler.send(401, dict(error="no")) if down.is_set() else letters(body, handler)

    with ChatServer(answer) as server:
        code, _, err = vote(server, "--max-questions", 8)
        assert code == 0 and "the same command goes on from there" in err and kept.exists()
        down.set()
        code, _, err = vote(server)
        assert code == 1 and "answers of this run are kept in v.jsonl.answers.sqlite" in err
        down.clear()
        n_before = len(server.bodies)
        code, out, err = vote(server, "--dry-run")
        assert "stored         8" in out and kept.exists()
        code, out, err = vote(server)
        assert code == 0 and "stored         8" in out and not kept.exists()
        assert "the answers of an unfinished run count" in err
        asked = {name_of(body): body.get("n", 1) for body in server.bodies[n_before:]}
        assert sum(asked.values()) == 12  # each once; a slow answer may be asked for again
    assert sorted(p.name for p in tmp_path.iterdir()) == ["v.jsonl", "v.jsonl.json"]


def test_answers_stay_where_some_failed(vote, tmp_path):
    kept = tmp_path / "v.jsonl.answers.sqlite"
    asked = []

    def answer(body, handler):
        asked.append(body)
        return reply(*["no idea"] * body.get("n", 1)) if len(asked) == 1 else letters(body, handler)

    with ChatServer(answer) as server:
        code, _, err = vote(server)
        assert code == 0 and "--retry-failed asks for those that failed" in err and kept.exists()
        n_before = len(asked)
        code, _, err = vote(server, "--retry-failed")
        assert code == 0 and not kept.exists() and 0 < len(asked) - n_before < n_before


def test_a_limit_says_what_was_counted_and_what_was_estimated(vote):
    def silent(body, handler):
        return reply(*["A"] * body.get("n", 1)) | dict(usage=None)

    money = ["--max-cost", 0.006, "--price-in", 1, "--price-out", 2]
    with ChatServer(silent) as server:
        code, _, err = vote(server, *money)
    assert code == 0 and "stopped by --max-cost:" in err and "of 0.006 counted" in err
    assert "of it estimated, since the server reported no usage" in err
