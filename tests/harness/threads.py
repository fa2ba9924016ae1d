"""Threads that work until their context ends."""
import threading


class Threads:
    """Runs `threads` within the context; they look at `stopped` and end soon after it is set."""

    def __init__(self):
        self.threads, self.stopped = [], threading.Event()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
