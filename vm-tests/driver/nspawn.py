"""Machines under systemd-nspawn: commands enter the namespaces of the container's PID 1."""

import io
import os
import signal
import subprocess
import tarfile
import time
from pathlib import Path

from .errors import MachineError
from .machine import Machine, shell_line

# Seconds that a container may take until its basic.target is reached.
BOOT_SECONDS = 120

# What a login shell of root would have.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LANG": "C.UTF-8",
    "PAGER": "",
}


class NspawnMachine(Machine):
    """A container that boots in seconds on the host's own kernel."""

    leader: int | None = None

    def connect(self) -> None:
        if self.connected and self.boot.running():
            return
        with self.nested("waiting for the machine to finish booting"):
            self.start()
            self.leader = int(self.boot.event("leader", BOOT_SECONDS)["pid"])
            deadline = time.monotonic() + BOOT_SECONDS
            # Commands may come as soon as they may on a virtual machine, whose shell is an ordinary service.
            while self._enter(["systemctl", "is-active", "--quiet", "basic.target"]).returncode != 0:
                if time.monotonic() > deadline:
                    raise MachineError(f"basic.target was not reached within {BOOT_SECONDS} s")
                time.sleep(0.1)
            self.connected = True

    def _entering(self, words: list[str]) -> list[str]:
        # env changes the directory inside the machine; nsenter itself would take the host's.
        return ["nsenter", "--target", str(self.leader), "--all", "--", "env", "--chdir=/tmp", *words]

    def _enter(self, words: list[str], stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self._entering(words),
            env=ENVIRONMENT,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )

    def _execute(
        self, command: str, check_return: bool, check_output: bool, timeout: int | None
    ) -> tuple[int, str]:
        words = shell_line(command, timeout)
        if not check_output:
            subprocess.Popen(
                self._entering(words),
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            return -2, ""
        done = self._enter(words)
        if done.returncode != 0 and done.stderr:
            self.log(f"stderr: {done.stderr.decode(errors='replace').rstrip()}")
        return (done.returncode if check_return else -1), done.stdout.decode(errors="replace")

    def _restart(self) -> None:
        self.connect()
        assert self.leader is not None
        # systemd takes SIGINT as PID 1 for Ctrl+Alt+Delete.
        os.kill(self.leader, signal.SIGINT)

    def copy_from_host(self, source: str, target: str) -> None:
        self.connect()
        parent, name = os.path.split(target.rstrip("/"))
        done = self._enter(
            ["sh", "-c", 'mkdir -p "$1" && tar -x -C "$1" --no-same-owner', "sh", parent or "/"],
            pack(Path(source), name),
        )
        if done.returncode != 0:
            raise MachineError(f"{source} was not copied: {done.stderr.decode(errors='replace')}")

    def _fetch(self, source: str) -> bytes:
        self.connect()
        parent, name = os.path.split(source.rstrip("/"))
        done = self._enter(["tar", "-c", "-C", parent or "/", name])
        if done.returncode != 0:
            raise MachineError(f"{source} was not copied: {done.stderr.decode(errors='replace')}")
        return done.stdout


def pack(source: Path, name: str) -> bytes:
    """A tar archive with `source` as `name`, owned by root."""

    def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    if not source.exists():
        raise MachineError(f"{source} does not exist on the host")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(source, arcname=name, filter=as_root)
    return archive.getvalue()
