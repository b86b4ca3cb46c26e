# What is forbidden is tried, from inside each unit. Every service confines itself exactly as in service and then tries each
# forbidden act; so does the unit alone, without the service's own confinement; and a control where nothing forbids shows
# that the attempts are real. A NixOS test script: it calls only the test driver's API.
import json
import re
import shlex
from typing import Any

# The units, and the forbidden acts that a unit's own sandbox alone lets through, beside UNIT_LEAVES.
UNITS: dict[str, set[str]] = {
    "casemate-gate.service": set(),
    "casemate-chat@demo.service": {
        # the unit shows it the folder, as a file alone would not follow its replacement; Landlock hides the other files
        "list /var/lib/casemate/bots",
        "read /var/lib/casemate/bots/other.toml",
    },
    # an instance of the bot whose store, anchor, key and sockets are the foreign ones: what is its sibling's is foreign too
    "casemate-chat@other.2.service": {
        "list /var/lib/casemate/bots",
        "read /var/lib/casemate/bots/other.toml",
    },
    "casemate-fill@other.2.service": set(),
    "casemate-llm.service": set(),
    "casemate-dialer.service": {
        # RestrictAddressFamilies= knows no protocols
        "open a socket: INET MPTCP",
        # it lives in the host's network, where abstract sockets are
        "connect to abstract @casemate-proof",
    },
    "casemate-guard.service": set(),
    "casemate-firewall.service": {
        # its family, whose protocols RestrictAddressFamilies= does not know
        "open a socket: NETLINK audit",
        # it lives in the host's network, where abstract sockets are
        "connect to abstract @casemate-proof",
    },
    "casemate-certs.service": set(),
    "casemate-keys@chat-proof.service": set(),
    "casemate-counter@read-chat-proof.service": set(),
    "casemate-bots.service": set(),
}

# Fewest acts that must be denied in each unit.
DENIED_MIN = 40

# How often a proof is begun until one runs whole.
RUNS_MAX = 5

# Let through by the unit's sandbox alone and denied by the service's own confinement, so that one layer must do. All
# that they reach is empty and the unit's own: a root directory of its own, /dev with nothing in it, a /tmp that ends with it.
UNIT_LEAVES = {
    *(f"list {path}" for path in ("/", "/etc", "/run", "/var/lib", "/proc", "/sys", "/dev", "/tmp")),
    *(f"make a file in {path}" for path in ("/tmp", "/var/tmp", "/dev/shm")),
    "open for writing /proc/self/mem",
    # MemoryDenyWriteExecute= lets memory be mapped executable that was never writable
    "map memory executable",
    "map this program's file executable",
    # a thread is a clone too, and a unit's filter can't tell them apart
    "clone a process",
    # there is none to keep
    "keep capabilities over a change of user",
    # which it is; nobody who could trace it is in sight
    "become traceable",
}

# What a kernel says that was built without a thing.
NOT_BUILT = {"ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT"}
# Files that a kernel, or a machine, need not have.
NEED_NOT_BE = {
    "read /proc/kcore",
    "open for writing /proc/sysrq-trigger",
    "open for writing /dev/kmsg",
    "open /dev/mem",
    "connect to /run/dbus/system_bus_socket",
}
# Groups that may open ping sockets (icmp(7)): none, unless the system says otherwise.
NEED_NOT_BE_ALLOWED = {"open a socket: INET ping"}
# What systemd-nspawn forbids even a container's root: its system call filter, its capabilities, its read-only mounts.
CONTAINER_FORBIDS = {
    "take a file's handle": "the root is an overlay, which gives out no handles",
    "open for writing /proc/sys/kernel/core_pattern": "mounted read-only",
    "open for writing /sys/kernel/mm/transparent_hugepage/enabled": "mounted read-only",
    "open a file by its handle": "leads out of the container",
    "take a descriptor of process 1": "system call filter",
    "make memory executable by a protection key": "system call filter",
    "raise a resource limit": "no CAP_SYS_RESOURCE",
    "load a module": "no CAP_SYS_MODULE",
    "load a module from a file": "no CAP_SYS_MODULE",
    "remove a module": "no CAP_SYS_MODULE",
    "load a kernel": "no CAP_SYS_BOOT over the host",
    "load a kernel from a file": "no CAP_SYS_BOOT over the host",
    "look up its keyring": "keys are not namespaced",
    "add a key": "keys are not namespaced",
    "ask for a key": "keys are not namespaced",
    "count performance events": "system call filter",
    "read the kernel's log": "the host's log",
    "hold up others' opens by fanotify": "system call filter",
    "sync quotas": "system call filter",
    "use I/O ports by ioperm": "no CAP_SYS_RAWIO",
    "use I/O ports by iopl": "no CAP_SYS_RAWIO",
    "set what Ctrl-Alt-Del does": "the host's keyboard",
    "swap to a file": "system call filter",
    "stop swapping to a file": "system call filter",
    "set the clock": "the host's clock",
    "set the time of day": "the host's clock",
    "adjust the clock": "the host's clock",
}

# Other services' files, folders and sockets. What a unit's own plan grants of these, its report says.
FOREIGN_STORE = "/var/lib/private/casemate-chat/other"
FOREIGN_ANCHOR = "/var/lib/private/casemate-anchor/chat-other"
TARGETS = {
    "files": [
        "/var/lib/casemate/keys/tls-local.cred",
        "/var/lib/casemate/keys/chat-other.cred",
        "/var/lib/casemate/bots/other.toml",
        f"{FOREIGN_STORE}/chat.redb",
        f"{FOREIGN_ANCHOR}/chat.anchor",
    ],
    "directories": [
        "/var/lib/casemate/keys",
        "/var/lib/casemate/bots",
        "/var/lib/private",
        FOREIGN_STORE,
        FOREIGN_ANCHOR,
    ],
    "sockets": [
        "/run/casemate/chat/other.sock",
        "/run/casemate/chat-operator/other.sock",
        "/run/casemate/guard-operator/guard.sock",
        "/run/casemate/llm/llm.sock",
        "/run/casemate/dialer/llm/dialer.sock",
        "/run/casemate/dialer/gate/dialer.sock",
        "/run/casemate/firewall/firewall.sock",
    ],
    "abstract_socket": "casemate-proof",
}
VARIABLE = f"CASEMATE_PROVE_TARGETS={json.dumps(TARGETS, separators=(',', ':'))}"

Attempts = list[dict[str, Any]]


def command_of(unit: str) -> str:
    """The command line of a unit's ExecStart."""
    shown = machine.succeed(f"systemctl show --property ExecStart --value {shlex.quote(unit)}")
    found = re.search(r"argv\[\]=(.*?) ; ignore_errors=", shown)
    if found is None:
        raise AssertionError(f"{unit} has no ExecStart: {shown}")
    return found.group(1).strip()


def proof(unit: str, option: str) -> dict[str, Any]:
    """Runs the unit once with `option` in place of its service, and returns the document that it printed."""
    folder = f"/run/systemd/system/{unit}.d"
    output = "/run/casemate-proof.json"
    drop_in = "\n".join(
        [
            "[Unit]",
            "ConditionPathExists=",
            "[Service]",
            "Type=oneshot",
            "Restart=no",
            "WatchdogSec=0",
            "ExecCondition=",
            "ExecStartPre=",
            "ExecStartPost=",
            # it need not be there, and is no file of the unit's
            "OpenFile=",
            "ExecStart=",
            f"ExecStart={command_of(unit)} {option}",
            f"Environment='{VARIABLE}'",
            f"StandardOutput=append:{output}",
            "",
        ]
    )
    name = shlex.quote(unit)
    machine.succeed(
        f"mkdir -p {shlex.quote(folder)}",
        f"printf %s {shlex.quote(drop_in)} > {shlex.quote(folder)}/zz-proof.conf",
        "systemctl daemon-reload",
    )
    # A connection that comes meanwhile starts the unit too: that calls its stop off, or is a run of its own.
    for _ in range(RUNS_MAX):
        machine.wait_until_succeeds(f"systemctl stop {name}")
        machine.succeed(f"rm -f {output}")
        status, said = machine.execute(f"systemctl start {name} 2>&1")
        text = machine.succeed(f"cat {output} || true")
        if text:
            break
    else:
        journal = machine.succeed(f"journalctl --no-pager --unit {name} --lines 20")
        raise AssertionError(f"{unit} {option} printed no document (status {status}, {said}):\n{journal}")
    machine.wait_until_succeeds(f"systemctl stop {name}")
    machine.succeed(f"rm -r {shlex.quote(folder)}", "systemctl daemon-reload")
    machine.execute(f"systemctl reset-failed {name}")
    # the first: another run may have begun behind it
    document: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    return document


def names(attempts: Attempts, outcome: str) -> set[str]:
    return {attempt["act"] for attempt in attempts if attempt["outcome"] == outcome and not attempt["granted"]}


def told(attempts: Attempts, acts: set[str]) -> str:
    return "\n".join(f"  {a['group']}: {a['act']}: {a['errno'] or 'succeeded'}" for a in attempts if a["act"] in acts)


start_all()
machine.wait_for_unit("multi-user.target")
machine.wait_for_open_port(443)
container = "nspawn" in machine.succeed("systemd-detect-virt --container || true")

with subtest("two bots, so that one's files are foreign to the other"):
    for bot, number in (("demo", 1), ("other", 2)):
        machine.succeed(f"casemate bot add {bot} --title {bot.capitalize()} --instances {number}")
        machine.wait_for_unit(f"casemate-chat@{bot}.socket")
        machine.succeed(f"systemctl start casemate-chat@{bot}.service")
    machine.wait_for_file(f"{FOREIGN_STORE}/chat.redb")
    machine.wait_for_file(f"{FOREIGN_ANCHOR}/chat.anchor")
    machine.succeed("systemd-run --unit=proof-abstract --socket-property=ListenStream=@casemate-proof sleep 600")

with subtest("control: where nothing forbids, the acts succeed"):
    binary = command_of("casemate-gate.service").split()[0]
    _, out = machine.execute(
        f"systemd-run --quiet --collect --wait --pipe --setenv={shlex.quote(VARIABLE)} {binary} --prove-confinement=control"
    )
    control = json.loads(out)
    t.assertIsNone(control["report"])
    every = {attempt["act"] for attempt in control["attempts"]}
    unexplained = {
        attempt["act"]
        for attempt in control["attempts"]
        if attempt["outcome"] == "denied"
        and attempt["errno"] not in NOT_BUILT
        and not (attempt["errno"] == "ENOENT" and attempt["act"] in NEED_NOT_BE)
        and attempt["act"] not in NEED_NOT_BE_ALLOWED
        and not (container and attempt["act"] in CONTAINER_FORBIDS)
    }
    t.assertFalse(unexplained, "denied where nothing forbids:\n" + told(control["attempts"], unexplained))
    for group, targets in (("read", "files"), ("list", "directories"), ("connect to", "sockets")):
        t.assertLessEqual({f"{group} {target}" for target in TARGETS[targets]}, every)
    machine.log(f"{len(names(control['attempts'], 'succeeded'))} of {len(every)} acts succeed where nothing forbids")

# Guard may read the folder of processes, to know their units, and the kernel keeps from it what is not everybody's there.
OTHERS_DENY = {
    "casemate-guard.service": {
        "read /proc/kcore", "read /proc/kallsyms", "read /proc/1/environ", "read /proc/1/maps", "list /proc/1/root",
    },
}

# Each start of a further instance wants this, which would call its unit and so start the proof once more.
FILL = "casemate-fill@other.2.service"
machine.succeed(f"systemctl mask --runtime --now {FILL}")

for unit, unit_leaves in UNITS.items():
    if unit == FILL:
        machine.succeed(f"systemctl unmask --runtime {FILL}")
    with subtest(f"{unit}: every forbidden act is denied"):
        document = proof(unit, "--prove-confinement")
        attempts: Attempts = document["attempts"]
        t.assertGreaterEqual(document["report"]["landlock_abi"], 1)
        breaches = names(attempts, "succeeded")
        t.assertFalse(breaches, f"{unit} could:\n" + told(attempts, breaches))
        denied = names(attempts, "denied")
        t.assertGreaterEqual(len(denied), DENIED_MIN)
        granted = sorted(a["act"] for a in attempts if a["granted"])
        refused = {a["act"] for a in attempts if a["granted"] and a["outcome"] == "denied"} - OTHERS_DENY.get(unit, set())
        t.assertFalse(refused, f"{unit} is granted these and could not:\n" + told(attempts, refused))
        machine.log(f"{unit}: {len(denied)} acts denied, granted {granted}; open: {document['report']['gaps'] or 'nothing'}")

    with subtest(f"{unit}: the unit's sandbox alone denies them too"):
        alone: Attempts = proof(unit, "--prove-confinement=control")["attempts"]
        through = names(alone, "succeeded") - UNIT_LEAVES - unit_leaves
        t.assertFalse(through, f"{unit} could, but for its own confinement:\n" + told(alone, through))
    kind = machine.succeed(f"systemctl show --property Type --value {shlex.quote(unit)}").strip()
    if kind != "oneshot":
        machine.wait_until_succeeds(f"systemctl start {shlex.quote(unit)}")

machine.execute("systemctl stop proof-abstract.socket proof-abstract.service")
