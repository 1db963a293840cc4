"""The circuit breaker, on a clock of its own."""

from chatbot.clients.circuit_breaker import CLOSED, HALF_OPEN, OPEN, Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def broken() -> tuple[Breaker, Clock]:
    """A breaker that has just opened."""
    clock = Clock()
    breaker = Breaker(3, 10, clock)
    for _ in range(3):
        assert breaker.enter() == 0
        breaker.failed()
    return breaker, clock


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(3, 10, Clock())
    for outcome in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed, breaker.failed):
        assert breaker.enter() == 0
        outcome()
    assert breaker.enter() == 0
    breaker.failed()
    assert breaker.enter() == 10


def test_while_open_it_says_how_long_to_wait() -> None:
    breaker, clock = broken()
    clock.now += 4
    assert breaker.enter() == 6


def test_one_probe_at_a_time_and_its_success_closes() -> None:
    breaker, clock = broken()
    clock.now += 10
    assert breaker.enter() == 0
    assert breaker.enter() > 0
    breaker.succeeded()
    assert breaker.enter() == breaker.enter() == 0


def test_a_probe_that_fails_opens_again_at_once() -> None:
    breaker, clock = broken()
    clock.now += 10
    breaker.enter()
    breaker.failed()
    assert breaker.enter() == 10


def test_a_probe_that_was_given_up_leaves_its_place_to_the_next() -> None:
    breaker, clock = broken()
    clock.now += 10
    breaker.enter()
    breaker.left()
    assert breaker.enter() == 0


def test_it_tells_its_states() -> None:
    clock, states = Clock(), list[int]()
    breaker = Breaker(2, 10, clock, states.append)
    for outcome in (breaker.failed, breaker.failed):
        breaker.enter()
        outcome()
    clock.now += 10
    for outcome in (breaker.left, breaker.failed):
        breaker.enter()
        outcome()
        clock.now += 10
    breaker.enter()
    breaker.succeeded()
    assert states == [CLOSED, OPEN, HALF_OPEN, OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]
