"""Those who are told of answered requests: a slow or a broken one costs no request anything."""

import gc
import json
import multiprocessing
import random
import threading
import time
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import FunctionType, ModuleType

import pytest
from support.events import answered_requests, heard_events, log_lines
from support.service import Service, a_service

from postgate.observe import events, telling
from postgate.observe.alike import Answered, Kind, answered_together
from postgate.observe.events import Event, RecordsDropped, UnexpectedFailure
from postgate.observe.log import Log
from postgate.observe.requests import RequestRecord
from postgate.service import Service as ServiceOfAWorker


def answer(count: int) -> None:
    for _ in range(count):
        telling.answered(RequestRecord.of({"PATH_INFO": "/query"}))


def test_one_that_fails_keeps_nothing_from_the_others() -> None:
    def fail(_: Answered) -> None:
        raise RuntimeError

    telling.listen(fail)
    try:
        with heard_events() as heard, answered_requests() as told:
            answer(3)
    finally:
        telling.unlisten(fail)
    assert len(told) == 3
    assert {type(event) for event in heard} == {UnexpectedFailure}


def test_the_thread_goes_on_after_a_failure_of_its_own() -> None:
    class Broken(RequestRecord):
        def settle(self, monotonic_began: float) -> None:
            raise RuntimeError

    heard: SimpleQueue[Event] = SimpleQueue()
    events.listen(heard.put)
    try:
        with answered_requests() as told:
            telling.answered(Broken.of({}))
            assert isinstance(heard.get(timeout=10), UnexpectedFailure)
            answer(1)
    finally:
        events.unlisten(heard.put)
    assert len(told) == 1


@pytest.mark.parametrize("log_statements", ["none", "all"])
def test_what_waits_to_be_told_keeps_no_parameter(shared_service: Service, log_statements: str) -> None:
    """Twenty thousand requests may wait, long after the memory for their bodies was given back."""
    value = "canary of a parameter"
    with a_service(shared_service.conninfo, log_statements=log_statements) as service, answered_requests() as told:
        token = shared_service.tenant().token
        assert service.query("SELECT $1 AS a", value, token=token).status == 200
        assert service.query("SELECT $1 FROM missing", value, token=token).status == 500
        # Nothing remembers texts of these lengths.
        assert service.query(f"SELECT '{value}'{' ' * 9000}AS a", token=token).status == 200
        assert service.query(f"SELECT '{value}{' ' * 70_000}' AS a", token=token).status == 200
        telling.tell_now()
        assert len(told) == 4
        assert all((record.texts is not None) == (log_statements == "all") for record in told)
        kept = [text for text in reached_from(told) if value in text]
        assert [len(text) < 10_000 for text in kept] == ([] if log_statements == "none" else [True])


def reached_from(root: object) -> set[str]:
    """The texts that live as long as an object does, but for what modules and classes have."""
    seen: set[int] = set()
    left, texts = [root], set()
    while left:
        found = left.pop()
        if id(found) in seen or isinstance(found, ModuleType | type | FunctionType | ServiceOfAWorker):
            continue
        seen.add(id(found))
        if isinstance(found, str):
            texts.add(found)
        left += gc.get_referents(found)
    return texts


def test_what_is_too_much_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_MAX_WAITING", 10)
    goes_on, has_begun = threading.Event(), threading.Event()

    def wait(_: Answered) -> None:
        has_begun.set()
        goes_on.wait(10)

    with heard_events() as heard, answered_requests() as told:
        telling.listen(wait)
        try:
            answer(1)
            assert has_begun.wait(10)
            answer(25)
        finally:
            goes_on.set()
            telling.unlisten(wait)
    assert len(told) == 11
    assert RecordsDropped(15) in heard


def _in_a_child(sender: Connection) -> None:
    told: list[RequestRecord] = []
    has_told = threading.Event()

    def listen(answered: Answered) -> None:
        told.extend(answered.records)
        has_told.set()

    telling.listen(listen)
    answer(2)
    has_told.wait(10)
    sender.send([record.id for record in told])


def test_a_forked_process_tells_its_own() -> None:
    receiver, sender = multiprocessing.Pipe()
    with answered_requests():
        # Told of in this process, in a moment.
        answer(5)
        random.seed(1)
        before = RequestRecord.of({}).id
        random.seed(1)
        child = multiprocessing.get_context("fork").Process(target=_in_a_child, args=[sender])
        child.start()
        assert receiver.poll(20)
        ids = receiver.recv()
        assert len(ids) == 2
        child.join(10)
        # They are nobody else's: neither its parent's nor those of whoever sets the numbers of the process.
        assert len({before, *ids, *(RequestRecord.of({}).id for _ in range(2))}) == 5


def test_a_log_that_nobody_reads_costs_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """stderr is closed, or its reader has gone."""

    class Gone:
        def fileno(self) -> int:
            return 1_000_000

    monkeypatch.setattr("sys.stderr", Gone())
    log = Log("debug", as_json=True)
    log.heard(RecordsDropped(1))
    record = RequestRecord.of({})
    record.ended = time.monotonic()
    log.answered(answered_together([record]))


def settled(**attributes: object) -> RequestRecord:
    record = RequestRecord.of({"postgate.arrived": 100.0, "HTTP_X_REQUEST_ID": "a"})
    record.answer_at, record.ended = 100.25, 100.5
    for name, value in attributes.items():
        setattr(record, name, value)
    record.settle(0.0)
    return record


@pytest.mark.parametrize("name", Kind.__annotations__)
def test_requests_that_differ_in_one_respect_are_not_alike(name: str) -> None:
    other: object = {"statements": (("f", frozenset({"SELECT"})),), "status": 404, "attempts": 2}.get(name, "other")
    attributes = {"read_at": 100.125} if name == "stages" else {name: other}
    records = [settled(), settled(**attributes), settled()]
    told = answered_together(records)
    first, second = told.alike
    assert getattr(first.kind, name) == getattr(records[0], name) != getattr(second.kind, name)
    assert [first.records, second.records] == [[records[0], records[2]], [records[1]]]
    assert told.of_each == [first, second, first]


def test_amounts_of_requests_that_are_alike_are_added() -> None:
    amounts = {"rows": 2, "body_bytes": 30, "answer_bytes": 400}
    records = [settled(id="a", client="b", **amounts), settled(id="c", **amounts), settled()]
    (alike,) = answered_together(records).alike
    assert (alike.rows, alike.body_bytes, alike.answer_bytes) == (4, 60, 800)
    assert (alike.seconds, alike.stages_ms) == ((0.5,) * 3, {"queue": 750.0, "answer": 750.0})


def test_lines_stand_in_the_order_of_the_answers() -> None:
    with log_lines(slow_ms=400) as lines:
        for number, code in enumerate(["", "NOT_FOUND", "", "UNAVAILABLE", "NOT_FOUND", ""]):
            record = settled(id=str(number), code=code, queue_at=100.0 + number % 2 / 5)
            telling.answered(record)
    assert [json.loads(line)["request_id"] for line in lines] == list("012345")
    # Slow, or of a code that is a warning.
    levels = ["warning", "info", "warning", "warning", "warning", "info"]
    assert [json.loads(line)["level"] for line in lines] == levels
