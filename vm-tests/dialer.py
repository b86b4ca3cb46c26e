# Only the dialer can open a connection, and only to what is declared for its caller. A NixOS test script: it calls only
# the test driver's API.
import json
import shlex
from typing import Any

CONFIG = "/etc/casemate/dialer.toml"
SOCKET = "/run/casemate/dialer/llm/dialer.sock"
# Ports of a listener in the machine that is declared, and of one that is not.
DECLARED, UNDECLARED = 8451, 8452

CONFIGURED = f"""
[[reach]]
unit = "llm"
host = "127.0.0.1"
ports = [{DECLARED}]
private = true

[[reach]]
unit = "llm"
host = "localhost"
ports = [{UNDECLARED}]

[[reach]]
unit = "llm"
host = "api.test"
ports = [{DECLARED}]
private = true

[[reach]]
unit = "llm"
host = "rebound.test"
ports = [{DECLARED}]

[[reach]]
unit = "mailer"
host = "127.0.0.1"
ports = [{UNDECLARED}]
private = true
"""

# A caller as the contract has it: switch protocols, one byte, one byte back that carries the socket.
CALLER = """
import json, socket, sys
path, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
caller = socket.socket(socket.AF_UNIX)
caller.settimeout(30)
caller.connect(path)
body = json.dumps({"host": host, "port": port})
caller.sendall((
    "POST /v1/dial HTTP/1.1\\r\\nhost: dialer\\r\\nconnection: upgrade\\r\\nupgrade: casemate-descriptor\\r\\n"
    f"content-length: {len(body)}\\r\\n\\r\\n{body}"
).encode())
head = b""
while not head.endswith(b"\\r\\n\\r\\n"):
    head += caller.recv(1) or sys.exit("the dialer closed the call")
if not head.startswith(b"HTTP/1.1 101 "):
    sys.exit(head.decode())
caller.sendall(b"?")
byte, descriptors, _, _ = socket.recv_fds(caller, 1, 4)
assert (byte, len(descriptors)) == (b"!", 1), (byte, descriptors)
taken = socket.socket(fileno=descriptors[0])
taken.setblocking(True)
taken.settimeout(30)
taken.sendall(b"are you there?")
print(taken.recv(100).decode())
"""

# A host that answers whoever connects, and counts them in a file.
HOST = """
import socket, sys
port, count = int(sys.argv[1]), 0
host = socket.create_server(("127.0.0.1", port))
while True:
    guest, _ = host.accept()
    count += 1
    open(f"/tmp/guests-{port}", "w").write(str(count))
    guest.sendall(guest.recv(100).upper())
"""

# A name server that leads every name to this machine: an A record for a question of type A, else no record.
NAMES = """
import socket
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
while True:
    question, guest = server.recvfrom(2048)
    end = question.index(0, 12) + 5
    is_a = question[end - 3] == 1
    head = question[:2] + b"\\x81\\x80" + b"\\0\\1" + (b"\\0\\1" if is_a else b"\\0\\0") + b"\\0\\0\\0\\0"
    record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4\\x7f\\0\\0\\1" if is_a else b""
    server.sendto(head + question[12:end] + record, guest)
"""


def put(path: str, text: str) -> None:
    machine.succeed(f"rm --force {path} && printf %s {shlex.quote(text)} > {path}")


def refused(host: str, port: int, options: str = "") -> tuple[int, str]:
    """The status and the words with which the dialer refuses."""
    body = shlex.quote(json.dumps({"host": host, "port": port}))
    answer = machine.succeed(
        f"curl --silent --show-error --max-time 60 --unix-socket {SOCKET} --write-out '\\n%{{http_code}}' {options}"
        f" --data {body} http://dialer/v1/dial"
    )
    text, status = answer.rsplit("\n", 1)
    problem: dict[str, Any] = json.loads(text)
    t.assertEqual(str(problem["status"]), status, answer)
    return int(status), str(problem["detail"])


machine.start()
machine.wait_for_unit("multi-user.target")

with subtest("the dialer is there for its caller and for nobody else"):
    put(CONFIG, CONFIGURED)
    put("/tmp/caller.py", CALLER)
    put("/tmp/host.py", HOST)
    put("/tmp/names.py", NAMES)
    machine.succeed("systemd-run --unit=test-names python3 /tmp/names.py")
    put("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    machine.succeed("systemctl restart casemate-dialer.service")
    machine.wait_for_unit("casemate-dialer.service")
    for port in (DECLARED, UNDECLARED):
        machine.succeed(f"systemd-run --unit=test-host-{port} python3 /tmp/host.py {port}")
        machine.wait_for_open_port(port)
    t.assertEqual(machine.succeed(f"stat --format '%a %U %G' {SOCKET}").strip(), "660 root casemate-to-dialer")
    call = f"curl --silent --max-time 10 --unix-socket {SOCKET} --data '{{}}' http://dialer/v1/dial"
    machine.succeed(call)
    machine.fail(f"setpriv --reuid 65534 --regid 65534 --clear-groups {call}")

with subtest("a declared host is reached, through a socket that the dialer hands over"):
    said = machine.succeed(f"python3 /tmp/caller.py {SOCKET} 127.0.0.1 {DECLARED}")
    t.assertEqual(said.strip(), "ARE YOU THERE?")

with subtest("a declared name is resolved, and its host reached"):
    said = machine.succeed(f"python3 /tmp/caller.py {SOCKET} API.test. {DECLARED}")
    t.assertEqual(said.strip(), "ARE YOU THERE?")

with subtest("what is not declared is refused before anything is connected to"):
    before = machine.succeed(f"cat /tmp/guests-{UNDECLARED} 2>/dev/null || true")
    for host, port in [
        ("example.com", 443),
        # another port of a declared host, and another caller's host
        ("127.0.0.1", UNDECLARED),
        ("127.0.0.2", DECLARED),
        ("10.0.0.1", 443),
        ("192.168.0.1", 80),
        ("::1", DECLARED),
        ("::ffff:127.0.0.1", DECLARED),
        # where a cloud keeps the machine's credentials
        ("169.254.169.254", 80),
        ("fd00:ec2::254", 80),
    ]:
        status, detail = refused(host, port)
        t.assertEqual(status, 403, f"{host} {port}: {detail}")
        t.assertIn("not declared for `llm`", detail)
    t.assertEqual(machine.succeed(f"cat /tmp/guests-{UNDECLARED} 2>/dev/null || true"), before)

with subtest("a declared name that leads inside is refused"):
    status, detail = refused("localhost", UNDECLARED)
    t.assertEqual(status, 403, detail)
    t.assertIn("not permitted (loopback)", detail)
    machine.fail(f"python3 /tmp/caller.py {SOCKET} localhost {UNDECLARED}")
    # A name server that leads a public name inside gets no further.
    status, detail = refused("rebound.test", DECLARED)
    t.assertEqual(status, 403, detail)
    t.assertIn("not permitted (loopback)", detail)

with subtest("what is no request is told so"):
    for host in ("127.1", "2130706433", "0x7f000001", "https://example.com", "bücher.example", "", "a" * 254):
        status, detail = refused(host, 443)
        t.assertEqual(status, 400, f"{host}: {detail}")
    status, _detail = refused("127.0.0.1", DECLARED)
    t.assertEqual(status, 400)

with subtest("each call is in the journal, and refusals name their cause"):
    journal = machine.succeed("journalctl --boot --unit=casemate-dialer.service --output=json --no-pager")
    entries = [json.loads(line) for line in journal.splitlines()]
    reached = [one for one in entries if one.get("MESSAGE") == "connected"]
    t.assertTrue(any(one.get("CASEMATE_HOST") == "127.0.0.1" and one.get("CASEMATE_CALLER") == "llm" for one in reached), str(reached))
    t.assertTrue(any("127.0.0.1 (loopback)" in str(one) or "::1 (loopback)" in str(one) for one in entries), str(entries))
    t.assertTrue(any("names a unit that has no socket" in str(one) for one in entries), str(entries))

with subtest("no other unit has a network or an address family but Unix"):
    listed = machine.succeed("systemctl list-unit-files --no-legend --no-pager 'casemate-*.service'")
    units = [line.split()[0].replace("@.", "@probe.") for line in listed.splitlines()]
    t.assertGreaterEqual(len(units), 7, str(units))
    for unit in units:
        families = set(machine.get_unit_property(unit, "RestrictAddressFamilies").split())
        private = machine.get_unit_property(unit, "PrivateNetwork")
        if unit == "casemate-dialer.service":
            t.assertLessEqual(families, {"AF_UNIX", "AF_INET", "AF_INET6"}, unit)
        elif unit == "casemate-firewall.service":
            t.assertLessEqual(families, {"AF_UNIX", "AF_NETLINK"}, unit)
        else:
            t.assertLessEqual(families, {"AF_UNIX", "none"}, unit)
            t.assertEqual(private, "yes", unit)

with subtest("a configuration that cannot be served is refused with the key"):
    program = machine.get_unit_property("casemate-dialer.service", "ExecStart").split("path=")[1].split()[0]
    for text, words in [
        ("[[reach]]\nunit = 'llm'\nhots = 'a'\nports = [1]\n", "did you mean `host`?"),
        ("[[reach]]\nunit = 'llm'\nhost = '169.254.169.254'\nports = [80]\n", "cloud metadata"),
        ("[[reach]]\nunit = 'llm'\nhost = 'https://a.example'\nports = [443]\n", "without scheme"),
    ]:
        put("/tmp/wrong.toml", text)
        said = machine.fail(f"{program} --check-config --config /tmp/wrong.toml 2>&1")
        t.assertIn(words, said)
    machine.succeed(f"{program} --check-config --config {CONFIG}")

with subtest("without a file nothing is reached"):
    machine.succeed(f"rm {CONFIG}", "systemctl restart casemate-dialer.service")
    status, detail = refused("127.0.0.1", DECLARED)
    t.assertEqual(status, 403, detail)
