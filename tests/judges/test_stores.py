"Stores that are old, foreign, damaged or shared."

import sqlite3
import time

import pytest

from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.judges import store as stores
from plurality_nb.judges.collect import ask_both_orders, plan_votes
from plurality_nb.judges.parsing import Answer
from plurality_nb.judges.prompts import Judge
from plurality_nb.judges.store import (
    Server,
    StoredAnswers,
    VoteStore,
    merge_stores,
    store_summary,
)

JUDGE = dict(judge="m")
VERSION_0 = """
create table judges (judge text primary key, identity text not null);
create table runs (run text primary key, started real not null, note text not null);
create table answers (key text primary key, judge text not null, pair_id text not null,
vote integer not null, persona text, first real not null, second real not null,
tie real not null, error text, raw text, tokens_in integer, tokens_out integer, seconds real,
reader text, run text not null, answered real not null) without rowid;
create table claims (key text primary key, owner text not null) without rowid;
insert into judges values ('j', '{"judge": "m"}');
insert into answers values ('k0', 'j', 'p', 0, null, 1, 0, 0, null, 'A', 9, 1, .1, null, 'r', 5);
insert into answers values ('k1', 'j', 'p', 1, null, 0, 0, 0, 'none', 'Hm', 9, 1, .1, null, 'r', 5);
insert into claims values ('k2', '1:0.00:abcdef01');
"""


@pytest.fixture
def old_store(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as db:
        db.execute(f"pragma application_id={stores._STORE_FORMAT}")
        db.executescript(" ".join(VERSION_0.split("\n")))
    db.close()
    return path


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Longer(Judge):
    name = "longer"

    def __init__(self, servers=None):
        self.servers = servers
        self.asked = 0

    def identity(self):
        return JUDGE

    def server_facts(self):
        return self.servers or {}

    def answers(self, questions):
        for number, question in enumerate(questions):
            self.asked += question.votes
            yield number, [Answer(1, raw="A")] * question.votes


def test_a_store_of_the_version_before_is_read_as_it_is_and_written_as_the_present_one(old_store):
    before = files(old_store.parent)
    with StoredAnswers(old_store) as store:
        assert store.get(["k0", "k1", "k2"])["k0"].answer.first == 1
    assert store_summary(old_store)["answers"].tolist() == [2]
    assert files(old_store.parent) == before
    with VoteStore(old_store) as store:
        assert store.claim(["k2"]) and set(store.get(["k0", "k1", "k2"])) == {"k0", "k1"}
        assert stores._store_pragma(store.db, "user_version") == 1
    with VoteStore(old_store) as store:  # again, as one of the present version
        store.put(["k2"], [Answer(1, raw="A")], JUDGE, "p", [2], server=Server("m-1"))
        assert set(store.get(["k0", "k1", "k2"])) == {"k0", "k1", "k2"}


def test_a_store_of_the_version_before_can_be_merged(old_store, tmp_path):
    before = old_store.read_bytes()
    assert merge_stores([old_store], tmp_path / "all.sqlite") == 2
    assert old_store.read_bytes() == before
    with StoredAnswers(tmp_path / "all.sqlite") as store:
        assert set(store.get(["k0", "k1"])) == {"k0", "k1"}


def test_a_plan_writes_nothing_even_where_a_run_has_the_store_open(tmp_path):
    ds, path = load_sample().select(range(3)), tmp_path / "v.sqlite"
    with VoteStore(path) as store:
        store.put(["k"], [Answer(1, raw="A")], JUDGE, "p")
        before = files(tmp_path)
        assert plan_votes(ds, Longer(), 2, path, progress=False)["questions"] == 6
        now = files(tmp_path)
    assert set(now) == set(before)
    assert {n: b for n, b in now.items() if not n.endswith("-shm")} == {
        n: b for n, b in before.items() if not n.endswith("-shm")
    }
    missing = tmp_path / "folder" / "none.sqlite"
    plan_votes(ds, Longer(), 2, missing, progress=False)
    assert not missing.parent.exists()


@pytest.mark.parametrize(
    "lease, is_held", [(30, True), (-1, False), (1e9, False), (float("inf"), False)]
)
def test_a_lease_of_another_container_holds_until_it_ends(lease, is_held, tmp_path):
    with VoteStore(tmp_path / "v.sqlite") as store:
        store.db.execute("insert into claims values ('k', 'elsewhere:1:0.00:a')")
        store.db.execute(
            "insert into leases values ('elsewhere:1:0.00:a', ?)", [time.time() + lease]
        )
        store.db.commit()
        assert store.claim(["k"]) == (not is_held)


def test_a_lease_is_renewed_while_its_owner_works(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "_RENEWED_EVERY", 0.02)
    with VoteStore(tmp_path / "v.sqlite") as store:
        store.claim(["k"])
        (first,) = store.db.execute("select until from leases").fetchone()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            (now,) = store.db.execute("select until from leases").fetchone()
            if now > first:
                break
            time.sleep(0.02)
        assert now > first
    with VoteStore(tmp_path / "v.sqlite") as store:  # the owner gave up its lease and claims
        assert store.db.execute("select count(*) from leases").fetchone() == (0,)


def test_no_failure_replaces_a_vote_and_no_impossible_vote_is_kept(tmp_path):
    with VoteStore(tmp_path / "v.sqlite") as store:
        store.put(["k"], [Answer(1, raw="A")], JUDGE, "p")
        store.put(["k"], [Answer(error="no plain verdict", raw="Hm")], JUDGE, "p")
        assert store.get(["k"])["k"].answer.first == 1
        store.put(["k"], [Answer(0, 1, raw="B")], JUDGE, "p")
        assert store.get(["k"])["k"].answer.second == 1
        for impossible in [Answer(1e9), Answer(-1, 2), Answer(float("nan")), Answer(0.5)]:
            with pytest.raises(ContractError, match="shares that sum to 1"):
                store.put(["l"], [impossible], JUDGE, "p")
        odd = Answer(1, raw="A\ud800", tokens_in=2**70, tokens_out=-4, seconds=float("inf"))
        store.put(["m"], [odd], JUDGE, "p")
        assert store.get(["m"])["m"].answer.raw == "A\\ud800"


def test_damaged_rows_are_reported_by_every_reader(tmp_path, caplog):
    path = tmp_path / "v.sqlite"
    with VoteStore(path) as store:
        store.put(["k", "l"], [Answer(1, raw="A")] * 2, JUDGE, "p", [0, 1])
        store.db.execute("update answers set first=1e9 where key='k'")
        store.db.commit()
    assert store_summary(path)["damaged"].tolist() == [1]
    assert merge_stores([path], tmp_path / "all.sqlite") == 1
    assert f"{path}: 1 damaged answers are left out" in caplog.text


def test_another_server_behind_the_same_name_is_reported_once(tmp_path, caplog):
    ds, path = load_sample().select(range(3)), tmp_path / "v.sqlite"
    first = dict(model=["m-1"], system_fingerprint=["fp_1"])
    ask_both_orders(ds.select([0]), Longer(first), 2, path, progress=False)
    ask_both_orders(ds.select([1]), Longer(first), 2, path, progress=False)
    assert not caplog.records
    ask_both_orders(ds, Longer(dict(model=["m-2"])), 2, path, progress=False)
    told = "longer answers as m-2, the answers in the store are by m-1, fingerprint fp_1"
    assert [r.getMessage()[: len(told)] for r in caplog.records] == [told]
    with VoteStore(path) as store:
        rows = store.db.execute("select model, count(*) from answers group by model").fetchall()
    assert rows == [("m-1", 4), ("m-2", 2)]


def test_a_full_disk_is_said_with_the_name_of_the_store(tmp_path):
    path = tmp_path / "v.sqlite"
    with VoteStore(path) as store:
        pages = stores._store_pragma(store.db, "page_count")
        store.db.execute(f"pragma max_page_count={pages}")
        with pytest.raises(ContractError, match=f"{path}: `store`: .* full"):
            store.put(["k"], [Answer(1, raw="A" * 99_999)], JUDGE, "p")
