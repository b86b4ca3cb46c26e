"""Measures guard and firewall beside Debian's fail2ban, inside a booted machine, and prints the figures as JSON."""

import fcntl
import http.client
import json
import os
import pathlib
import socket
import ssl
import statistics
import struct
import subprocess
import termios
import threading
import time

SERVER = "45.0.0.1"
SLICE = 45 << 24
CLIENTS = 600
FAIL2BAN_BANS = 10
# Nothing came back for so long: packets are dropped. Seconds, many times what an answer takes.
DROPPED = 0.05
# Seconds between two packets whose arrival is looked at, and how long they are sent at least.
STEP = 0.00002
DECIDED = 0.005
# journald takes no more of one service at once, whatever the service's own limits say.
LINES = 30_000
BANS = 100_000
LISTED = 500_000
JAIL = """
[DEFAULT]
allowipv6 = auto
banaction = nftables
dbpurgeage = 1d
[sshd]
enabled = true
backend = {backend}
{source}
maxretry = {retries}
findtime = 10m
bantime = 1h
"""


def run(command: str) -> str:
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout


def until(check, seconds: float = 60, pause: float = 0.05) -> None:
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(check)
        time.sleep(pause)


def address(number: int) -> str:
    return socket.inet_ntoa((SLICE + number).to_bytes(4, "big"))


def main_pid(unit: str) -> int:
    return int(run(f"systemctl show --property MainPID --value {unit}"))


def processor(pid: int) -> float:
    """Seconds of processor time of a process that is alive, of all of its threads that are."""
    threads = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def memory(pid: int) -> int:
    """Bytes of a process's own share of memory (PSS)."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


class Local:
    """HTTP over a Unix socket, over one connection."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def ask(self, method: str, path: str, body=None):
        text = json.dumps(body) if body is not None else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        # Head and body at once, as services do.
        self.socket.sendall((head + text).encode())
        with http.client.HTTPResponse(self.socket, method=method) as reply:
            reply.begin()
            said = reply.read()
            if reply.status != 200:
                raise RuntimeError(f"{method} {path}: {reply.status} {said!r}")
            return json.loads(said)


GUARD = "/run/casemate/guard-operator/guard.sock"
FIREWALL = "/run/casemate/firewall/firewall.sock"


def network() -> None:
    run(
        "ip netns add outside; ip link add way type veth peer name way netns outside;"
        f"ip address add {SERVER}/8 dev way; ip link set way up; ip netns exec outside ip link set way up;"
        "ip netns exec outside ip link set lo up;"
        f"ip netns exec outside ip route add local 45.1.0.0/16 dev lo; ip netns exec outside ip address add 45.0.0.2/8 dev way;"
        # One neighbour for all attackers: the kernel's table of neighbours holds 1024, and drops what is for one more.
        "ip route add 45.1.0.0/16 via 45.0.0.2 dev way"
    )


def enter() -> None:
    """Goes into the attackers' network, with this thread alone."""
    with open("/run/netns/outside") as namespace:
        os.setns(namespace.fileno(), os.CLONE_NEWNET)


def connect(source: str) -> ssl.SSLSocket:
    plain = socket.socket()
    plain.settimeout(3)
    plain.bind((source, 0))
    plain.connect((SERVER, 443))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain)


def fetch(connection: ssl.SSLSocket, path: str) -> tuple[float, bytes]:
    begun = time.perf_counter()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {SERVER}\r\n\r\n".encode())
    try:
        answer = connection.recv(65536)
    except ConnectionError:
        answer = b""
    return time.perf_counter() - begun, answer


def unsent(connection: socket.socket) -> int:
    """Bytes that wait for room on the way (SIOCOUTQNSD)."""
    return struct.unpack("i", fcntl.ioctl(connection, 0x894B, bytes(4)))[0]


def arrived(connection: socket.socket) -> int:
    """Bytes that are there to be read."""
    return struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4)))[0]


def deciding(found: dict) -> None:
    """From the deciding request until the kernel drops packets of the same client, on a connection that existed before.

    The client sends a byte every few microseconds; what counts is when the first was sent that did not arrive.
    """
    run("systemctl stop ssh.socket ssh.service 2>/dev/null; true")
    # The port of SSH is open.
    listener = socket.create_server((SERVER, 22), backlog=16)
    enter()
    # The kernel makes a sleep longer by this, in nanoseconds.
    pathlib.Path(f"/proc/{threading.get_native_id()}/timerslack_ns").write_text("1000")
    dropped, ended, plain, steps, served = [], [], [], [], 0
    for number in range(CLIENTS):
        source = address((1 << 16) + 256 + number)
        connection = connect(source)
        fetch(connection, "/nothing")
        plain.append(fetch(connection, "/nothing")[0])
        other = socket.socket()
        other.bind((source, 0))
        other.connect((SERVER, 22))
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far, _ = listener.accept()
        # Each byte is to be a packet at once, which no acknowledgement that is late holds up.
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        begun = time.perf_counter()
        connection.sendall(f"GET /.env HTTP/1.1\r\nHost: {SERVER}\r\n\r\n".encode())
        sent = [time.perf_counter()]
        other.send(b"x")
        while sent[-1] - begun < DECIDED or time.perf_counter() - sent[-1] < DROPPED:
            time.sleep(STEP)
            if not unsent(other):
                sent.append(time.perf_counter())
                other.send(b"x")
        count = arrived(far)
        dropped.append(sent[count] - begun)
        steps.append(sent[count] - sent[count - 1] if count else 0)
        connection.settimeout(DROPPED)
        try:
            served += bool(connection.recv(65536))
            served += bool(fetch(connection, "/healthz")[1])
        except (TimeoutError, OSError):
            pass
        for one in (other, far, connection):
            one.close()
    for number in range(CLIENTS):
        connection = connect(address((1 << 16) + 4096 + number))
        fetch(connection, "/nothing")
        ended.append(fetch(connection, "/.env")[0])
        connection.close()
    found["dropped_ms_p50"] = 1000 * statistics.median(dropped)
    found["dropped_ms_p99"] = 1000 * percentile(dropped, 99)
    found["step_ms_p50"] = 1000 * statistics.median(steps)
    found["ended_ms_p50"] = 1000 * statistics.median(ended)
    found["plain_ms_p50"] = 1000 * statistics.median(plain)
    found["served_after"] = served


def fail2ban(backend: str, source: str, retries: int) -> int:
    run("systemctl unmask fail2ban.service 2>/dev/null; mkdir --parents /etc/fail2ban/jail.d; rm --force /etc/fail2ban/jail.d/*")
    pathlib.Path("/etc/fail2ban/jail.d/bench.conf").write_text(JAIL.format(backend=backend, source=source, retries=retries))
    run("systemctl restart fail2ban.service")
    until(lambda: subprocess.run("fail2ban-client status sshd", shell=True, capture_output=True).returncode == 0)
    return main_pid("fail2ban.service")


def line(client: str) -> str:
    return f"Failed password for root from {client} port 4711 ssh2"


def fail2bans_bans(found: dict) -> None:
    log = pathlib.Path("/run/fail2ban-bench.log")
    log.write_text("")
    pid = fail2ban("polling", f"logpath = {log}", 1)
    times = []
    for number in range(FAIL2BAN_BANS):
        client = address((3 << 16) + number)
        stamp = time.strftime("%b %d %H:%M:%S")
        begun = time.perf_counter()
        with log.open("a") as file:
            file.write(f"{stamp} host sshd[77]: {line(client)}\n")
        until(lambda: client in run("nft list ruleset"), pause=0)
        times.append(time.perf_counter() - begun)
    found["fail2ban_decided_ms_p50"] = 1000 * statistics.median(times)
    found["fail2ban_memory"] = memory(pid)


def one_ban(found: dict) -> None:
    firewall, times = Local(FIREWALL), []
    pid = main_pid("casemate-firewall.service")
    before = processor(pid)
    for number in range(2000):
        ban = [{"prefix": address((4 << 16) + number), "seconds": 600}]
        begun = time.perf_counter()
        firewall.ask("POST", "/v1/bans", ban)
        times.append(time.perf_counter() - begun)
    found["ban_us_p50"] = 1e6 * statistics.median(times)
    found["ban_processor_us"] = 1e6 * (processor(pid) - before) / len(times)
    firewall.ask("DELETE", "/v1/bans", [{"prefix": address((4 << 16) + number)} for number in range(2000)])
    run("nft add table inet bench; nft 'add set inet bench banned { type ipv4_addr; }'")
    times, before = [], os.times()
    for number in range(100):
        begun = time.perf_counter()
        subprocess.run(["nft", "add", "element", "inet", "bench", "banned", f"{{ {address((5 << 16) + number)} }}"], check=True)
        times.append(time.perf_counter() - begun)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    found["nft_us_p50"] = 1e6 * statistics.median(times)
    found["nft_processor_us"] = 1e6 * spent / len(times)
    run("nft delete table inet bench")


def judging(found: dict) -> None:
    """The same lines of the same journal for both, of a program that journald takes for sshd."""
    run("install -m 0755 /usr/bin/logger /usr/local/bin/sshd")
    pid = fail2ban("systemd", "", 5)
    guard = main_pid("casemate-guard.service")
    lines = "".join(line(address((6 << 16) + number)) + "\n" for number in range(LINES))
    pathlib.Path("/run/lines").write_text(lines)
    local = Local(GUARD)
    judged = local.ask("GET", "/v1/state")["judged"]
    before, before_fail2ban = processor(guard), processor(pid)
    run(
        "systemd-run --quiet --wait --unit=ssh --property=LogRateLimitIntervalSec=0 "
        "/usr/local/bin/sshd --id --tag sshd --file /run/lines"
    )
    until(lambda: local.ask("GET", "/v1/state")["judged"] >= judged + LINES, seconds=120)
    spent = processor(guard) - before
    def total() -> int:
        return int(run("fail2ban-client status sshd | grep 'Total failed'").split()[-1])

    until(lambda: total() >= LINES, seconds=300, pause=5)
    last, counted = processor(pid), total()
    found["guard_lines"] = LINES / spent
    found["fail2ban_judged"] = counted
    found["fail2ban_lines"] = counted / (last - before_fail2ban)
    run("systemctl stop fail2ban.service")


def many_bans(found: dict) -> None:
    def some(first: int) -> None:
        local = Local(GUARD)
        for number in range(first, BANS, 4):
            prefix = f"{address((16 << 16) + number)}/32"
            local.ask("POST", "/v1/bans", {"prefix": prefix, "seconds": 86_400})

    threads = [threading.Thread(target=some, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(2)
    found["bans"] = Local(GUARD).ask("GET", "/v1/state")["bans"]
    found["guard_memory"] = memory(main_pid("casemate-guard.service"))
    found["firewall_memory"] = memory(main_pid("casemate-firewall.service"))


def lists(found: dict) -> None:
    """Half a million, and then another half a million in their place, with a listed client that goes on trying."""
    local, probe, leaks, tries = Local(GUARD), "45.1.0.200", [0], [0]
    over = threading.Event()

    def put(first: int) -> float:
        text = "\n".join(["45.1.0.200", *(address((64 << 16) + first + 2 * number) for number in range(LISTED - 1))])
        pathlib.Path("/etc/casemate/blocks/.new").write_text(text)
        os.rename("/etc/casemate/blocks/.new", "/etc/casemate/blocks/bench.txt")
        stamp = os.stat("/etc/casemate/blocks/bench.txt").st_mtime_ns

        def loaded() -> bool:
            state = local.ask("GET", "/v1/state")["lists"]
            return any(one["version_ns"] == stamp for one in state)

        until(loaded, seconds=120)
        return local.ask("GET", "/v1/state")["lists"][0]["took_ms"] / 1000

    def knock() -> None:
        enter()
        while not over.is_set():
            with socket.socket() as plain:
                plain.settimeout(0.02)
                plain.bind((probe, 0))
                tries[0] += 1
                leaks[0] += plain.connect_ex((SERVER, 443)) == 0

    found["list_s"] = put(0)
    thread = threading.Thread(target=knock)
    thread.start()
    found["list_again_s"] = put(1)
    over.set()
    thread.join()
    found["list_leaks"], found["list_tries"] = leaks[0], tries[0]


def main() -> None:
    found: dict = {}
    network()
    found["guard_idle"] = memory(main_pid("casemate-guard.service"))
    found["firewall_idle"] = memory(main_pid("casemate-firewall.service"))
    for part in (deciding, one_ban, fail2bans_bans, judging, many_bans, lists):
        thread = threading.Thread(target=part, args=(found,))
        thread.start()
        thread.join()
    print(json.dumps(found))


main()
