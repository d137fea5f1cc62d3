"""Calls in the background, made until they succeed."""

import threading
import time

import pytest

from pianoroll_seq2seq.trackers.outbox import Outbox


class Service:
    """Calls that fail for so many times, and a record of those made."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.made: list[str] = []
        self.errors: list[tuple[str, str]] = []
        self.keep = True

    def call(self, name: str) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("nobody there")
        self.made.append(name)

    def failed(self, name: str, error: Exception) -> bool:
        self.errors.append((name, str(error)))
        return self.keep


def test_calls_are_made_in_order_each_once() -> None:
    service = Service()
    outbox = Outbox(service.failed)
    for name in "abc":
        outbox.put(name, lambda name=name: service.call(name))
    assert outbox.deliver(10)
    assert service.made == ["a", "b", "c"]
    assert outbox.deliver(10)
    assert outbox.waiting() == []
    outbox.close()


def test_nobody_waits_for_a_call() -> None:
    """A training stands still while a server thinks."""
    go_on = threading.Event()
    outbox = Outbox(Service().failed)
    begin = time.monotonic()
    for number in range(1000):
        outbox.put(str(number), lambda: go_on.wait(30))
    assert not outbox.deliver(0.2)
    assert time.monotonic() - begin < 5
    assert len(outbox.waiting()) == 1000
    go_on.set()
    assert outbox.deliver(10)
    outbox.close()


def test_a_failed_call_is_kept_and_made_again_when_all_is_to_be_delivered() -> None:
    service = Service(failures=2)
    outbox = Outbox(service.failed)
    outbox.put("a", lambda: service.call("a"))
    outbox.put("b", lambda: service.call("b"))
    outbox.deliver(10)
    assert outbox.deliver(10)
    assert service.made == ["a", "b"]
    assert ("a", "nobody there") in service.errors
    outbox.close()


def test_it_tries_again_by_itself_but_not_without_pause() -> None:
    """A server that is down for a minute makes a training burn its time on knocking."""
    service = Service(failures=3)
    outbox = Outbox(service.failed, pause_seconds=0.2)
    begin = time.monotonic()
    outbox.put("a", lambda: service.call("a"))
    while not service.made:
        time.sleep(0.01)
        outbox.put("a", lambda: service.call("a"))
        assert time.monotonic() - begin < 10
    assert time.monotonic() - begin >= 0.5
    assert len(service.errors) == 3
    outbox.close()


def test_what_will_never_succeed_is_dropped() -> None:
    service = Service(failures=1)
    service.keep = False
    outbox = Outbox(service.failed)
    outbox.put("a", lambda: service.call("a"))
    assert outbox.deliver(10)
    assert (service.made, len(service.errors)) == ([], 1)
    outbox.close()


def test_closed_it_makes_no_more_calls() -> None:
    service = Service()
    outbox = Outbox(service.failed)
    outbox.close()
    outbox.put("a", lambda: service.call("a"))
    assert not outbox.deliver(0.2)
    assert outbox.waiting() == ["a"]
    assert service.made == []


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_waiting_ends_in_time(seconds: float) -> None:
    go_on = threading.Event()
    outbox = Outbox(Service().failed)
    outbox.put("a", lambda: go_on.wait(30))
    begin = time.monotonic()
    assert not outbox.deliver(seconds)
    assert time.monotonic() - begin < 5
    go_on.set()
    outbox.close()
