"""Waiting for what a real program does: poll the condition itself until a deadline, never sleep for
luck."""

import time


def eventually(condition, seconds=10.0, what="the condition", interval=0.02):
    """Call `condition` until it returns something true, and return that.

    What it raises (an AssertionError, a socket's error) counts as "not yet", and is the cause of
    the failure when the deadline passes."""
    deadline = time.monotonic() + seconds
    while True:
        cause = None
        try:
            value = condition()
            if value:
                return value
        except (AssertionError, OSError, ValueError, KeyError, IndexError) as error:
            cause = error
        if time.monotonic() >= deadline:
            raise AssertionError(
                f"{what}: not within {seconds:g} s" + (f": {cause}" if cause else "")
            ) from cause
        time.sleep(interval)
