"""Machines in QEMU: commands go to a root shell on the first virtio console, as on a NixOS test machine."""

import base64
import json
import os
import shlex
import socket
import time
from pathlib import Path

from .errors import MachineError
from .machine import Machine, shell_line
from .nspawn import pack

# Seconds until the guest's shell speaks; software emulation on a busy machine is slow.
BOOT_SECONDS = 600

# Times that a guest is booted again whose kernel fell over by itself before the shell was ready: on software emulation
# with more than one processor QEMU may run the half-written instruction of a kernel that patches itself as it boots.
EMULATION_RETRIES = 2

# What the guest's backdoor.service says when its shell is ready.
GREETING = b"Spawning backdoor root shell...\n"

# Bytes of a file sent, or of output fetched, in one go. QEMU drops what a console's reader does not take in time:
# no more is under way at once than the socket between them holds.
CHUNK_BYTES = 48 * 1024

# Where the guest keeps a command's output until it is fetched.
OUTPUT = "/run/backdoor-output"


def fell_over_by_itself(console: list[str]) -> bool:
    """Whether a guest's kernel panicked in its own boot or idle task, so for nothing that a process did."""
    panic = next((at for at, line in enumerate(console) if "Kernel panic - not syncing" in line), 0)
    tasks = [line.split(" Comm: ", 1)[1] for line in console[:panic] if " Comm: " in line]
    return bool(tasks) and all(task.startswith("swapper/") for task in tasks)


class GuestEnded(MachineError):
    """The guest was off before its shell was ready."""


class QemuMachine(Machine):
    """A guest with a kernel of its own."""

    shell: socket.socket | None = None
    monitor: str = ""
    accelerator: str = ""
    allow_reboot: bool = False

    def connect(self) -> None:
        if self.connected and self.boot.running():
            return
        with self.nested("waiting for the machine to finish booting"):
            for left in reversed(range(EMULATION_RETRIES + 1)):
                try:
                    self._open_shell()
                    self._await_greeting()
                    break
                except GuestEnded:
                    self.wait_for_shutdown()
                    if not (left and self.accelerator == "tcg" and fell_over_by_itself(self.boot.console_lines())):
                        raise
                    self.log(f"THE EMULATED KERNEL FELL OVER BY ITSELF; booting again ({left} left)")
                    self.start(self.allow_reboot)
            self.connected = True

    def _open_shell(self) -> None:
        if self.boot.running() and self.shell is not None:
            return
        self.start()
        console = self.boot.event("console", BOOT_SECONDS)
        self.monitor = console["monitor"]
        self.accelerator = console["accelerator"]
        self.shell = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.shell.connect(console["shell"])
        self.log(f"QEMU runs with -accel {self.accelerator}")

    def start(self, allow_reboot: bool = False) -> None:
        if not self.boot.running():
            self.allow_reboot = allow_reboot
            if self.shell is not None:
                self.shell.close()
                self.shell = None
        super().start(allow_reboot)

    def _await_greeting(self) -> None:
        assert self.shell is not None
        deadline = time.monotonic() + BOOT_SECONDS
        heard = b""
        while GREETING not in heard:
            self.shell.settimeout(max(deadline - time.monotonic(), 0.1))
            try:
                chunk = self.shell.recv(1024)
            except TimeoutError:
                said = "\n".join(self.boot.console_lines()[-20:])
                raise MachineError(f"the guest's shell was silent for {BOOT_SECONDS} s:\n{said}") from None
            if not chunk:
                said = "\n".join(self.boot.console_lines()[-20:])
                raise GuestEnded(f"the guest ended before its shell was ready:\n{said}")
            heard += chunk
        self.shell.settimeout(None)

    def _line(self) -> bytes:
        """One line that the shell prints."""
        assert self.shell is not None
        received = bytearray()
        while not received.endswith(b"\n"):
            chunk = self.shell.recv(65536)
            if not chunk:
                raise MachineError("the guest's shell is gone")
            received += chunk
        return bytes(received)

    def _ask(self, line: str) -> list[bytes]:
        """The words that one line of shell prints in one line."""
        assert self.shell is not None
        self.shell.sendall(f"{line}\n".encode())
        return self._line().split()

    def _execute(
        self, command: str, check_return: bool, check_output: bool, timeout: int | None
    ) -> tuple[int, str]:
        assert self.shell is not None
        words = " ".join(map(shlex.quote, shell_line(command, timeout)))
        if not check_output:
            self.shell.sendall(f"{words} < /dev/null > /dev/null &\n".encode())
            return -2, ""
        # cat: the output is complete when everything that the command started has closed it.
        first = self._ask(
            f"{words} < /dev/null | cat > {OUTPUT}; echo ${{PIPESTATUS[0]}} $(wc -c < {OUTPUT}) "
            f"$(head -c {CHUNK_BYTES} {OUTPUT} | base64 -w 0)"
        )
        status, size = int(first[0]), int(first[1])
        output = base64.b64decode(b"".join(first[2:]))
        while len(output) < size:
            part = self._ask(
                f"echo $(tail -c +{len(output) + 1} {OUTPUT} | head -c {CHUNK_BYTES} | base64 -w 0)"
            )
            output += base64.b64decode(b"".join(part))
        return (status if check_return else -1), output.decode(errors="replace")

    def _power_off(self) -> None:
        # Not by the power button: a guest that has just booted may not listen to it yet.
        self.execute("systemctl poweroff", check_output=False)

    def _restart(self) -> None:
        self.connect()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as monitor:
            monitor.connect(self.monitor)
            replies = monitor.makefile("r")
            replies.readline()
            keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
            for command in (
                {"execute": "qmp_capabilities"},
                {"execute": "send-key", "arguments": {"keys": keys}},
            ):
                monitor.sendall(json.dumps(command).encode() + b"\n")
                replies.readline()

    def copy_from_host(self, source: str, target: str) -> None:
        parent, name = os.path.split(target.rstrip("/"))
        archive = pack(Path(source), name)
        carrier = "/run/copy-from-host.tar"
        self.succeed(f": > {carrier}")
        for start in range(0, len(archive), CHUNK_BYTES):
            text = base64.b64encode(archive[start : start + CHUNK_BYTES]).decode()
            status, _ = self.execute(f"base64 -d >> {carrier} <<< {text}")
            if status != 0:
                raise MachineError(f"{source} was not copied (exit code {status})")
        into = shlex.quote(parent or "/")
        self.succeed(f"mkdir -p {into}; tar -x -C {into} --no-same-owner -f {carrier}; rm {carrier}")

    def _fetch(self, source: str) -> bytes:
        parent, name = os.path.split(source.rstrip("/"))
        return base64.b64decode(
            self.succeed(f"tar -c -C {shlex.quote(parent or '/')} {shlex.quote(name)} | base64 -w 0")
        )
