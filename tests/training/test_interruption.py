"""A signal is noted while a step runs, and takes effect after it; a second one at once."""

from __future__ import annotations

import signal
import threading

import pytest

from densezoo.training.interruption import SIGNALS, Interruption


@pytest.fixture(autouse=True)
def _raising(monkeypatch: pytest.MonkeyPatch) -> object:
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def test_a_signal_takes_effect_at_the_end() -> None:
    with Interruption() as interruption:
        assert not interruption.asked
        interruption.end()
        with interruption.at_once():
            pass
        signal.raise_signal(signal.SIGINT)  # the evaluation is done: it is noted again
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            interruption.end()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_afterwards_signals_do_what_they_did_before() -> None:
    former = [signal.getsignal(number) for number in SIGNALS]
    with Interruption():
        assert not set(former) & {signal.getsignal(number) for number in SIGNALS}
    assert [signal.getsignal(number) for number in SIGNALS] == former


def test_a_second_one_takes_effect_at_once() -> None:
    with Interruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_in_an_evaluation_one_takes_effect_at_once() -> None:
    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt), interruption.at_once():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interruption.end()
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruption.at_once():
            pytest.fail("it came before")


def test_in_an_evaluation_one_is_raised_whatever_it_would_do_without_densezoo() -> None:
    """Else SIGTERM would end a program that calls densezoo before the state is saved."""
    ended = []
    former = signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    try:
        with Interruption() as interruption:
            with pytest.raises(KeyboardInterrupt), interruption.at_once():
                signal.raise_signal(signal.SIGTERM)
            assert not ended
            interruption.end()
            assert ended == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, former)


def test_another_thread_can_train() -> None:
    seen = []

    def train() -> None:
        with Interruption() as interruption:
            interruption.end()
            seen.append(interruption.asked)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert seen == [False]
