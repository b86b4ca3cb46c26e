"""Runs one test script: `python3 -m driver --out DIR --xtask PROGRAM SCRIPT -- nspawn|qemu BOOT-ARGUMENTS…`."""

import argparse
import os
import sys
import traceback
import unittest
from pathlib import Path
from typing import Any

from .boot import Boot
from .errors import MachineError, RequestedAssertionFailed
from .logger import Logger
from .machine import Machine, retry
from .nspawn import NspawnMachine
from .qemu import QemuMachine

BACKENDS: dict[str, type[Machine]] = {"nspawn": NspawnMachine, "qemu": QemuMachine}


class AssertionTester(unittest.TestCase):
    """`t` in a test script: unittest's assertions."""

    failureException = RequestedAssertionFailed


def symbols(machine: Machine, logger: Logger) -> dict[str, Any]:
    """The names that a script finds."""
    return {
        "machine": machine,
        "machines": [machine],
        "start_all": machine.start,
        "join_all": machine.wait_for_shutdown,
        "subtest": logger.subtest,
        "retry": retry,
        "log": logger,
        "os": os,
        "t": AssertionTester(),
    }


def tell_failure(script: Path, logger: Logger) -> None:
    """The error with the lines of the script that led to it, not the driver's."""
    kind, error, trace = sys.exc_info()
    logger.error("Traceback (most recent call last):")
    own = [frame for frame in traceback.extract_tb(trace) if frame.filename == str(script)]
    for line in traceback.format_list(own):
        logger.error(line.rstrip())
    logger.error(f"{kind.__name__ if kind else 'Error'}: {error}")


def tell_state(machine: Machine, logger: Logger) -> None:
    """What the machine itself says about its state, for whoever reads a failed test's log."""
    if not machine.is_up():
        return
    for command in (
        "systemctl --no-pager --failed",
        "journalctl --no-pager --boot --priority=notice --lines=60",
    ):
        try:
            _status, output = machine.execute(command, timeout=60)
        except (MachineError, OSError) as error:
            output = str(error)
        logger.log(f"{command}\n{output}", machine.name)


def main() -> int:
    parser = argparse.ArgumentParser(prog="driver", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where files copied from the machine go")
    parser.add_argument("--xtask", required=True, help="the xtask program")
    parser.add_argument("script", type=Path)
    parser.add_argument("boot", nargs="+", help="nspawn or qemu, and what `xtask boot` takes")
    arguments = parser.parse_args()

    logger = Logger()
    arguments.out.mkdir(parents=True, exist_ok=True)
    boot = Boot([arguments.xtask, "boot", *arguments.boot], arguments.out / "console.log")
    machine = BACKENDS[arguments.boot[0]](boot, logger, arguments.out)
    code = compile(arguments.script.read_text(), str(arguments.script), "exec")
    try:
        exec(code, symbols(machine, logger))
    except (Exception, KeyboardInterrupt):
        tell_failure(arguments.script, logger)
        tell_state(machine, logger)
        return 1
    finally:
        machine.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
