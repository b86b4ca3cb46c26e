# What others' tools say of the edge: HTTP/2's conformance, request smuggling, TLS, and the headers of pages. A NixOS test
# script: it calls only the test driver's API, and the machine has the tools of vm-tests/outside.
# tools: outside
import json
import re
import shlex
from typing import Any

HOST = "shop.test"
BOT = f"https://{HOST}/b/shop"
AUTHORITY = "/root/edge/ca.pem"
OBSERVATORY = "/opt/outside/node_modules/@mdn/mdn-http-observatory"

# What a scanner's own address may do: more than a client's.
NO_LIMITS = "[limits]\nbot_per_minute = 1000000\nall_per_minute = 1000000\nexempt = ['127.0.0.0/8', '::1/128']\n"

# Days that the certificate is valid. testssl.sh warns from 60 on.
DAYS = 90

# Cases that httpwg-cli has, and milliseconds that it waits for a frame.
CASES, FRAME_MS = 107, 1500

# What testssl.sh finds that is not the gate's: a domain's owner says in the DNS who may certify it.
NOT_THE_GATES = {"DNS_CAArecord"}

# What testssl.sh is told to look at: protocols, ciphers, key exchange, the certificate, headers and vulnerabilities. It
# grades only when it sees all of these.
CHECKS = "--protocols --std --server-defaults --server-preference --headers --vulnerable --fs"

# The pages and answers that are graded.
PAGES = ("/b/shop/", "/b/shop/frame", "/b/shop/v1/bot", "/healthz")

# What httpwg-cli is to ask for in place of `/`, which is nothing here: without a body, and with one.
GET, POST = "/b/shop/frame", "/b/shop/v1/conversations"

# Speaks TLS for httpwg-cli, which cannot: what comes to its port goes to the gate, over HTTP/2 as TLS agreed on. As what ends
# TLS for others would, it says `https` where a request says `http`. It leads `/` to what is there, so that answers are 200
# and bodies are read: what has a body is JSON, and what is posted without one is got. All else goes on as it came.
TUNNEL = f"""
import asyncio, ssl
context = ssl.create_default_context(cafile="{AUTHORITY}")
context.set_alpn_protocols(["h2"])
HEADERS, END_STREAM, END_HEADERS, PADDED, PRIORITY = 1, 0x01, 0x04, 0x08, 0x20
def led(head, payload):
    if head[3] != HEADERS or head[4] & (PADDED | PRIORITY) or payload[1:3] != bytes((0x86, 0x84)):
        return head + payload
    posted = payload[0] == 0x83 and not head[4] & END_STREAM
    path = b"{POST}" if posted else b"{GET}"
    if posted and head[4] & END_HEADERS:
        payload += bytes((0x0f, 0x10, 16)) + b"application/json"
    payload = bytes((0x83 if posted else 0x82, 0x87, 0x04, len(path))) + path + payload[3:]
    return len(payload).to_bytes(3) + head[3:] + payload
async def ask(reader, writer):
    try:
        writer.write(await reader.readexactly(24))
        while True:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3]))
            writer.write(led(head, payload))
            await writer.drain()
    except asyncio.IncompleteReadError as rest:
        writer.write(rest.partial)
    except OSError:
        pass
    writer.close()
async def answer(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
async def tunnel(reader, writer):
    there, back = await asyncio.open_connection("{HOST}", 443, ssl=context)
    assert back.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    await asyncio.gather(ask(reader, back), answer(there, writer))
async def serve():
    server = await asyncio.start_server(tunnel, "127.0.0.1", 8080)
    await server.serve_forever()
asyncio.run(serve())
"""


def put(path: str, text: str) -> None:
    machine.succeed(f"mkdir --parents $(dirname {path}) && printf %s {shlex.quote(text)} > {path}")


def plain(text: str) -> str:
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def read_json(path: str) -> Any:
    return json.loads(machine.succeed(f"cat {path}"))


def certify() -> None:
    """Gives the gate a certificate of an authority that the tools are told to trust."""
    machine.succeed(
        "cd /root/edge && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=authority -keyout ca.key"
        f" -out {AUTHORITY} -days {DAYS} -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>&1",
        f"cd /root/edge && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN={HOST} -keyout key.pem -out asked.csr 2>&1",
    )
    extensions = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth")
    put("/root/edge/extensions", "\n".join((*extensions, f"subjectAltName=DNS:{HOST}", f"crlDistributionPoints=URI:http://{HOST}/ca.crl", "")))
    given = "/run/casemate/tls/shop"
    machine.succeed(
        f"cd /root/edge && openssl x509 -req -in asked.csr -CA {AUTHORITY} -CAkey ca.key -days {DAYS} -extfile extensions -out chain.pem 2>&1",
        f"cat /root/edge/key.pem /root/edge/chain.pem > {given}.new && chown root:casemate-tls {given}.new && chmod 0640 {given}.new",
        f"mv -T {given}.new {given}.pem && systemctl reload casemate-gate.service",
    )


machine.wait_for_unit("casemate-gate.service")

with subtest("a bot on a domain of its own"):
    machine.succeed(f"cat /etc/hosts > /tmp/hosts && echo '127.0.0.1 {HOST}' >> /tmp/hosts && cp --remove-destination /tmp/hosts /etc/hosts")
    put("/etc/casemate/gate.toml", NO_LIMITS)
    machine.succeed("mkdir --parents /root/edge", "systemctl restart casemate-gate.service")
    machine.succeed("casemate bot add shop --title Shop --preview --origin https://shop.example")
    certify()
    machine.succeed(f"curl --silent --show-error --fail --cacert {AUTHORITY} --max-time 20 {BOT}/v1/bot")

with subtest("httpwg-cli: HTTP/2 over TLS as RFC 9113 has it"):
    put("/root/edge/tunnel.py", TUNNEL)
    machine.succeed("systemd-run --unit=test-tunnel --collect python3 /root/edge/tunnel.py")
    machine.wait_for_open_port(8080)
    options = f"--address 127.0.0.1:8080 --connect-timeout 10000 --frame-timeout {FRAME_MS}"
    machine.execute(f"SEQUENTIAL=1 timeout 120 httpwg {options} > /root/edge/httpwg 2>&1")
    said = plain(machine.succeed("cat /root/edge/httpwg"))
    failed = set(re.findall(r"Test failed: RFC 9113 :: (.*)", said))
    passed = set(re.findall(r"Test passed: RFC 9113 :: (.*)", said))
    print(f"httpwg-cli {len(passed)}/{CASES}")
    machine.succeed("systemctl stop test-tunnel.service")
    t.assertEqual(failed, set(), said)
    t.assertEqual(len(passed), CASES, said)

with subtest("smugglex: no way to smuggle a request past the gate to the bot"):
    for path in ("/v1/conversations", "/v1/bot"):
        machine.succeed(f"timeout 120 smugglex --cacert {AUTHORITY} --json --output /root/edge/smuggled.json {BOT}{path} > /root/edge/smugglex 2>&1")
        summary = read_json("/root/edge/smuggled.json")["summary"]
        print(f"smugglex {path}: {summary['vulnerable_checks']} of {summary['total_checks']} checks found something")
        t.assertEqual((summary["vulnerable_checks"], summary["vulnerable_targets"]), (0, 0))
        t.assertGreaterEqual(summary["total_checks"], 7)
    # It was not the limits or the gate's end that silenced it.
    machine.succeed(f"curl --silent --show-error --fail --cacert {AUTHORITY} --max-time 20 {BOT}/v1/bot")

with subtest("sslyze: Mozilla's modern configuration"):
    said = machine.succeed(f"timeout 120 sslyze --mozilla_config=modern --certinfo_ca_file={AUTHORITY} {HOST}:443")
    print("sslyze", *re.findall(rf"{HOST}:443: (.*)", said))
    t.assertIn(f"{HOST}:443: OK - Compliant.", said)
    t.assertNotIn("VULNERABLE", said.replace("Not vulnerable", ""))

with subtest("testssl.sh: A+ and no finding"):
    options = f"--quiet --color 0 --warnings batch --ip 127.0.0.1 --add-ca {AUTHORITY} --jsonfile /root/edge/testssl.json"
    machine.execute(f"timeout 300 testssl {options} {CHECKS} {HOST}:443 > /root/edge/testssl 2>&1")
    findings = {it["id"]: it for it in read_json("/root/edge/testssl.json")}
    wrong = [
        f"{name}: {it['severity']}: {it['finding']}"
        for name, it in findings.items()
        if it["severity"] not in ("OK", "INFO", "WARN") and name not in NOT_THE_GATES
    ]
    grade = findings["overall_grade"]["finding"]
    print(f"testssl.sh {grade}, {len(findings)} results", *wrong, sep="\n  ")
    t.assertEqual((grade, wrong), ("A+", []))

with subtest("MDN's observatory: A+ for what the gate serves"):
    # Browsers' list of domains that are HTTPS only is made by its installation from the network; this one is not on it.
    put(f"{OBSERVATORY}/conf/hsts-preload.json", "{}")
    for page in PAGES:
        said = machine.succeed(f"NODE_EXTRA_CA_CERTS={AUTHORITY} timeout 60 node {OBSERVATORY}/src/scan.js {HOST}{page}")
        scan = json.loads(said)["scan"]
        print(f"observatory {page}: {scan['grade']}, {scan['score']} points, {scan['testsPassed']}/{scan['testsQuantity']} tests")
        t.assertEqual((scan["grade"], scan["testsFailed"]), ("A+", 0), said)
        t.assertGreaterEqual(scan["score"], 100)
