"""A machine's boot: the child process `xtask boot …`, which holds the one command line that there is."""

import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

from .errors import MachineError

# Seconds that the whole machine may take to be gone once it was told to.
STOP_SECONDS = 120

# Seconds that what an ended machine said last may take to be read.
LAST_WORDS_SECONDS = 5


class Boot:
    """Starts, orders and ends a machine; collects its events and its console."""

    def __init__(self, command: list[str], console: Path) -> None:
        self.command = command
        self.console = console
        self.process: subprocess.Popen[str] | None = None
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lines: list[str] = []
        self._collectors: list[threading.Thread] = []

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, allow_reboot: bool) -> None:
        self._events = queue.Queue()
        self._lines = []
        self.process = subprocess.Popen(
            [*self.command, *(["--allow-reboot"] if allow_reboot else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._collectors = [
            threading.Thread(target=target, args=(self.process,), daemon=True)
            for target in (self._collect_events, self._collect_console)
        ]
        for collector in self._collectors:
            collector.start()

    def _collect_events(self, process: subprocess.Popen[str]) -> None:
        events = self._events
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                events.put(json.loads(line))
        events.put(None)

    def _collect_console(self, process: subprocess.Popen[str]) -> None:
        lines = self._lines
        assert process.stderr is not None
        with self.console.open("a") as log, process.stderr:
            for line in process.stderr:
                line = line.rstrip("\r\n")
                lines.append(line)
                print(line, file=log, flush=True)

    def console_lines(self) -> list[str]:
        return list(self._lines)

    def event(self, kind: str, timeout: float) -> dict[str, Any]:
        """The next event of a kind; earlier ones of other kinds are passed over."""
        while True:
            try:
                event = self._events.get(timeout=timeout)
            except queue.Empty:
                raise MachineError(f"the machine did not report '{kind}' within {timeout:.0f} s") from None
            if event is None:
                said = "\n".join(self._lines[-20:])
                raise MachineError(f"the machine ended before it reported '{kind}':\n{said}")
            if event["event"] == kind:
                return event

    def order(self, word: str) -> None:
        if self.process is None or self.process.stdin is None:
            raise MachineError("the machine is not running")
        try:
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # It is off already.

    def wait(self, timeout: float | None = None) -> None:
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.wait(timeout)
            self.process.stdin.close()
            self.process = None
            for collector in self._collectors:
                collector.join(LAST_WORDS_SECONDS)

    def end(self) -> None:
        """Ends the machine whatever state it is in; the boot process frees everything before it goes."""
        if self.running():
            self.order("crash")
        try:
            self.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"the machine is still there {STOP_SECONDS} s after its end") from error
