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

# What the guest's backdoor.service says when its shell is ready.
GREETING = b"Spawning backdoor root shell..."

# Bytes of a file sent in one command.
CHUNK_BYTES = 32 * 1024


class QemuMachine(Machine):
    """A guest with a kernel of its own."""

    shell: socket.socket | None = None
    monitor: str = ""

    def connect(self) -> None:
        if self.connected and self.boot.running():
            return
        with self.nested("waiting for the machine to finish booting"):
            if not self.boot.running() or self.shell is None:
                self.start()
                console = self.boot.event("console", BOOT_SECONDS)
                self.monitor = console["monitor"]
                self.shell = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.shell.connect(console["shell"])
                self.log(f"QEMU runs with -accel {console['accelerator']}")
            self._await_greeting()
            self.connected = True

    def start(self, allow_reboot: bool = False) -> None:
        if not self.boot.running() and self.shell is not None:
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
                raise MachineError(f"the guest ended before its shell was ready:\n{said}")
            heard += chunk
        self.shell.settimeout(None)

    def _line(self) -> bytes:
        """One line of the shell's output."""
        assert self.shell is not None
        received = bytearray()
        while not received.endswith(b"\n"):
            chunk = self.shell.recv(65536)
            if not chunk:
                raise MachineError("the guest's shell is gone")
            received += chunk
        return bytes(received)

    def _execute(
        self, command: str, check_return: bool, check_output: bool, timeout: int | None
    ) -> tuple[int, str]:
        assert self.shell is not None
        words = " ".join(map(shlex.quote, shell_line(command, timeout)))
        self.shell.sendall(f"{words} | (base64 -w 0; echo)\n".encode())
        if not check_output:
            return -2, ""
        output = base64.b64decode(self._line()).decode(errors="replace")
        if not check_return:
            return -1, output
        self.shell.sendall(b"echo ${PIPESTATUS[0]}\n")
        return int(self._line()), output

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
