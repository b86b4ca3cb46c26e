"""The log of a test: one line for each thing asked, with the time that it took."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Logger:
    """Writes whole lines; machines' threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0

    def log(self, message: str, machine: str | None = None) -> None:
        prefix = f"{machine}: " if machine else ""
        with self._lock:
            for line in message.splitlines() or [""]:
                print("  " * self._depth + prefix + line, flush=True)

    info = log

    def error(self, message: str) -> None:
        with self._lock:
            print(f"!!! {message}", file=sys.stderr, flush=True)

    @contextmanager
    def nested(self, message: str, machine: str | None = None) -> Iterator[None]:
        self.log(message, machine)
        started = time.monotonic()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        self.log(f"(finished: {message}, in {time.monotonic() - started:.2f} seconds)", machine)

    @contextmanager
    def subtest(self, name: str) -> Iterator[None]:
        with self.nested(f"subtest: {name}"):
            try:
                yield
            except Exception as error:
                self.error(f'Test "{name}" failed with error: "{error}"')
                raise
