"""The store: records whole or absent, claims of the living respected and of the dead taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest

import numerics.store
from numerics.store import Store

CLAIMS = """
import sys, time
from numerics.store import Store
print(Store(sys.argv[1]).claim("task"), flush=True)
time.sleep(60)
"""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "records")


def claimant(store):
    """A process that claims 'task' and lives on."""
    process = subprocess.Popen([sys.executable, "-c", CLAIMS, str(store.place)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    return process


@pytest.mark.parametrize("damage", ["truncated", "altered", "emptied", "not text", "another file"])
def test_a_damaged_record_is_no_record(store, damage):
    store.save("a", {"m": 0.25})
    whole = store.path("a").read_bytes()
    store.path("a").write_bytes(
        {
            "truncated": whole[: len(whole) // 2],
            "altered": whole.replace(b"0.25", b"0.26"),
            "emptied": b"",
            "not text": b"\xff\xfe\x00",
            "another file": b"[1, 2]",
        }[damage]
    )
    assert store.load("a") is None
    assert store.names() == ["a"]
    store.set_aside("a")
    store.set_aside("a")
    assert store.names() == []
    assert (store.place / "damaged" / "a.json").exists()


def test_what_is_claimed_is_claimed_once(store):
    assert store.claim("a")
    assert not store.claim("a")
    assert not Store(store.place).claim("a")
    assert store.claims() == ["a"]
    store.release("a")
    store.release("a")
    assert Store(store.place).claim("a")


def test_of_many_threads_one_gets_the_claim(store):
    for name in map(str, range(30)):
        won = []
        barrier = threading.Barrier(8)

        def race(name=name, won=won, barrier=barrier):
            barrier.wait()
            won.append(Store(store.place).claim(name))

        threads = [threading.Thread(target=race) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(won) == [False] * 7 + [True]


def test_a_claim_of_a_living_process_holds_and_of_a_killed_one_does_not(store):
    process = claimant(store)
    try:
        assert not store.claim("task")
        assert store.claims() == ["task"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert store.claims() == []
    assert store.claim("task")
    assert store.claims() == ["task"]


def _foreign(store, name, *, age):
    """Pretend that another machine has the claim, and that its last sign of life was so long ago."""
    path = store.place / "claims" / f"{name}.claim"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "place": "elsewhere", "token": "x"}))
    os.utime(path, (time.time() - age,) * 2)


def test_a_claim_from_elsewhere_holds_while_it_is_fresh(store):
    other = Store(store.place)
    assert other.claim("a")
    _foreign(store, "a", age=numerics.store.STALE_AFTER / 2)
    assert not store.claim("a")
    _foreign(store, "a", age=numerics.store.STALE_AFTER * 2)
    assert store.claims() == []
    assert store.claim("a")
    other.release("a")  # taken over in the meantime: no longer his to give back
    assert store.claims() == ["a"]


def test_a_number_that_another_process_got_meanwhile_is_not_taken_for_the_owner(store):
    assert Store(store.place).claim("a")
    path = store.place / "claims" / "a.claim"
    path.write_text(json.dumps({**json.loads(path.read_text()), "born": "0"}))
    assert store.claim("a")


def test_signs_of_life(store, monkeypatch):
    monkeypatch.setattr(numerics.store, "BEAT", 0.05)
    assert store.claim("a")
    path = store.place / "claims" / "a.claim"
    os.utime(path, (0.0, 0.0))
    deadline = time.monotonic() + 10
    while path.stat().st_mtime == 0.0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    store.release("a")
    deadline = time.monotonic() + 10
    while store._stop is not None:  # the thread ends with the last claim
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_drafts_of_killed_runs_are_removed_and_those_being_written_are_not(store):
    store.save("a", {})
    old, new = store.place / ".a-old.json", store.place / ".a-new.json"
    for draft in (old, new):
        draft.write_text("{")
    os.utime(old, (0.0, 0.0))
    store.tidy()
    assert not old.exists()
    assert new.exists()
    assert store.names() == ["a"]
