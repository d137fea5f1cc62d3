"""Calls in the background, retried until they succeed."""

import threading
import time

import pytest

from pianoroll_seq2seq.trackers.retry_queue import RetryQueue


class Service:
    """Calls that fail so many times, and a record of those made."""

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

    def on_error(self, name: str, error: Exception) -> bool:
        self.errors.append((name, str(error)))
        return self.keep


def test_calls_are_made_in_order_each_once() -> None:
    service = Service()
    queue = RetryQueue(service.on_error)
    for name in "abc":
        queue.put(name, lambda name=name: service.call(name))
    assert queue.flush(10)
    assert service.made == ["a", "b", "c"]
    assert queue.flush(10)
    assert queue.pending() == []
    queue.close()


def test_the_caller_does_not_wait_for_a_call() -> None:
    """Training stops while a server is slow."""
    released = threading.Event()
    queue = RetryQueue(Service().on_error)
    for number in range(1000):
        queue.put(str(number), lambda: released.wait(30))
    assert not queue.flush(0.2)
    assert len(queue.pending()) == 1000
    released.set()
    assert queue.flush(10)
    queue.close()


def test_a_failed_call_is_kept_and_retried_by_a_flush() -> None:
    service = Service(failures=2)
    queue = RetryQueue(service.on_error)
    queue.put("a", lambda: service.call("a"))
    queue.put("b", lambda: service.call("b"))
    queue.flush(10)
    assert queue.flush(10)
    assert service.made == ["a", "b"]
    assert ("a", "nobody there") in service.errors
    queue.close()


def test_it_retries_without_a_flush_but_only_after_a_pause() -> None:
    """A server that is down for a minute makes training spend its time on retries."""
    service = Service(failures=3)
    queue = RetryQueue(service.on_error, pause_seconds=0.2)
    begin = time.monotonic()
    queue.put("a", lambda: service.call("a"))
    while not service.made:
        time.sleep(0.01)
        queue.put("a", lambda: service.call("a"))
        assert time.monotonic() - begin < 60
    assert time.monotonic() - begin >= 0.5
    assert len(service.errors) == 3
    queue.close()


def test_a_call_that_is_not_to_be_retried_is_dropped() -> None:
    service = Service(failures=1)
    service.keep = False
    queue = RetryQueue(service.on_error)
    queue.put("a", lambda: service.call("a"))
    assert queue.flush(10)
    assert (service.made, len(service.errors)) == ([], 1)
    queue.close()


def test_closed_it_makes_no_more_calls() -> None:
    service = Service()
    queue = RetryQueue(service.on_error)
    queue.close()
    queue.put("a", lambda: service.call("a"))
    assert not queue.flush(0.2)
    assert queue.pending() == ["a"]
    assert service.made == []


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_waiting_ends_in_time(seconds: float) -> None:
    released = threading.Event()
    queue = RetryQueue(Service().on_error)
    queue.put("a", lambda: released.wait(30))
    assert not queue.flush(seconds)
    released.set()
    queue.close()
