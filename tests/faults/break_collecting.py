"Collections that are killed, shared, limited, and given damaged or foreign stores."

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from chat_server import ChatServer, reply
from common import Trial
from tqdm.auto import tqdm

from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges import store as stores
from plurality_nb.judges.chat import ChatJudge
from plurality_nb.judges.collect import Budget, ask_both_orders, plan_votes
from plurality_nb.judges.parsing import Answer
from plurality_nb.judges.prompts import Judge
from plurality_nb.judges.store import StoredAnswers, VoteStore, merge_stores, store_summary

# Of its own accord a bar has a lock that forked processes share, and one that is killed may hold it.
tqdm.set_lock(threading.RLock())
FORK = multiprocessing.get_context("fork")
PATIENCE = 120  # seconds for what takes one
TOGETHER = 4  # questions under way
VOTES = 4  # a pair


class Paid(Judge):
    "Notes each question in a file when it is paid for; takes several before it answers one."

    name = "paid"

    def __init__(self, ledger: Path, pause: float = 0.0):
        self.ledger = ledger
        self.pause = pause

    def identity(self) -> dict:
        return dict(judge="paid")

    def answer(self, question):
        is_longer = len(question.first) > len(question.second)
        return Answer(is_longer, not is_longer, 0.0, None, "A" if is_longer else "B", 9, 1)

    def pay(self, question):
        line = f"{hash_of(question)} {question.index}\n".encode()
        with open(self.ledger, "ab", buffering=0) as file:
            file.write(line)

    def answers(self, questions):
        under_way = []
        for numbered in enumerate(questions):
            under_way.append(numbered)
            if len(under_way) == TOGETHER:
                yield self.settle(under_way)
        while under_way:
            yield self.settle(under_way)

    def settle(self, under_way):
        number, question = under_way.pop(0)
        time.sleep(self.pause)
        self.pay(question)
        return number, [self.answer(question)] * question.votes


def hash_of(question) -> str:
    return stores.digest([question.prompt[-1]["content"], question.first, question.second])


def payments(ledger: Path) -> Counter:
    return Counter(ledger.read_text().splitlines()) if ledger.exists() else Counter()


def collect(ds, folder: Path, pause: float = 0.0, place: str | None = None) -> np.ndarray:
    "As a process of its own does; `place` stands for another container."
    if place:
        stores._own_place = lambda: place
    judge = Paid(folder / "ledger", pause)
    asked = ask_both_orders(ds, judge, VOTES, store=folder / "votes.sqlite", progress=False)
    np.save(folder / f"votes-{os.getpid()}.npy", asked.votes)
    return asked.votes


# Kills


def killed_runs(ds, kills: int, seed: int) -> str:
    "Kills runs at random moments, then lets one end; what went wrong, in words."
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_killed = 0
        for _ in range(kills):
            process = FORK.Process(target=collect, args=(ds, folder, 0.002))
            process.start()
            time.sleep(draw.uniform(0, 0.12))
            os.kill(process.pid, signal.SIGKILL)
            process.join(PATIENCE)
            n_killed += process.exitcode == -signal.SIGKILL
        votes = collect(ds, folder)
        paid = payments(folder / "ledger")
    whole = whole_votes(ds)
    n_wanted = 2 * VOTES // 2 * len(ds)
    if not np.array_equal(votes, whole):
        return "votes lost or invented"
    if len(paid) != n_wanted:
        return f"{len(paid)} of {n_wanted} questions were asked"
    twice = sum(paid.values()) - n_wanted
    return "" if twice <= n_killed * TOGETHER else f"{twice} paid twice in {n_killed} kills"


def whole_votes(ds) -> np.ndarray:
    with tempfile.TemporaryDirectory() as name:
        return collect(ds, Path(name))


# Sharing


def shared_runs(ds, places: list[str | None], dead: bool = False) -> str:
    "Processes on one store; with `dead`, one of another container was killed before."
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lease = stores._LEASE, stores._RENEWED_EVERY
        stores._LEASE, stores._RENEWED_EVERY = (1.5, 0.3) if dead else lease
        try:
            n_before = leave_claims(ds, folder) if dead else 0
            start = [FORK.Process(target=collect, args=(ds, folder, 0.004, p)) for p in places]
            for process in start:
                process.start()
            for process in start:
                process.join(PATIENCE)
        finally:
            stores._LEASE, stores._RENEWED_EVERY = lease
        paid = payments(folder / "ledger")
        votes = [np.load(path) for path in folder.glob("votes-*.npy")]
    whole = whole_votes(ds)
    if len(votes) != len(places) or not all(np.array_equal(v, whole) for v in votes):
        return f"{len(votes)} of {len(places)} ended with all votes"
    twice = sum(paid.values()) - len(paid)
    return "" if twice <= n_before * TOGETHER else f"{twice} of {len(paid)} paid twice"


def leave_claims(ds, folder: Path) -> int:
    "Kills a process of another container in the middle of its work."
    process = FORK.Process(target=collect, args=(ds, folder, 0.05, "elsewhere"))
    process.start()
    deadline = time.monotonic() + PATIENCE
    while not payments(folder / "ledger") and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE)
    return 1


# Limits

USAGES: dict[str, Callable[[int], object]] = {
    "as estimated": lambda n: dict(prompt_tokens=400, completion_tokens=n),
    "none": lambda n: None,
    "empty": lambda n: {},
    "zero": lambda n: dict(prompt_tokens=0, completion_tokens=0),
    "null": lambda n: dict(prompt_tokens=None, completion_tokens=None),
    "below zero": lambda n: dict(prompt_tokens=-400, completion_tokens=-n),
    "ten times the estimate": lambda n: dict(prompt_tokens=4000, completion_tokens=200 * n),
    "beyond 2^63": lambda n: dict(prompt_tokens=2**70, completion_tokens=2**70),
}
PRICES = dict(price_in=1.0, price_out=2.0)
REPLY_TOKENS = 20


def limited_run(ds, usage_name: str, limit: str, amount: float, concurrency: int) -> str:
    "What went wrong in a run with a limit, in words."
    usage = USAGES[usage_name]
    taken = []

    def answer(body, handler):
        n = body.get("n", 1)
        sent = usage(n)
        facts = sent if isinstance(sent, dict) else {}
        is_told = all(
            0 < (facts.get(k) or 0) < 2**62 for k in ("prompt_tokens", "completion_tokens")
        )
        taken.append((facts["prompt_tokens"], facts["completion_tokens"]) if is_told else None)
        body = reply(*["A"] * n)
        return body | dict(usage=sent) if sent is not None else {**body, "usage": None}

    with ChatServer(answer, delay=0.01) as server:
        judge = ChatJudge(
            "m",
            base_url=server.url,
            concurrency=concurrency,
            reply_tokens=REPLY_TOKENS,
            votes_per_request=4,
            retries=0,
        )
        budget = Budget(**{limit: amount}, **PRICES)
        account = ask_both_orders(ds, judge, 8, budget=budget, progress=False).account
    counted = (
        account["cost"] if limit == "max_cost" else account["tokens_in"] + account["tokens_out"]
    )
    if counted > amount or account["stopped"] != limit or not account["unasked"]:
        return f"{counted} counted, stopped {account['stopped']}, {account['unasked']} not asked"
    told = [used for used in taken if used]
    if told and sum(map(sum, told)) != account["tokens_in"] + account["tokens_out"]:
        return f"{sum(map(sum, told))} reported, {account['tokens_in'] + account['tokens_out']} counted"
    is_estimated = account["tokens_in_estimated"] > 0
    if is_estimated == bool(told):
        return f"{account['tokens_in_estimated']} estimated where {len(told)} were reported"
    # Of a run that stops, one more request might have exceeded the limit.
    most = 1.6 * max(counted / max(1, len(taken)), 4000 * 1.2 if "ten" in usage_name else 0)
    return "" if counted + most > amount or len(taken) < 3 else f"only {counted} of {amount} used"


# Stores


def filled_store(ds, folder: Path) -> Path:
    collect(ds, folder)
    return folder / "votes.sqlite"


def mutate(path: Path, draw: random.Random) -> str:
    data = bytearray(path.read_bytes())
    way = draw.choice(["bytes", "bytes", "one byte", "cut", "zeros", "swap"])
    if way == "cut":
        del data[draw.randrange(len(data)) :]
    elif way == "zeros":
        start = draw.randrange(len(data))
        data[start : start + 512] = bytes(len(data[start : start + 512]))
    elif way == "swap":
        pages = [draw.randrange(1, len(data) // 4096) * 4096 for _ in range(2)]
        one, two = (bytes(data[p : p + 4096]) for p in pages)
        data[pages[0] : pages[0] + 4096], data[pages[1] : pages[1] + 4096] = two, one
    else:
        for _ in range(1 if way == "one byte" else draw.randrange(2, 30)):
            data[draw.randrange(len(data))] = draw.randrange(256)
    path.write_bytes(data)
    return way


def with_damaged_store(ds, whole: np.ndarray, folder: Path) -> str:
    "A run on a store that may be damaged: all votes right, or refused with nothing changed."
    path, ledger = folder / "votes.sqlite", folder / "ledger"
    ledger.unlink(missing_ok=True)
    before = path.read_bytes()
    try:
        votes = collect(ds, folder)
    except ContractError as error:
        if payments(ledger):
            return f"refused after {sum(payments(ledger).values())} questions: {error}"
        left = sorted(p.name for p in folder.glob("votes.sqlite*"))
        is_whole = path.read_bytes() == before and left == ["votes.sqlite"]
        return "" if is_whole else f"changed before it was refused ({left}): {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "" if np.array_equal(votes, whole) else "votes invented"


def mutated_stores(ds, n: int, seed: int) -> Iterator[Trial]:
    draw = random.Random(seed)
    whole = whole_votes(ds)
    with tempfile.TemporaryDirectory() as name:
        origin = filled_store(ds, Path(name))
        for number in range(n):
            with tempfile.TemporaryDirectory() as inner:
                path = Path(inner) / "votes.sqlite"
                shutil.copy(origin, path)
                way = mutate(path, draw)
                fault = with_damaged_store(ds, whole, Path(inner))
            yield Trial("collecting", f"store {number}: {way}", not fault, fault)


def sql(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "a text": lambda path: path.write_text("Which tea?\n" * 99),
    "a short text": lambda path: path.write_text("x"),
    "a folder": to_folder,
    "half a store": cut_in_half,
    "a newer version": lambda path: sql(path, "pragma user_version=7"),
    "another application": lambda path: sql(path, "pragma application_id=1"),
    "a column more": lambda path: sql(path, "alter table answers add column mood text"),
    "a column less": lambda path: sql(path, "alter table answers drop column seconds"),
    "a table less": lambda path: sql(path, "drop table claims"),
    "a table of another name": lambda path: sql(path, "alter table answers rename to votes"),
}


def content(path: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}


def with_foreign_store(ds, spoil: Callable[[Path], object]) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = filled_store(ds, folder)
        (folder / "ledger").unlink()
        spoil(path)
        before, judge = content(path), Paid(folder / "ledger")
        uses = {
            "plan": lambda: plan_votes(ds, judge, VOTES, path, progress=False),
            "ask": lambda: ask_both_orders(ds, judge, VOTES, path, progress=False),
            "look": lambda: store_summary(path),
            "read": lambda: StoredAnswers(path),
            "merge from": lambda: merge_stores([path], folder / "new" / "all.sqlite"),
            "merge into": lambda: merge_stores([], path),
        }
        for use, call in uses.items():
            try:
                call()
                return f"{use}: taken for a store"
            except ContractError:
                if content(path) != before:
                    return f"{use}: something was written"
            except Exception as error:
                return f"{use}: {type(error).__name__}: {error}"
    return ""


WORDS = "update answers set {} where key in (select key from answers limit 3)"
ROWS = [
    "first=1e9",
    "first=-1, second=2",
    "first='many'",
    "second=9e999",
    "first=.5, second=0, tie=0",
    "raw=x'ff', error=x'fe'",
    "error='broken', first=1, second=0",
]


def with_damaged_rows(ds, change: str) -> str:
    "Three rows that no judge can have written are asked again, and the others are not."
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sql(filled_store(ds, folder), WORDS.format(change))
        (folder / "ledger").unlink()
        votes = collect(ds, folder)
        paid = sum(payments(folder / "ledger").values())
        with VoteStore(folder / "votes.sqlite") as store:
            keys = [key for (key,) in store.db.execute("select key from answers")]
            store.get(keys)
            n_damaged = len(store.damaged)
    if not np.array_equal(votes, whole_votes(ds)):
        return "votes invented"
    return "" if (paid, n_damaged) == (3, 0) else f"{paid} asked again, {n_damaged} still damaged"


def trials(size: str) -> Iterator[Trial]:
    is_full = size == "full"
    sample = load_sample()
    few = sample.select(range(6))

    def trial(name: str, fault: str) -> Trial:
        return Trial("collecting", name, not fault, fault)

    for number in range(5 if is_full else 1):
        kills = 10 if is_full else 5
        name = f"{kills} kills, {number}"
        yield trial(name, killed_runs(sample.select(range(20)), kills, number))
    for places in [[None, None], ["one", "two"], [None] * 4][: 3 if is_full else 2]:
        name = f"processes that share a store: {places}"
        yield trial(name, shared_runs(sample.select(range(15)), places))
    name = "a container that was killed"
    yield trial(name, shared_runs(few, ["here"], dead=True))
    limits = [("max_tokens", 8000, 32), ("max_cost", 0.02, 64), ("max_cost", 0.012, 1)]
    for usage in USAGES:
        for limit, amount, concurrency in limits if is_full else limits[:1]:
            if is_full or usage in ("none", "below zero", "ten times the estimate"):
                scale = 4 if "ten" in usage else 1
                name = f"{limit} at concurrency {concurrency}, usage {usage}"
                amounts = (limit, scale * amount, concurrency)
                yield trial(name, limited_run(sample.select(range(40)), usage, *amounts))
    for name, spoil in FOREIGN.items():
        yield trial(f"as store, {name}", with_foreign_store(few, spoil))
    for change in ROWS if is_full else ROWS[:3]:
        yield trial(f"rows with {change}", with_damaged_rows(few, change))
    yield from mutated_stores(few, 300 if is_full else 12, 0)
