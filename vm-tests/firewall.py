# The packet filter: what is open, what is closed, and that nothing comes in from who is banned, whatever connection it belongs
# to. The client is a network namespace with addresses of its own. A NixOS test script: it calls only the test driver's API.
import json
import shlex
from typing import Any

CONFIG = "/etc/casemate/firewall.toml"
SOCKET = "/run/casemate/firewall/firewall.sock"
UNIT = "casemate-firewall.service"

# This machine's addresses, and the client's.
OWN4, OWN6 = "192.0.2.1", "2001:db8:1::1"
CLIENT4, OTHER4 = "192.0.2.2", "192.0.2.3"
CLIENT6, NEIGHBOUR6, OTHER6 = "2001:db8:2::2", "2001:db8:2::3", "2001:db8:3::2"

# Open and closed ports with a server behind each.
OPEN, CLOSED = 22, 8099

# Entries of the large block list, and seconds within which it must be in force.
BLOCK_ENTRIES = 500_000
BLOCK_SECONDS = 2.0

# Answers each line with itself, over IPv4 and IPv6.
ECHO = """
import socketserver, socket, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()
Server(("::", int(sys.argv[1])), Echo).serve_forever()
"""

# Connects once.
REACH = """
import socket, sys
own, port, source = sys.argv[1:4]
socket.create_connection((own, int(port)), timeout=1, source_address=(source, 0)).close()
"""

# Keeps one connection, over which it asks every 5 ms until nothing comes for a second. Prints how often it was answered
# after the file that says when the ban was in force.
HOLD = """
import os, socket, sys, time
own, port, source = sys.argv[1:4]
connection = socket.create_connection((own, int(port)), timeout=1, source_address=(source, 0))
open("/tmp/held", "w").close()
late = 0
while True:
    banned = os.path.exists("/tmp/banned")
    try:
        connection.sendall(b"there?\\n")
        answer = connection.recv(100)
    except TimeoutError:
        break
    if not answer:
        break
    late += banned
    time.sleep(0.005)
print(late)
"""

# Bans over one kept connection, one by one; prints the median and the 99th percentile in microseconds.
PACE = """
import http.client, json, socket, sys, time
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
line = Unix("localhost")
times = []
for number in range(2000):
    body = json.dumps([{"prefix": f"11.{number >> 8}.{number & 255}.1", "seconds": 600}])
    began = time.perf_counter()
    line.request("POST", "/v1/bans", body)
    answer = line.getresponse()
    text = answer.read()
    times.append(time.perf_counter() - began)
    assert answer.status == 200 and json.loads(text)["changed"] == 1, text
times.sort()
print(int(times[1000] * 1e6), int(times[1980] * 1e6))
"""

# Tries to connect from an address again and again, and prints how often it succeeded.
KNOCK = """
import socket, sys, time
own, port, source, seconds = sys.argv[1:5]
until, successes = time.monotonic() + float(seconds), 0
while time.monotonic() < until:
    try:
        socket.create_connection((own, int(port)), timeout=0.05, source_address=(source, 0)).close()
        successes += 1
    except OSError:
        pass
print(successes)
"""

machine: Any
t: Any


def put(path: str, text: str) -> None:
    machine.succeed(f"printf %s {shlex.quote(text)} > {path}")


def call(method: str, path: str, body: object = None, extra: str = "") -> Any:
    """The answer of the firewall, which must be 200."""
    data = "" if body is None else f"--data {shlex.quote(json.dumps(body))}"
    return json.loads(
        machine.succeed(
            f"curl --silent --show-error --fail-with-body --max-time 60 --unix-socket {SOCKET} --request {method} {data} {extra}"
            f" http://firewall{path}"
        )
    )


def ban(prefix: str, seconds: int = 600) -> Any:
    answer = call("POST", "/v1/bans", [{"prefix": prefix, "seconds": seconds}])
    t.assertEqual(answer["refused_count"], 0, str(answer))
    return answer


def unban(*prefixes: str) -> int:
    return int(call("DELETE", "/v1/bans", [{"prefix": prefix} for prefix in prefixes])["changed"])


def bans() -> dict[str, Any]:
    """All bans by prefix."""
    text = machine.succeed(f"curl --silent --fail --max-time 60 --unix-socket {SOCKET} http://firewall/v1/bans")
    lines = [json.loads(line) for line in text.splitlines()]
    return {line["prefix"]: line for line in lines[1:]}


def client(command: str) -> str:
    """The command as the client runs it."""
    return f"nsenter --net=/run/netns/client {command}"


def reaches(own: str, port: int, source: str) -> bool:
    """Whether a connection from there stands within a second."""
    status, _ = machine.execute(client(f"python3 /tmp/reach.py {own} {port} {source}"))
    return bool(status == 0)


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


machine.start()
machine.wait_for_unit("multi-user.target")
# Guard would take away the bans that it does not know of.
machine.succeed("systemctl stop casemate-guard-events.socket casemate-guard-operator.socket casemate-guard.service")

with subtest("the rules are in force before the network, and the firewall may do nothing else"):
    machine.wait_for_unit(UNIT)
    t.assertIn("network-pre.target", machine.get_unit_property(UNIT, "Before"))
    t.assertEqual(machine.get_unit_property(UNIT, "CapabilityBoundingSet"), "cap_net_admin")
    pid = machine.get_unit_property(UNIT, "MainPID")
    held = dict(line.split(":\t") for line in machine.succeed(f"grep ^Cap /proc/{pid}/status").splitlines())
    net_admin = f"{1 << 12:016x}"
    t.assertEqual((held["CapEff"], held["CapPrm"], held["CapInh"], held["CapAmb"]), (net_admin, net_admin, "0" * 16, "0" * 16))
    t.assertEqual(machine.succeed(f"stat --format '%a %U %G' {SOCKET}").strip(), "660 root casemate-to-firewall")
    machine.fail(f"setpriv --reuid 65534 --regid 65534 --clear-groups curl --silent --max-time 5 --unix-socket {SOCKET} http://f/v1/state")
    listed = machine.succeed("nft list table inet casemate")
    machine.log(listed)
    t.assertIn("policy drop", listed)

for name, text in (("echo", ECHO), ("hold", HOLD), ("pace", PACE), ("knock", KNOCK), ("reach", REACH)):
    put(f"/tmp/{name}.py", text)
machine.succeed(
    "ip netns add client",
    "ip link add c0 type veth peer name c1 netns client",
    f"ip addr add {OWN4}/24 dev c0",
    f"ip -6 addr add {OWN6}/64 dev c0 nodad",
    "ip link set c0 up",
    client("ip link set lo up"),
    client(f"ip addr add {CLIENT4}/24 dev c1"),
    client(f"ip addr add {OTHER4}/24 dev c1"),
    client("ip -6 addr add 2001:db8:1::2/64 dev c1 nodad"),
    *(client(f"ip -6 addr add {address}/64 dev c1 nodad") for address in (CLIENT6, NEIGHBOUR6, OTHER6)),
    client("ip link set c1 up"),
    "ip -6 route add 2001:db8:2::/48 dev c0",
    "ip -6 route add 2001:db8:3::/48 dev c0",
    f"systemd-run --unit=test-echo python3 /tmp/echo.py {OPEN}",
    f"systemd-run --unit=test-closed python3 /tmp/echo.py {CLOSED}",
)
machine.wait_for_open_port(OPEN)
machine.wait_for_open_port(CLOSED)

with subtest("declared ports answer, and no other does"):
    for own, source in ((OWN4, CLIENT4), (OWN6, CLIENT6)):
        machine.wait_until_succeeds(client(f"curl --silent --insecure --max-time 2 --interface {source} https://{bracketed(own)}/ --output /dev/null"))
        t.assertTrue(reaches(own, 80, source))
        t.assertTrue(reaches(own, OPEN, source), own)
        t.assertFalse(reaches(own, CLOSED, source), own)
        t.assertFalse(reaches(own, 9443, source), own)
    # On the machine itself everything is open.
    machine.succeed(f"python3 /tmp/reach.py 127.0.0.1 {CLOSED} 127.0.0.1")
    t.assertGreater(call("GET", "/v1/state")["closed_packets"], 0)

with subtest("a ban cuts off an established connection at once, over IPv4 and IPv6"):
    for own, source, prefix in ((OWN4, CLIENT4, CLIENT4), (OWN6, CLIENT6, "2001:db8:2::/64")):
        machine.succeed("rm -f /tmp/held /tmp/banned /tmp/late")
        machine.succeed("systemd-run --unit=test-hold --collect --property=StandardOutput=file:/tmp/late " + client(f"python3 /tmp/hold.py {own} {OPEN} {source}"))
        machine.wait_for_file("/tmp/held")
        machine.succeed("sleep 0.2")
        t.assertTrue(reaches(own, OPEN, source))
        ban(prefix)
        machine.succeed("touch /tmp/banned")
        machine.wait_until_succeeds("test -s /tmp/late")
        t.assertEqual(machine.succeed("cat /tmp/late").strip(), "0", f"{source} was answered after it was banned")
        t.assertFalse(reaches(own, OPEN, source))
        counted = bans()[prefix]
        t.assertGreater(counted["packets"], 0)
        t.assertGreater(counted["bytes"], 0)
        t.assertTrue(590 <= counted["seconds"] <= 600, str(counted))
    # The whole /64, and nobody else.
    t.assertFalse(reaches(OWN6, OPEN, NEIGHBOUR6))
    t.assertTrue(reaches(OWN6, OPEN, OTHER6))
    t.assertTrue(reaches(OWN4, OPEN, OTHER4))

with subtest("a ban ends when it is ended, and by itself"):
    before = bans()[CLIENT4]["packets"]
    t.assertEqual(ban(CLIENT4, 900)["changed"], 1)
    t.assertGreaterEqual(bans()[CLIENT4]["packets"], before, "a longer ban goes on counting")
    t.assertEqual(ban(CLIENT4, 30)["changed"], 0, "a shorter one changes nothing")
    t.assertEqual(unban(CLIENT4, "2001:db8:2::/64", "203.0.113.9"), 2)
    t.assertTrue(reaches(OWN4, OPEN, CLIENT4))
    t.assertTrue(reaches(OWN6, OPEN, CLIENT6))
    ban(CLIENT4, 2)
    t.assertFalse(reaches(OWN4, OPEN, CLIENT4))
    machine.succeed("sleep 2")
    t.assertTrue(reaches(OWN4, OPEN, CLIENT4))
    # The outer one ends while the inner lasts.
    ban("2001:db8:2::/48", 2)
    ban(CLIENT6, 600)
    t.assertFalse(reaches(OWN6, OPEN, NEIGHBOUR6))
    machine.succeed("sleep 2")
    t.assertTrue(reaches(OWN6, OPEN, NEIGHBOUR6))
    t.assertFalse(reaches(OWN6, OPEN, CLIENT6))
    unban(CLIENT6)

with subtest("what must never be banned is refused, whoever asks"):
    asked = {
        "0.0.0.0/0": "too_wide",
        "::/0": "too_wide",
        "::ffff:0.0.0.0/96": "too_wide",
        OWN4: "own",
        "192.0.2.0/24": "own",
        OWN6: "own",
        "127.0.0.1": "loopback",
        "fe80::1": "link_local",
        "10.0.0.1": "private",
    }
    answer = call("POST", "/v1/bans", [{"prefix": prefix, "seconds": 60} for prefix in asked])
    t.assertEqual(answer["changed"], 0)
    t.assertEqual([refusal["why"] for refusal in answer["refused"]], list(asked.values()), str(answer))
    # An address that it has had for a moment only.
    machine.succeed("ip addr add 203.0.113.77/32 dev c0", "sleep 0.3")
    answer = call("POST", "/v1/bans", [{"prefix": "203.0.113.77", "seconds": 60}])
    t.assertEqual(answer["refused"][0]["why"], "own")
    machine.succeed(f"ip route add 203.0.113.128/25 via {OTHER4}", "sleep 0.3")
    answer = call("POST", "/v1/bans", [{"prefix": OTHER4, "seconds": 60}])
    t.assertEqual(answer["refused"][0]["why"], "gateway")
    machine.succeed(f"ip route del 203.0.113.128/25 via {OTHER4}", "ip addr del 203.0.113.77/32 dev c0", "sleep 0.3")

with subtest("one ban takes well under a millisecond"):
    median, p99 = map(int, machine.succeed(f"python3 /tmp/pace.py {SOCKET}").split())
    spawned = machine.succeed(
        "nft add table inet test; nft add set inet test s '{ type ipv4_addr; }'; s=$(date +%s%N);"
        " for i in $(seq 20); do nft add element inet test s \"{ 198.51.100.$i }\"; done; e=$(date +%s%N);"
        " nft delete table inet test; echo $(( (e - s) / 20000 ))"
    )
    machine.log(f"a ban: median {median} us, 99th percentile {p99} us, through Python; a spawned nft: {spawned.strip()} us")
    t.assertLess(p99, 5_000)
    t.assertEqual(unban(*(f"11.{number >> 8}.{number & 255}.1" for number in range(2000))), 2000)

with subtest("nobody flushes the rules"):
    ban(CLIENT4)
    machine.succeed("nft flush ruleset")
    t.assertFalse(reaches(OWN4, OPEN, CLIENT4))
    t.assertTrue(reaches(OWN4, OPEN, OTHER4))
    t.assertFalse(reaches(OWN4, CLOSED, OTHER4))
    machine.fail("nft delete table inet casemate")
    machine.fail("nft flush chain inet casemate input")

with subtest("killed or stopped, the rules stay, and the next start takes them over"):
    generation = call("GET", "/v1/state")["generation"]
    knocking = "systemd-run --unit=test-knock --collect --property=StandardOutput=file:/tmp/knocked "
    machine.succeed("rm -f /tmp/knocked", knocking + client(f"python3 /tmp/knock.py {OWN4} {OPEN} {CLIENT4} 4"))
    machine.succeed(f"systemctl kill --signal=KILL {UNIT}")
    machine.wait_until_succeeds(f"systemctl is-active {UNIT}")
    t.assertNotEqual(call("GET", "/v1/state")["generation"], generation)
    t.assertIn(CLIENT4, bans())
    machine.succeed(f"systemctl restart {UNIT}", "sleep 0.5", f"systemctl stop {UNIT}", "sleep 0.5")
    t.assertFalse(reaches(OWN4, CLOSED, OTHER4))
    machine.succeed(f"systemctl start {UNIT}")
    machine.wait_until_succeeds("test -s /tmp/knocked")
    t.assertEqual(machine.succeed("cat /tmp/knocked").strip(), "0", "a banned client got in meanwhile")

with subtest("flushed while there is no firewall, the rules are made again"):
    machine.succeed(f"systemctl stop {UNIT}", "nft flush ruleset")
    t.assertTrue(reaches(OWN4, CLOSED, OTHER4))
    machine.succeed(f"systemctl start {UNIT}")
    t.assertFalse(reaches(OWN4, CLOSED, OTHER4))
    t.assertEqual(bans(), {})

with subtest("a large block list is in force within two seconds, without a gap"):
    machine.succeed(
        "python3 -c 'import ipaddress as a\n"
        f"for n in range({BLOCK_ENTRIES} - 2): print(a.ip_address(0x20000000 + n * 1543))\n"
        f"print(\"{CLIENT4}\")\nprint(\"2001:db8:2::/64\")' > /tmp/list"
    )
    put("/tmp/short", f"# two\n{CLIENT4}\n192.0.2.0/24\nwhat\n")
    loaded = call("PUT", "/v1/blocks/test", extra="--upload-file /tmp/short")
    t.assertEqual((loaded["prefixes"], loaded["entries"], loaded["unreadable"]), (2, 1, 1))
    t.assertEqual(loaded["refused"], [{"prefix": "192.0.2.0/24", "why": "own"}])
    t.assertFalse(reaches(OWN4, OPEN, CLIENT4))
    machine.succeed("rm -f /tmp/knocked", knocking + client(f"python3 /tmp/knock.py {OWN4} {OPEN} {CLIENT4} 6"))
    for path in ("list", "short", "list"):
        took = float(
            machine.succeed(
                f"curl --silent --fail --max-time 60 --unix-socket {SOCKET} --upload-file /tmp/{path} --output /tmp/loaded"
                " --write-out '%{time_total}' http://firewall/v1/blocks/test"
            )
        )
        loaded = json.loads(machine.succeed("cat /tmp/loaded"))
        machine.log(f"{loaded['prefixes']} prefixes in force in {took:.2f} s")
        t.assertLess(took, BLOCK_SECONDS)
    t.assertEqual(loaded["entries"], BLOCK_ENTRIES)
    machine.wait_until_succeeds("test -s /tmp/knocked")
    t.assertEqual(machine.succeed("cat /tmp/knocked").strip(), "0", "a blocked client got in meanwhile")
    t.assertFalse(reaches(OWN6, OPEN, CLIENT6))
    t.assertTrue(reaches(OWN4, OPEN, OTHER4))
    state = call("GET", "/v1/state")
    t.assertEqual(state["blocks"][0]["name"], "test")
    t.assertGreater(state["blocks"][0]["packets"], 0)
    machine.succeed(f"systemctl restart {UNIT}")
    t.assertFalse(reaches(OWN4, OPEN, CLIENT4), "it stays in force through a restart")
    t.assertEqual(call("DELETE", "/v1/blocks/test")["changed"], 1)
    t.assertTrue(reaches(OWN4, OPEN, CLIENT4))
    pid = machine.get_unit_property(UNIT, "MainPID")
    memory = machine.succeed(f"grep VmRSS /proc/{pid}/status").split()[1]
    machine.log(f"without bans and lists the firewall takes {memory} KiB")

with subtest("what is open is read anew on reload, and what cannot be served changes nothing"):
    put(CONFIG, f"tcp = [22, 80, 443, {CLOSED}]\nbannable = [\"10.0.0.0/8\"]\nnever = [\"{OTHER4}\"]\n")
    machine.succeed(f"systemctl reload {UNIT}")
    t.assertTrue(reaches(OWN4, CLOSED, CLIENT4))
    ban("10.1.2.3")
    answer = call("POST", "/v1/bans", [{"prefix": OTHER4, "seconds": 60}])
    t.assertEqual(answer["refused"][0]["why"], "never")
    put(CONFIG, "tcp = [0]\n")
    machine.succeed(f"systemctl reload {UNIT}")
    t.assertTrue(reaches(OWN4, CLOSED, CLIENT4))
    t.assertIn("port 0", machine.succeed(f"journalctl --boot --no-pager --unit {UNIT}"))
    program = machine.get_unit_property(UNIT, "ExecStart").split("path=")[1].split()[0]
    put("/tmp/wrong.toml", "nevre = []\n")
    t.assertIn("did you mean `never`?", machine.fail(f"{program} --check-config --config /tmp/wrong.toml 2>&1"))
    # Other appliances are let in where their authority is.
    machine.succeed(f"rm {CONFIG}", "touch /etc/casemate/peers.pem", f"systemctl reload {UNIT}")
    t.assertIn(9443, call("GET", "/v1/state")["tcp"])
    machine.succeed("rm /etc/casemate/peers.pem", f"systemctl reload {UNIT}")
    t.assertNotIn(9443, call("GET", "/v1/state")["tcp"])
    t.assertFalse(reaches(OWN4, CLOSED, CLIENT4))

with subtest("pings are answered, and not as many as anybody likes"):
    for address in (OWN4, OWN6):
        machine.succeed(client(f"python3 -c 'import socket, struct, sys\n"
            f"v6 = \":\" in \"{address}\"\n"
            "s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 58 if v6 else 1)\n"
            "s.settimeout(0.2)\n"
            "head = struct.pack(\"!BBHHH\", 128 if v6 else 8, 0, 0 if v6 else 0xf7fe, 1, 0)\n"
            "def answered():\n"
            "    try:\n"
            "        while True:\n"
            "            data, _ = s.recvfrom(2000)\n"
            "            if data[0 if v6 else 20] == (129 if v6 else 0): return 1\n"
            "    except TimeoutError: return 0\n"
            f"s.sendto(head, (\"{address}\", 0))\n"
            "assert answered()\n"
            f"for _ in range(500): s.sendto(head, (\"{address}\", 0))\n"
            "count = sum(iter(answered, 0))\n"
            "assert 10 <= count <= 200, count'"))
