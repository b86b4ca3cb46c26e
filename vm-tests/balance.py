# A bot's instances share its visitors, and so do appliances: each conversation has one place, who fails takes nobody
# along, and the port for other appliances lets nobody else in. A NixOS test script: it calls only the test driver's API.
import json
import shlex
import time
from collections.abc import Iterable
from typing import Any

CURL = "curl --silent --show-error --insecure --max-time 30"
URL = "https://localhost/b/shop"
FILE = "/var/lib/casemate/bots/shop.toml"
GATE = "/etc/casemate/gate.toml"
DIALER = "/etc/casemate/dialer.toml"

# That one of three instances gets none of these has a chance of one in three million.
CONVERSATIONS = 40

# Checks are quick, so that the watchdog (10 s) is not quicker.
BALANCE = """
[balance]
check_ms = 200
failures = 2
pause_ms = 500
successes = 2
"""

# This machine is its own peer, under another name.
APPLIANCES = """
[appliance]
name = "north"

[[appliances]]
name = "south"
address = "127.0.0.1:9443"
"""

REACH = """
[[reach]]
unit = "gate"
host = "127.0.0.1"
ports = [9443]
private = true
"""

Conversation = dict[str, str]


def put(path: str, text: str) -> None:
    machine.succeed(f"printf %s {shlex.quote(text)} > {path}")


def begin() -> Conversation:
    post = f"{CURL} --fail --header 'content-type: application/json' --data '{{}}' {URL}/v1/conversations"
    begun: Conversation = json.loads(machine.succeed(post))
    return begun


def asked(conversation: Conversation, by: str = f"{CURL} {URL}") -> tuple[str, str]:
    """The status, and for how many seconds a visitor is told to wait."""
    path = f"/v1/conversations/{conversation['conversation']}"
    token = f"--header 'authorization: Bearer {conversation['token']}'"
    said = machine.succeed(f"{by}{path} {token} --output /dev/null --write-out '%{{http_code}} %header{{retry-after}}'")
    status, _, wait = said.partition(" ")
    return status, wait


def instance(number: int) -> str:
    return "shop" if number == 1 else f"shop.{number}"


def homes(conversation: Conversation, numbers: Iterable[int]) -> list[int]:
    """The instances that have a conversation."""
    by = "curl --silent --max-time 10 --unix-socket /run/casemate/chat"
    return [n for n in numbers if asked(conversation, f"{by}/{instance(n)}.sock http://shop")[0] == "200"]


def journal(unit: str) -> str:
    return machine.succeed(f"journalctl --boot --unit={unit} --output=cat --no-pager")


def status_of_gate() -> str:
    found: Any = machine.get_unit_property("casemate-gate.service", "StatusText")
    return str(found)


def run_instances(count: int) -> None:
    machine.succeed(
        f"sed --in-place '/^instances/d' {FILE}",
        f"sed --in-place '1i instances = {count}' {FILE}",
        f"touch {FILE}",
    )


machine.wait_for_unit("casemate-gate.service")
machine.succeed("casemate bot add shop --title Shop")
put(GATE, BALANCE)
machine.succeed("systemctl restart casemate-gate.service")
NUMBERS = range(1, 4)

with subtest("conversations are shared among the instances, and each has one place"):
    run_instances(3)
    for number in NUMBERS:
        machine.wait_for_open_unix_socket(f"/run/casemate/chat/{instance(number)}.sock")
    # The gate lists the folder once a second.
    machine.sleep(2)
    conversations = [begin() for _ in range(CONVERSATIONS)]
    t.assertEqual(len({begun["conversation"] for begun in conversations}), CONVERSATIONS)
    places: dict[int, list[Conversation]] = {number: [] for number in NUMBERS}
    for begun in conversations:
        t.assertEqual(asked(begun)[0], "200")
        home = homes(begun, NUMBERS)
        t.assertEqual(len(home), 1, home)
        places[home[0]].append(begun)
    machine.log(f"{ {number: len(there) for number, there in places.items()} }")
    t.assertTrue(all(places.values()))

with subtest("an instance that hangs takes its own conversations away, and nobody else's time"):
    machine.succeed("systemctl kill --signal=STOP casemate-chat@shop.2.service")
    machine.wait_until_succeeds("systemctl show --property=StatusText casemate-gate.service | grep 'no answer from shop.2$'", timeout=9)
    t.assertEqual(asked(places[2][0]), ("503", "2"))
    since = time.monotonic()
    for _ in range(10):
        t.assertIn(homes(begin(), (1, 3)), ([1], [3]))
    t.assertEqual(asked(places[1][0])[0], "200")
    t.assertLess(time.monotonic() - since, 60)
    t.assertIn("shop.2 does not answer and gets no more visitors", journal("casemate-gate.service"))

with subtest("once it was restarted, its conversations are back"):
    machine.wait_until_succeeds("systemctl show --property=StatusText casemate-gate.service | grep --invert-match 'no answer'", timeout=60)
    for begun in conversations:
        t.assertEqual(asked(begun)[0], "200")
    t.assertIn("shop.2 answers again, and its conversations are back", journal("casemate-gate.service"))

with subtest("an instance that is taken away gets nothing new"):
    run_instances(2)
    machine.wait_until_fails("test -e /run/casemate/chat/shop.3.sock")
    machine.sleep(2)
    for _ in range(10):
        t.assertIn(homes(begin(), range(1, 3)), ([1], [2]))
    t.assertEqual(asked(places[3][0]), ("503", "2"))
    for begun in places[1] + places[2]:
        t.assertEqual(asked(begun)[0], "200")
    run_instances(3)
    machine.wait_for_open_unix_socket("/run/casemate/chat/shop.3.sock")
    machine.sleep(2)
    t.assertEqual(asked(places[3][0])[0], "200")

with subtest("the port for other appliances is closed where there are none"):
    machine.wait_for_closed_port(9443)
    t.assertNotIn("connected", journal("casemate-dialer.service"))

with subtest("another appliance is reached by the dialer, over mutual TLS"):
    request = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    machine.succeed("mkdir -p /root/peers /etc/credstore.encrypted")
    for authority in ("authority", "stranger"):
        machine.succeed(f"{request} -x509 -days 30 -subj /CN={authority} -keyout /root/peers/{authority}.key -out /root/peers/{authority}.pem 2>&1")
    for name, names, authority in (
        # It stands for both sides here.
        ("own", "DNS:north,DNS:south", "authority"),
        ("unlisted", "DNS:east", "authority"),
        ("stranger-south", "DNS:south", "stranger"),
    ):
        at = f"/root/peers/{name}"
        machine.succeed(
            f"{request} -subj /CN={name} -addext subjectAltName={names} -keyout {at}.key -out {at}.csr 2>&1",
            f"openssl x509 -req -in {at}.csr -CA /root/peers/{authority}.pem -CAkey /root/peers/{authority}.key -days 30"
            f" -copy_extensions copy -out {at}.crt 2>&1",
            f"cat {at}.key {at}.crt > {at}.both",
        )
    machine.succeed(
        "install -m 0644 /root/peers/authority.pem /etc/casemate/peers.pem",
        "systemd-creds encrypt --name=gate.peer /root/peers/own.both /etc/credstore.encrypted/gate.peer",
    )
    put(GATE, BALANCE + APPLIANCES)
    put(DIALER, REACH)
    machine.succeed("systemctl restart casemate-dialer.service casemate-gate.service")
    machine.wait_for_open_port(9443)
    machine.wait_until_succeeds("journalctl --boot --unit=casemate-dialer.service --grep=connected CASEMATE_CALLER=gate")
    for begun in [begin() for _ in range(16)] + conversations:
        t.assertEqual(asked(begun)[0], "200")
    t.assertNotIn("no answer", status_of_gate())

with subtest("nobody else gets in by that port"):
    come = "curl --silent --max-time 10 --cacert /root/peers/authority.pem --resolve north:9443:127.0.0.1"
    there = "--header 'forwarded: for=192.0.2.1;proto=https' https://north:9443"
    machine.succeed(f"{come} --fail --cert /root/peers/own.both {there}/healthz")
    machine.succeed(f"{come} --fail --cert /root/peers/own.both {there}/b/shop/v1/bot")
    machine.fail(f"{come} {there}/healthz")
    for name in ("unlisted", "stranger-south"):
        machine.fail(f"{come} --cert /root/peers/{name}.both {there}/healthz")
    machine.fail(f"{come} --http1.1 --cert /root/peers/own.both {there}/healthz")
    t.assertIn("from an appliance", journal("casemate-gate.service"))

with subtest("an appliance that cannot be reached is left out, and is back once it can"):
    put(DIALER, "")
    machine.succeed("systemctl restart casemate-dialer.service", "systemctl restart casemate-gate.service")
    machine.wait_until_succeeds("systemctl show --property=StatusText casemate-gate.service | grep 'no answer from appliance south$'")
    machine.succeed("casemate status | grep 'appliance south'")
    for _ in range(8):
        t.assertEqual(asked(begin())[0], "200")
    put(DIALER, REACH)
    machine.succeed("systemctl restart casemate-dialer.service")
    machine.wait_until_succeeds("systemctl show --property=StatusText casemate-gate.service | grep --invert-match 'no answer'")
    t.assertIn("appliance south answers again", journal("casemate-gate.service"))

with subtest("it serves alone again, and the port is closed"):
    put(GATE, BALANCE)
    machine.succeed("rm /etc/casemate/peers.pem", "systemctl stop casemate-gate-peers.socket", "systemctl restart casemate-gate.service")
    machine.wait_for_closed_port(9443)
    for begun in conversations:
        t.assertEqual(asked(begun)[0], "200")
