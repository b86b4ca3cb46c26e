"""What the NixOS test driver calls `machine`; how it is booted and how commands reach it is a backend's matter."""

import re
import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from .boot import Boot
from .errors import RequestedAssertionFailed
from .logger import Logger

# Seconds that a command, and a wait, may take unless the test says otherwise.
PATIENCE = 900


def retry(check: Callable[[bool], bool], timeout_seconds: int = PATIENCE) -> None:
    """Calls `check` each second until it returns true; on time-out once more with True, for the last time."""
    started = time.monotonic()
    while time.monotonic() - started < timeout_seconds:
        if check(False):
            return
        time.sleep(1)
    elapsed = time.monotonic() - started
    if not check(True):
        raise RequestedAssertionFailed(
            f"action timed out after {elapsed:.2f} seconds (timeout={timeout_seconds})"
        )


def properties(text: str) -> dict[str, str]:
    """The `Key=value` lines of `systemctl show`."""
    pairs = (re.match(r"^([^=]+)=(.*)$", line) for line in text.split("\n"))
    return {pair[1]: pair[2] for pair in pairs if pair}


def shell_line(command: str, timeout: int | None) -> list[str]:
    """The words that run a test's command: strictly, and no longer than `timeout` seconds."""
    limit = ["timeout", str(timeout)] if timeout is not None else []
    return [*limit, "bash", "-c", f"set -euo pipefail; {command}"]


class Machine(ABC):
    """A machine that a test can start, command, crash and start again with the same disk."""

    def __init__(self, boot: Boot, logger: Logger, out_dir: Path, name: str = "machine") -> None:
        self.boot = boot
        self.logger = logger
        self.out_dir = out_dir
        self.name = name
        self.connected = False

    # ------------------------------------------------------------- a backend's part

    @abstractmethod
    def connect(self) -> None:
        """Starts the machine if need be, and waits until it takes commands."""

    @abstractmethod
    def _execute(
        self, command: str, check_return: bool, check_output: bool, timeout: int | None
    ) -> tuple[int, str]: ...

    @abstractmethod
    def _restart(self) -> None:
        """Asks the guest to restart, as Ctrl+Alt+Delete does."""

    def _power_off(self) -> None:
        self.boot.order("poweroff")

    @abstractmethod
    def copy_from_host(self, source: str, target: str) -> None:
        """Copies a file or directory into the machine, keeping its mode; root owns it there."""

    @abstractmethod
    def _fetch(self, source: str) -> bytes:
        """`source` in the machine as a tar archive."""

    # ------------------------------------------------------------- life

    def is_up(self) -> bool:
        return self.boot.running() and self.connected

    def start(self, allow_reboot: bool = False) -> None:
        """Starts the machine and returns at once."""
        if self.boot.running():
            return
        self.log("starting")
        self.connected = False
        self.boot.start(allow_reboot)

    def wait_for_shutdown(self) -> None:
        """Waits until the machine is off; does not ask it to be."""
        if self.boot.running():
            with self.nested("waiting for the machine to power off"):
                self.boot.wait()
        self.connected = False

    def shutdown(self) -> None:
        """Shuts the machine down in order."""
        if self.boot.running():
            self._power_off()
            self.wait_for_shutdown()

    def crash(self) -> None:
        """Ends the machine at once, as a power cut does; `start` boots it again with the same disk."""
        if self.boot.running():
            self.log("forced crash")
            self.boot.order("crash")
            self.wait_for_shutdown()

    def reboot(self) -> None:
        """Restarts the machine in order, which must have been started with `allow_reboot=True`."""
        self._restart()
        self.connected = False

    def release(self) -> None:
        """Frees what the machine occupies on the host."""
        self.boot.end()

    # ------------------------------------------------------------- commands

    def log(self, msg: str) -> None:
        self.logger.log(msg, self.name)

    def nested(self, msg: str, attrs: dict[str, str] | None = None) -> AbstractContextManager[None]:
        return self.logger.nested(msg, self.name)

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: int | None = PATIENCE,
    ) -> tuple[int, str]:
        """Runs a command as root and returns its status and standard output (124: out of time)."""
        self.connect()
        return self._execute(command, check_return, check_output, timeout)

    def succeed(self, *commands: str, timeout: int | None = None) -> str:
        """Runs each command, which must succeed; returns what they print."""
        output = ""
        for command in commands:
            with self.nested(f"must succeed: {command}"):
                status, out = self.execute(command, timeout=timeout)
                if status != 0:
                    self.log(f"output: {out}")
                    raise RequestedAssertionFailed(f"command `{command}` failed (exit code {status})")
                output += out
        return output

    def fail(self, *commands: str, timeout: int | None = None) -> str:
        """Runs each command, which must fail; returns what they print."""
        output = ""
        for command in commands:
            with self.nested(f"must fail: {command}"):
                status, out = self.execute(command, timeout=timeout)
                if status == 0:
                    raise RequestedAssertionFailed(f"command `{command}` unexpectedly succeeded")
                output += out
        return output

    def _wait_until(self, command: str, wanted: Callable[[int], bool], timeout: int) -> str:
        output = ""

        def check(_last: bool) -> bool:
            nonlocal output
            status, output = self.execute(command, timeout=timeout)
            return wanted(status)

        retry(check, timeout)
        return output

    def wait_until_succeeds(self, command: str, timeout: int = PATIENCE) -> str:
        """Repeats a command each second until it succeeds."""
        with self.nested(f"waiting for success: {command}"):
            return self._wait_until(command, lambda status: status == 0, timeout)

    def wait_until_fails(self, command: str, timeout: int = PATIENCE) -> str:
        """Repeats a command each second until it fails."""
        with self.nested(f"waiting for failure: {command}"):
            return self._wait_until(command, lambda status: status != 0, timeout)

    def sleep(self, secs: int) -> None:
        """Sleeps in the machine's time."""
        self.succeed(f"sleep {secs}")

    # ------------------------------------------------------------- files and sockets

    def wait_for_file(self, filename: str, timeout: int = PATIENCE) -> None:
        with self.nested(f"waiting for file '{filename}'"):
            retry(lambda _last: self.execute(f"test -e {filename}")[0] == 0, timeout)

    def _port_is_open(self, addr: str, port: int) -> bool:
        # bash connects; nothing needs to be installed.
        return self.execute(f"exec 3<>/dev/tcp/{addr}/{port}", timeout=5)[0] == 0

    def wait_for_open_port(self, port: int, addr: str = "localhost", timeout: int = PATIENCE) -> None:
        with self.nested(f"waiting for TCP port {port} on {addr}"):
            retry(lambda _last: self._port_is_open(addr, port), timeout)

    def wait_for_closed_port(self, port: int, addr: str = "localhost", timeout: int = PATIENCE) -> None:
        with self.nested(f"waiting for TCP port {port} on {addr} to be closed"):
            retry(lambda _last: not self._port_is_open(addr, port), timeout)

    def wait_for_open_unix_socket(
        self, addr: str, is_datagram: bool = False, timeout: int = PATIENCE
    ) -> None:
        kind = "SOCK_DGRAM" if is_datagram else "SOCK_STREAM"
        program = f"import socket; socket.socket(socket.AF_UNIX, socket.{kind}).connect({addr!r})"
        with self.nested(f"waiting for a UNIX-domain socket on '{addr}'"):
            retry(lambda _last: self.execute(f"python3 -c {shlex.quote(program)}")[0] == 0, timeout)

    def copy_from_machine(self, source: str, target_dir: str = "") -> None:
        """Copies a file or directory of the machine into the test's output directory."""
        import io
        import tarfile

        destination = self.out_dir / target_dir
        destination.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(self._fetch(source))) as archive:
            archive.extractall(destination, filter="data")

    copy_from_vm = copy_from_machine

    # ------------------------------------------------------------- units

    def systemctl(self, q: str, user: str | None = None) -> tuple[int, str]:
        """Runs systemctl; for a user's own manager where `user` is given."""
        if user is not None:
            q = q.replace("'", "\\'")
            return self.execute(
                f"su -l {user} --shell /bin/sh -c "
                f"$'XDG_RUNTIME_DIR=/run/user/`id -u` systemctl --user {q}'"
            )
        return self.execute(f"systemctl {q}")

    def start_job(self, jobname: str, user: str | None = None) -> tuple[int, str]:
        return self.systemctl(f"start {jobname}", user)

    def stop_job(self, jobname: str, user: str | None = None) -> tuple[int, str]:
        return self.systemctl(f"stop {jobname}", user)

    def get_unit_info(self, unit: str, user: str | None = None) -> dict[str, str]:
        """All properties of a unit."""
        status, lines = self.systemctl(f'--no-pager show "{unit}"', user)
        if status != 0:
            raise RequestedAssertionFailed(
                f'retrieving systemctl info for unit "{unit}" failed with exit code {status}'
            )
        return properties(lines)

    def get_unit_property(self, unit: str, property: str, user: str | None = None) -> str:
        """One property of a unit."""
        status, lines = self.systemctl(f'--no-pager show "{unit}" --property="{property}"', user)
        if status != 0:
            raise RequestedAssertionFailed(
                f'retrieving systemctl property "{property}" for unit "{unit}" failed with exit code {status}'
            )
        found = properties(lines)
        if property not in found:
            raise RequestedAssertionFailed(f'unit "{unit}" has no property "{property}": {lines!r}')
        return found[property]

    def require_unit_state(self, unit: str, require_state: str = "active") -> None:
        with self.nested(f"checking if unit '{unit}' has reached state '{require_state}'"):
            state = self.get_unit_info(unit)["ActiveState"]
            if state != require_state:
                raise RequestedAssertionFailed(
                    f"Expected unit '{unit}' to be in state '{require_state}' but it is in state '{state}'"
                )

    def wait_for_unit(self, unit: str, user: str | None = None, timeout: int = PATIENCE) -> None:
        """Waits until a unit is active; fails at once when it has failed, or is inactive with nothing to come."""

        def check(_last: bool) -> bool:
            state = self.get_unit_property(unit, "ActiveState", user)
            if state == "failed":
                raise RequestedAssertionFailed(f'unit "{unit}" reached state "{state}"')
            if state == "inactive":
                _status, jobs = self.systemctl("list-jobs --full 2>&1", user)
                if "No jobs" in jobs and self.get_unit_info(unit, user)["ActiveState"] == state:
                    raise RequestedAssertionFailed(
                        f'unit "{unit}" is inactive and there are no pending jobs'
                    )
            return state == "active"

        with self.nested(f"waiting for unit {unit}"):
            retry(check, timeout)

    # ------------------------------------------------------------- console

    def get_console_log(self) -> str:
        """What the console has said since this boot."""
        return "\n".join(self.boot.console_lines())

    def wait_for_console_text(self, regex: str, timeout: int | None = None) -> None:
        """Waits until the console's text matches."""
        with self.nested(f"waiting for {regex} to appear on console"):
            retry(
                lambda _last: re.search(regex, self.get_console_log()) is not None,
                timeout if timeout is not None else PATIENCE,
            )
