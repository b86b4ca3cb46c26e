"""The driver's own test: commands go to this machine's bash in place of a booted one's."""

import io
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from .boot import Boot
from .errors import MachineError, RequestedAssertionFailed
from .logger import Logger
from .machine import Machine, properties, retry, shell_line
from .nspawn import pack
from .qemu import EMULATION_RETRIES, GREETING, GuestEnded, QemuMachine


class Silent(Logger):
    def log(self, message: str, machine: str | None = None) -> None:
        pass


class HereMachine(Machine):
    """Runs what it is told right here."""

    def __init__(self) -> None:
        super().__init__(mock.Mock(), Silent(), Path("/nonexistent"))

    def connect(self) -> None:
        pass

    def _execute(
        self, command: str, check_return: bool, check_output: bool, timeout: int | None
    ) -> tuple[int, str]:
        done = subprocess.run(
            shell_line(command, timeout), capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    def _restart(self) -> None: ...

    def copy_from_host(self, source: str, target: str) -> None: ...

    def _fetch(self, source: str) -> bytes:
        return b""


class ScriptedMachine(HereMachine):
    """Answers systemctl with what it was given, the last answer for ever."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self.answers = list(answers)

    def _execute(self, command: str, *_: Any) -> tuple[int, str]:
        if "list-jobs" in command:
            return 0, "No jobs running.\n"
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return 0, f"ActiveState={answer}\n"


class Commands(unittest.TestCase):
    def setUp(self) -> None:
        self.machine = HereMachine()

    def test_succeed_runs_all_and_returns_their_output(self) -> None:
        self.assertEqual(self.machine.succeed("echo one", "echo two"), "one\ntwo\n")

    def test_a_failure_anywhere_in_a_line_or_pipe_counts(self) -> None:
        for command in ("false; true", "false | true", "echo $UNSET_VARIABLE", "exit 3"):
            with self.subTest(command), self.assertRaises(RequestedAssertionFailed):
                self.machine.succeed(command)

    def test_fail_wants_failure(self) -> None:
        self.machine.fail("false")
        with self.assertRaises(RequestedAssertionFailed):
            self.machine.fail("true")

    def test_execute_returns_status_and_output_and_124_when_out_of_time(self) -> None:
        self.assertEqual(self.machine.execute("echo x; exit 7"), (7, "x\n"))
        self.assertEqual(self.machine.execute("sleep 5", timeout=1)[0], 124)

    def test_waits_end_with_the_output_or_in_an_error(self) -> None:
        self.assertEqual(self.machine.wait_until_succeeds("echo x", timeout=5), "x\n")
        self.machine.wait_until_fails("false", timeout=5)
        with self.assertRaises(RequestedAssertionFailed):
            self.machine.wait_until_succeeds("false", timeout=1)


class Units(unittest.TestCase):
    def test_an_active_unit_is_waited_for(self) -> None:
        with mock.patch("time.sleep"):
            ScriptedMachine("activating", "active").wait_for_unit("a.service")

    def test_a_failed_unit_ends_the_wait(self) -> None:
        with self.assertRaisesRegex(RequestedAssertionFailed, "failed"):
            ScriptedMachine("failed").wait_for_unit("a.service")

    def test_an_inactive_unit_with_nothing_to_come_ends_the_wait(self) -> None:
        with self.assertRaisesRegex(RequestedAssertionFailed, "no pending jobs"):
            ScriptedMachine("inactive").wait_for_unit("a.service")

    def test_require_unit_state_compares(self) -> None:
        ScriptedMachine("inactive").require_unit_state("a.service", "inactive")
        with self.assertRaises(RequestedAssertionFailed):
            ScriptedMachine("inactive").require_unit_state("a.service")

    def test_properties_may_hold_equal_signs_and_other_lines_are_none(self) -> None:
        self.assertEqual(properties("A=1\nB=x=y\n\nnoise\nC="), {"A": "1", "B": "x=y", "C": ""})


class Retries(unittest.TestCase):
    def test_the_last_try_is_announced(self) -> None:
        tries: list[bool] = []

        def check(last: bool) -> bool:
            tries.append(last)
            return False

        with mock.patch("time.sleep"), mock.patch("time.monotonic", side_effect=[0, 0, 1, 2, 3]):
            with self.assertRaisesRegex(RequestedAssertionFailed, "timed out"):
                retry(check, timeout_seconds=2)
        self.assertEqual(tries, [False, False, True])


class Booting(unittest.TestCase):
    def boot(self, script: str) -> Boot:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        boot = Boot(["sh", "-c", script], Path(directory.name) / "console")
        self.addCleanup(boot.end)
        return boot

    def test_events_are_waited_for_by_kind(self) -> None:
        boot = self.boot("""echo '{"event":"other"}'; echo '{"event":"leader","pid":7}'; read order""")
        boot.start(False)
        self.assertEqual(boot.event("leader", 5)["pid"], 7)

    def test_a_machine_that_ends_early_says_why(self) -> None:
        boot = self.boot("echo no such root >&2; sleep 0.2; exit 1")
        boot.start(False)
        with self.assertRaisesRegex(MachineError, "(?s)ended before.*no such root"):
            boot.event("leader", 5)

    def test_ending_it_gives_the_order_and_waits(self) -> None:
        boot = self.boot("read order; echo $order >&2")
        boot.start(False)
        boot.end()
        self.assertFalse(boot.running())


class EarlyPanics(unittest.TestCase):
    """Guests whose kernel falls over, played by a script that answers as `xtask boot` does."""

    PANIC = (
        "[    1.4] CPU: 1 UID: 0 PID: 0 Comm: swapper/1 Not tainted 6.12\n"
        "[    1.4] Kernel panic - not syncing: Fatal exception"
    )

    def machine(self, accelerator: str, falls: int, console: str = PANIC) -> QemuMachine:
        """A guest that greets at the boot after `falls` that end as `console` says."""
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        play = self.directory / "play.py"
        play.write_text(f"""if True:
            import json, pathlib, socket, sys
            boots = pathlib.Path({str(self.directory / "boots")!r})
            with boots.open("a") as log:
                print(*sys.argv[1:], file=log)
            number = len(boots.read_text().split(chr(10))) - 1
            shell = socket.socket(socket.AF_UNIX)
            path = f"{self.directory}/shell-{{number}}"
            shell.bind(path)
            shell.listen()
            event = dict(event="console", monitor="", accelerator={accelerator!r}, shell=path)
            print(json.dumps(event), flush=True)
            guest, _ = shell.accept()
            if number <= {falls}:
                print({console!r}, file=sys.stderr)
            else:
                guest.sendall({GREETING!r})
                sys.stdin.readline()
        """)
        boot = Boot(["python3", str(play)], self.directory / "console")
        machine = QemuMachine(boot, Silent(), self.directory)
        self.addCleanup(lambda: machine.shell and machine.shell.close())
        self.addCleanup(machine.release)
        return machine

    def boots(self) -> list[str]:
        return (self.directory / "boots").read_text().splitlines()

    def test_an_emulated_kernel_that_fell_over_is_booted_again_as_it_was(self) -> None:
        machine = self.machine("tcg", falls=EMULATION_RETRIES)
        machine.start(allow_reboot=True)
        machine.connect()
        self.assertTrue(machine.is_up())
        self.assertEqual(self.boots(), ["--allow-reboot"] * (EMULATION_RETRIES + 1))

    def test_one_that_always_falls_over_is_a_failure(self) -> None:
        machine = self.machine("tcg", falls=EMULATION_RETRIES + 1)
        with self.assertRaisesRegex(GuestEnded, "Kernel panic"):
            machine.connect()
        self.assertEqual(len(self.boots()), EMULATION_RETRIES + 1)

    def test_no_other_end_is_tried_again(self) -> None:
        for accelerator, console in (
            ("kvm", self.PANIC),
            ("tcg", "[    1.4] reboot: Power down"),
            ("tcg", self.PANIC.replace("swapper/1", "firewall")),
            ("tcg", "[    1.4] Kernel panic - not syncing: VFS: Unable to mount root fs"),
        ):
            with self.subTest(accelerator=accelerator, console=console):
                machine = self.machine(accelerator, 1, console)
                with self.assertRaises(GuestEnded):
                    machine.connect()
                self.assertEqual(len(self.boots()), 1)


class Copies(unittest.TestCase):
    def test_archives_are_owned_by_root_and_keep_modes(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "a"
            path.write_text("x")
            path.chmod(0o750)
            with tarfile.open(fileobj=io.BytesIO(pack(path, "b"))) as archive:
                (member,) = archive.getmembers()
        self.assertEqual((member.name, member.uid, member.mode), ("b", 0, 0o750))

    def test_a_source_that_is_not_there_is_named(self) -> None:
        with self.assertRaisesRegex(MachineError, "/no/such/file"):
            pack(Path("/no/such/file"), "b")


if __name__ == "__main__":
    unittest.main()
