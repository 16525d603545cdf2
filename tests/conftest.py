"""What holds for every test: what the machine does by chance fails none, and none keeps the others waiting.

Examples of Hypothesis have no deadline: how long one takes says how busy the machine is. Where `CI` is set, or pytest
is given --hypothesis-profile=ci, they are the same in every run; elsewhere they are new ones each time.

A test that takes longer than LONGEST is failed, with what each of its threads does. What even that does not end (a call
into C that never returns) ends the process some time later: `faulthandler_timeout` in pyproject.toml.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

LONGEST, AGAIN = 400.0, 10.0  # seconds; and again, for what waits anew while it is being ended

settings.register_profile("keystead", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
if settings.get_current_profile_name() == "default":
    settings.load_profile("keystead")


def _too_long(*_: object) -> None:
    faulthandler.dump_traceback(sys.__stderr__)
    pytest.fail(f"it has not ended within {LONGEST:.0f} seconds")


Step = Generator[None, object, object]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Step:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, LONGEST, AGAIN)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _bounded() -> Step:
    """A step of a test's own; what pytest does between them is left alone."""
    signal.signal(signal.SIGALRM, _too_long)
    try:
        return (yield)
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Step:
    return (yield from _bounded())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Step:
    return (yield from _bounded())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Step:
    return (yield from _bounded())
