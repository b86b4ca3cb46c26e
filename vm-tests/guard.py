# Bans, from the deed to the dropped packet: attackers with addresses of their own, a real sshd, and whatever they may try to
# have somebody else banned, or nobody. A NixOS test script: it calls only the test driver's API.
import json
import shlex
from typing import Any

# The machine, as the attackers' network sees it.
SERVER, SERVER6 = "203.0.113.1", "2001:db8:1::1"

# Its attackers, a part of the Internet each.
BRUTE, SCANNER, FORGER, VICTIM, OPERATOR, LISTED, QUIET = (f"203.0.113.{host}" for host in (7, 8, 10, 77, 9, 100, 50))
THIEF, LATER, LED, CRASHED = (f"203.0.113.{host}" for host in (11, 12, 13, 14))
SLOW = [f"2001:db8:1:1::{host}" for host in range(1, 7)]
WIDE = [f"2001:db8:1:{net:x}::1" for net in range(0x100, 0x104)]
ALL4 = (BRUTE, SCANNER, FORGER, VICTIM, OPERATOR, LISTED, QUIET, THIEF, LATER, LED, CRASHED)
ALL6 = (*SLOW, *WIDE, "2001:db8:1:1ff::1", "2001:db8:1:2::1")

SSH = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=3 -o LogLevel=ERROR"

# Sends what a service would of a client that misbehaved: version 1, a report, its number, once, none lost, a malformed
# request, IPv4, the address, the reason.
FORGE = f"""
import socket
sender = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sender.connect("/run/casemate/guard/events.sock")
for number in range(1, 40):
    sender.send(bytes((1, 0, number, 1, 0, 1, 0, {VICTIM.replace(".", ",")}, 4)) + b"evil")
sender.recv(8192)
"""


def asked(command: str) -> Any:
    return json.loads(machine.succeed(f"casemate --json {command}"))


def banned() -> dict[str, Any]:
    return {ban["prefix"]: ban for ban in asked("bans")["banned"]}


def within(command: str) -> str:
    return f"ip netns exec outside {command}"


def fetch(source: str, path: str = "/healthz", more: str = "") -> str:
    server = f"[{SERVER6}]" if ":" in source else SERVER
    return within(f"curl --silent --insecure --max-time 3 --interface {source} {more} https://{server}{path}")


def guess(source: str, user: str = "root", times: int = 3) -> None:
    server = SERVER6 if ":" in source else SERVER
    command = (
        f"timeout 12 env SSH_ASKPASS=/run/wrong SSH_ASKPASS_REQUIRE=force DISPLAY=:0 ssh {SSH} -b {source} -o PubkeyAuthentication=no "
        f"-o NumberOfPasswordPrompts={times} -l {shlex.quote(user)} {server} true"
    )
    machine.fail(within(command))


def is_served(source: str) -> bool:
    return machine.execute(fetch(source))[0] == 0


def wait_until_banned(prefix: str) -> None:
    def found(_last: bool) -> bool:
        return prefix in banned()

    retry(found, 20)


def set_up_network() -> None:
    machine.succeed(
        "ip netns add outside",
        "ip link add way type veth peer name way netns outside",
        f"ip address add {SERVER}/24 dev way && ip address add {SERVER6}/48 dev way nodad && ip link set way up",
        within("ip link set way up"),
        *(within(f"ip address add {address}/24 dev way") for address in ALL4),
        *(within(f"ip address add {address}/48 dev way nodad") for address in ALL6),
    )


machine.start(allow_reboot=True)
machine.wait_for_unit("casemate-guard.service")
machine.wait_for_unit("casemate-firewall.service")
machine.wait_for_unit("casemate-gate.service")
machine.succeed(
    "mkdir --parents /etc/ssh/sshd_config.d /run/sshd /root/.ssh",
    # sshd's own penalties would hide what guard does
    "printf 'PerSourcePenalties no\\nPasswordAuthentication yes\\nPermitRootLogin yes\\nUsePAM yes\\nMaxAuthTries 6\\n' "
    "> /etc/ssh/sshd_config.d/test.conf",
    "systemctl unmask ssh.service; systemctl start ssh.service || systemctl start sshd.service",
    "printf '#!/bin/sh\\necho wrong\\n' > /run/wrong && chmod 0755 /run/wrong",
    "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/key && cp /root/.ssh/key.pub /root/.ssh/authorized_keys",
)
machine.wait_for_open_port(22)
set_up_network()

with subtest("everybody is served who does nothing"):
    machine.wait_until_succeeds(fetch(QUIET))
    machine.succeed(fetch(SLOW[0]))
    assert banned() == {}, banned()
    assert "Nobody is banned." in machine.succeed("casemate bans")

with subtest("brute force on SSH"):
    guess(BRUTE, times=3)
    assert is_served(BRUTE)
    guess(BRUTE, times=3)
    wait_until_banned(f"{BRUTE}/32")
    assert not is_served(BRUTE)
    assert is_served(QUIET)
    ban = banned()[f"{BRUTE}/32"]
    assert ban["by"] == {"rule": "ssh"} and ban["nth"] == 1, ban
    assert {one["kind"] for one in ban["evidence"]} == {"ssh-failed"}, ban
    assert all(one["client"] == BRUTE and one["unit"].startswith("ssh") for one in ban["evidence"]), ban
    known = machine.succeed(f"casemate bans explain {BRUTE}")
    assert "ssh-failed" in known and "rule ssh" in known, known
    assert BRUTE in machine.succeed("nft list ruleset")

with subtest("scanning: nothing is served after the deciding request, not even on the same connection"):
    paths = f"https://{SERVER}/.env https://{SERVER}/healthz https://{SERVER}/healthz"
    said = machine.execute(
        within(f"curl --silent --insecure --max-time 3 --interface {SCANNER} --write-out '%{{http_code}} ' --output /dev/null "
               f"--output /dev/null --output /dev/null {paths}")
    )[1].split()
    assert said and "200" not in said, said
    wait_until_banned(f"{SCANNER}/32")
    assert not is_served(SCANNER)

with subtest("a page that shows what scanners ask for bans nobody who looks at it"):
    for _ in range(3):
        machine.execute(fetch(LED, "/.env", "--header 'Sec-Fetch-Site: cross-site' --header 'Sec-Fetch-Mode: no-cors'"))
    machine.wait_until_succeeds(f"casemate events | grep 'honeypot-linked .*{LED}'")
    assert f"{LED}/32" not in banned() and is_served(LED)

with subtest("brute force on visitors' tokens"):
    machine.succeed("casemate bot add demo --file /usr/share/casemate/demo/demo.toml")
    machine.wait_until_succeeds(f"curl --silent --fail --insecure https://localhost/b/demo/healthz", timeout=60)
    begin = within(f"curl --silent --fail --insecure --interface {QUIET} --json '{{}}' https://{SERVER}/b/demo/v1/conversations")
    begun, other = (json.loads(machine.succeed(begin)) for _ in range(2))
    path = f"/b/demo/v1/conversations/{begun['conversation']}"
    assert machine.succeed(fetch(QUIET, path, f"--header 'Authorization: Bearer {begun['token']}' --fail"))
    for _ in range(12):
        machine.execute(fetch(THIEF, path, f"--header 'Authorization: Bearer {other['token']}'"))
    wait_until_banned(f"{THIEF}/32")
    ban = banned()[f"{THIEF}/32"]
    assert {one["kind"] for one in ban["evidence"]} == {"token-forged"}, ban
    machine.succeed("casemate bot remove demo --erase")

with subtest("a forged X-Forwarded-For blames who sent it"):
    machine.execute(fetch(FORGER, "/.env", f"--header 'X-Forwarded-For: {VICTIM}' --header 'Forwarded: for={VICTIM}'"))
    wait_until_banned(f"{FORGER}/32")
    assert f"{VICTIM}/32" not in banned() and is_served(VICTIM)

with subtest("text in the log is no evidence"):
    line = f"Failed password for root from {VICTIM} port 22 ssh2"
    for _ in range(8):
        machine.succeed(
            f"logger --tag sshd --priority auth.info {shlex.quote(line)}",
            f"systemd-run --quiet --wait --unit=sshd-session logger --tag sshd-session {shlex.quote(line)}",
        )
    # a name with what a line of sshd ends with
    guess(QUIET, user=f"x from {VICTIM} port 22 ssh2", times=1)
    machine.wait_until_succeeds(f"casemate events | grep -F {QUIET}")
    assert f"{VICTIM}/32" not in banned() and is_served(VICTIM)
    machine.fail(f"casemate events | grep -F {VICTIM}")

with subtest("an event that another unit forges is itself an event"):
    machine.succeed(f"systemd-run --quiet --wait --unit=forger python3 -c {shlex.quote(FORGE)}")
    machine.wait_until_succeeds("casemate events | grep -E 'event-forged .*forger.service'")
    assert f"{VICTIM}/32" not in banned() and is_served(VICTIM)

with subtest("distributed, low and slow, within one /64"):
    for source in SLOW[:5]:
        guess(source, times=1)
    wait_until_banned("2001:db8:1:1::/64")
    assert not is_served(SLOW[5]) and is_served("2001:db8:1:2::1")

with subtest("bans widen as neighbours offend"):
    for source in WIDE:
        machine.execute(fetch(source, "/.env"))
    wait_until_banned("2001:db8:1:100::/56")
    assert not is_served("2001:db8:1:1ff::1") and is_served("2001:db8:1:2::1")

with subtest("an operator with a live session is not banned for what comes from the same address"):
    machine.succeed(
        f"systemd-run --quiet --unit=operator {within(f'ssh {SSH} -b {OPERATOR} -i /root/.ssh/key root@{SERVER} sleep 600')}"
    )
    machine.wait_until_succeeds(f"casemate bans explain {OPERATOR} | grep 'logged in'")
    guess(OPERATOR, times=3)
    guess(OPERATOR, times=3)
    machine.execute(fetch(OPERATOR, "/.env"))
    machine.sleep(1)
    assert f"{OPERATOR}/32" not in banned() and is_served(OPERATOR)
    machine.succeed("systemctl stop operator.service")
    machine.wait_until_fails(f"casemate bans explain {OPERATOR} | grep 'logged in'")
    machine.execute(fetch(OPERATOR, "/.env"))
    wait_until_banned(f"{OPERATOR}/32")

with subtest("operators ban and unban, but not themselves and not the world"):
    machine.succeed(f"casemate ban {QUIET} --for 2h --reason 'too quiet'")
    assert not is_served(QUIET)
    ban = banned()[f"{QUIET}/32"]
    assert ban["by"] == {"operator": "too quiet"} and ban["until"] - ban["begun"] == 7200, ban
    machine.succeed(f"casemate unban {QUIET}")
    assert is_served(QUIET)
    for whom in (SERVER, SERVER6, "127.0.0.1", "::1", "0.0.0.0/0", "::/0", "203.0.113.0/24"):
        machine.fail(f"casemate ban {whom}")
    # and a slip like that makes nobody immune
    machine.execute(fetch(LATER, "/.env"))
    wait_until_banned(f"{LATER}/32")
    assert not is_served(LATER)
    said = machine.fail(f"env SSH_CONNECTION='{QUIET} 50000 {SERVER} 22' casemate ban {QUIET}")
    assert is_served(QUIET), said

with subtest("block lists come and go with their files"):
    machine.succeed(f"printf '# a list\\n{LISTED} ; why\\nnonsense\\n' > /run/list && mv /run/list /etc/casemate/blocks/test.txt")
    machine.wait_until_fails(fetch(LISTED))
    lists = asked("bans")["lists"]
    assert [(one["name"], one["entries"], one["refused"]) for one in lists] == [("test", 1, 1)], lists
    assert "the list test has" in machine.succeed(f"casemate bans explain {LISTED}")
    machine.succeed("rm /etc/casemate/blocks/test.txt")
    machine.wait_until_succeeds(fetch(LISTED))

with subtest("a table that somebody flushes comes back whole"):
    # where it belongs to the firewall alone, this does nothing to it
    machine.execute("nft flush ruleset")
    machine.wait_until_succeeds(f"nft list ruleset | grep -F {BRUTE}", timeout=20)
    machine.wait_until_fails(fetch(BRUTE))

with subtest("killed at any point, bans stay"):
    before = set(banned())
    for unit in ("guard", "firewall", "guard", "firewall"):
        machine.succeed(f"systemctl kill --signal=KILL casemate-{unit}.service")
        assert not is_served(BRUTE)
        machine.wait_for_unit(f"casemate-{unit}.service")
        machine.wait_until_succeeds("casemate bans")
        assert set(banned()) == before and not is_served(BRUTE) and is_served(QUIET)
    machine.succeed("systemctl stop casemate-guard.service casemate-firewall.service")
    assert not is_served(BRUTE)
    machine.succeed("systemctl start casemate-firewall.service casemate-guard.service")
    machine.wait_until_succeeds("casemate bans")
    assert set(banned()) == before

with subtest("what the command line answered outlives the next moment"):
    machine.succeed(f"casemate ban {CRASHED} && systemctl kill --signal=KILL casemate-guard.service casemate-firewall.service")
    machine.wait_until_succeeds("casemate bans")
    assert f"{CRASHED}/32" in banned() and not is_served(CRASHED)
    machine.succeed(f"casemate unban {CRASHED} && systemctl kill --signal=KILL casemate-guard.service")
    machine.wait_until_succeeds("casemate bans")
    assert f"{CRASHED}/32" not in banned() and is_served(CRASHED)

with subtest("a ban that could not be lifted is lifted once the firewall is back"):
    machine.succeed(f"casemate ban {CRASHED}")
    machine.succeed("systemctl stop casemate-firewall.socket casemate-firewall.service")
    said = machine.fail(f"casemate unban {CRASHED}")
    assert "The firewall does not answer" in said and not is_served(CRASHED), said
    machine.succeed("systemctl start casemate-firewall.socket casemate-firewall.service")
    machine.wait_until_succeeds(fetch(CRASHED))
    assert set(banned()) == before

with subtest("a gate whose guard is asked in vain serves on, and bans begin when it is back"):
    machine.succeed("systemctl stop casemate-firewall.socket casemate-firewall.service")
    assert is_served(QUIET)
    machine.execute(fetch(CRASHED, "/.env"))
    # The gate alone refuses now: the kernel cannot be asked.
    assert f"{CRASHED}/32" in banned() and not is_served(CRASHED)
    machine.succeed("systemctl start casemate-firewall.socket casemate-firewall.service")
    machine.wait_until_succeeds(f"nft list ruleset | grep -F {CRASHED}", timeout=20)
    machine.succeed(f"casemate unban {CRASHED}")
    assert is_served(CRASHED)

with subtest("with dry_run nobody is kept out, and all bans are back without it"):
    machine.succeed("printf 'dry_run = true\\n' > /etc/casemate/guard.toml && systemctl restart casemate-guard.service")
    machine.wait_until_succeeds(fetch(BRUTE))
    machine.execute(fetch(BRUTE, "/.env"))
    wait_until_banned(f"{BRUTE}/32")
    assert banned()[f"{BRUTE}/32"]["dry_run"] and is_served(BRUTE)
    machine.succeed("rm /etc/casemate/guard.toml && systemctl restart casemate-guard.service")
    assert set(banned()) == before and not is_served(BRUTE)

with subtest("who is put on the allow list is free"):
    machine.succeed(f"printf 'never = [\"{LATER}\"]\\n' > /etc/casemate/guard.toml && systemctl restart casemate-guard.service")
    machine.wait_until_succeeds(fetch(LATER))
    assert set(banned()) == before - {f"{LATER}/32"}
    assert "allow list" in machine.succeed(f"casemate bans explain {LATER}")
    before = set(banned())

with subtest("after a reboot all bans are in force before the gate serves"):
    machine.reboot()
    machine.wait_for_unit("casemate-gate.service")
    assert set(banned()) == before, (before, set(banned()))
    ruleset = machine.succeed("nft list ruleset")
    assert BRUTE in ruleset and "2001:db8:1:100::" in ruleset, ruleset
    started = [int(machine.get_unit_property(f"casemate-{unit}.service", "ActiveEnterTimestampMonotonic")) for unit in ("guard", "gate")]
    assert started[0] < started[1], started
    set_up_network()
    assert not is_served(BRUTE) and is_served(QUIET)
    known = machine.succeed(f"casemate bans explain {BRUTE}")
    assert "ssh-failed" in known, known

with subtest("status shows the services"):
    rows = machine.execute("casemate status")[1]
    assert "guard" in rows and "firewall" in rows, rows
