"""Ctrl-C and pre-emption as requests."""

import os
import signal
import threading

import pytest

from polydiff.training.interrupt import Interrupt


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_a_request_and_the_second_interrupts(first, second):
    before = [signal.getsignal(number) for number in (first, second)]
    with Interrupt() as interrupt:
        assert not interrupt.requested
        os.kill(os.getpid(), first)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), second)
    assert [signal.getsignal(number) for number in (first, second)] == before


def test_threads_leave_signals_alone():
    entered = []

    def enter():
        with Interrupt() as interrupt:
            entered.append(interrupt.requested)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [False]
