# Certificates: the local one, whose authority is kept, and a public one from a directory that runs in the machine and
# misbehaves. A NixOS test script: it calls only the test driver's API.
import json
import shlex
import time
from typing import Any

CONFIG = "/etc/casemate/certs.toml"
DIALER = "/etc/casemate/dialer.toml"
ROOTS = "/etc/casemate/acme-root"
KEYS = "/var/lib/casemate/keys"
CERTS = "/var/lib/casemate/certs"
GIVEN = "/run/casemate/tls"
CHALLENGES = "/run/casemate/challenges"
NOTES = f"{CERTS}/acme.json"
UNIT = "casemate-certs.service"

# The directory, what it asks about challenges, and where it says how it does.
PORT, HTTP, TLS, MANAGEMENT = 14000, 5080, 5443, 15000
DIRECTORY = f"https://acme.test:{PORT}/dir"

# Percent of good nonces that the directory refuses (the client must fetch another), and of proofs that it remembers.
BAD_NONCES, REUSE = 5, 50

# Seconds for which the directory that is out of order asks to be left alone: more than the first failures put off.
LEFT_ALONE = 3 * 3600

REACH = f"""
[[reach]]
unit = "certs"
host = "acme.test"
ports = [{PORT}]
private = true
"""

# The names of the local certificate.
HOME = ["localhost", "lan.test"]

# Answers challenges from the folder that the gate reads: by HTTP, and by TLS in the name that is asked for.
RESPONDER = f"""
import http.server, pathlib, ssl, threading
folder = pathlib.Path("{CHALLENGES}")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        start, _, token = self.path.rpartition("/")
        found = start == "/.well-known/acme-challenge" and (folder / "http" / token).is_file()
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write((folder / "http" / token).read_bytes() if found else b"")
def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_alpn_protocols(["acme-tls/1"])
    return made
def chosen(connection, name, _):
    answer = context()
    answer.load_cert_chain(folder / "alpn" / (name + ".pem"))
    connection.context = answer
first = context()
first.sni_callback = chosen
plain = http.server.ThreadingHTTPServer(("127.0.0.1", {HTTP}), Answer)
threading.Thread(target=plain.serve_forever).start()
secure = http.server.ThreadingHTTPServer(("127.0.0.1", {TLS}), Answer)
secure.socket = first.wrap_socket(secure.socket, server_side=True)
secure.serve_forever()
"""

# A directory that is out of order: it answers nothing but 503.
BROKEN = f"""
import http.server, ssl
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503)
        self.send_header("retry-after", "{LEFT_ALONE}")
        self.end_headers()
    do_HEAD = do_POST = do_GET
server = http.server.ThreadingHTTPServer(("127.0.0.1", {PORT}), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/root/pebble/server.pem", "/root/pebble/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

PEBBLE: dict[str, Any] = {
    "pebble": {
        "listenAddress": f"127.0.0.1:{PORT}",
        "managementListenAddress": f"127.0.0.1:{MANAGEMENT}",
        "certificate": "/root/pebble/server.pem",
        "privateKey": "/root/pebble/server.key",
        "httpPort": HTTP,
        "tlsPort": TLS,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
}


def put(path: str, text: str) -> None:
    machine.succeed(f"mkdir --parents $(dirname {path}) && rm --force {path} && printf %s {shlex.quote(text)} > {path}")


def configure(names: list[str], *lines: str) -> None:
    table = [f"names = {json.dumps(HOME)}", "[acme]", "agree_to_terms = true", f"names = {json.dumps(names)}", f'directory = "{DIRECTORY}"']
    put(CONFIG, "\n".join([*table, f'root = "{ROOTS}/pebble.pem"', *lines, ""]))


def start_pebble() -> None:
    machine.execute("systemctl stop test-directory.service")
    machine.succeed(
        f"systemd-run --unit=test-directory --collect --setenv=PEBBLE_VA_NOSLEEP=1 --setenv=PEBBLE_WFE_NONCEREJECT={BAD_NONCES}"
        f" --setenv=PEBBLE_AUTHZREUSE={REUSE} $(command -v pebble) -config /root/pebble/config.json"
    )
    machine.wait_until_succeeds("curl --silent --fail --insecure https://localhost:15000/roots/0 > /root/pebble/issuer.pem", timeout=60)


def python(name: str, text: str, port: int) -> None:
    put(f"/root/pebble/{name}.py", text)
    machine.execute(f"systemctl stop test-{name}.service")
    machine.succeed(f"systemd-run --unit=test-{name} --collect $(command -v python3) /root/pebble/{name}.py")
    machine.wait_for_open_port(port)


def run() -> None:
    machine.succeed(f"systemctl start {UNIT}")


def forget_failures() -> None:
    machine.succeed(f"rm {NOTES}")


def said(words: str) -> None:
    machine.succeed("journalctl --sync")
    machine.succeed(f"journalctl --boot --unit={UNIT} --output=cat --no-pager | grep --fixed-strings {shlex.quote(words)} > /dev/null")


def notes() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(machine.succeed(f"cat {NOTES}"))
    return read


def fingerprint(path: str) -> str:
    return machine.succeed(f"openssl x509 -noout -fingerprint -sha256 -in {path}").split("=")[1].strip()


def serial(path: str) -> str:
    return machine.succeed(f"openssl x509 -noout -serial -in {path}").strip()


def names_in(path: str) -> set[str]:
    shown = machine.succeed(f"openssl x509 -noout -ext subjectAltName -in {path}").split("\n")[1]
    return {name.strip().split(":", 1)[1] for name in shown.split(",")}


def check_given(name: str, chain: str) -> None:
    """What the gate reads is whole, for it alone, and what is sealed."""
    given = f"{GIVEN}/{name}.pem"
    t.assertEqual(machine.succeed(f"stat --format '%a %U %G' {given}").split(), ["640", "root", "casemate-tls"])
    machine.succeed(
        f"systemd-creds decrypt --name=tls-{name} {KEYS}/tls-{name}.cred - | cmp - {given}",
        f"cmp {CERTS}/{chain} /run/casemate/serving/{name}.pem",
        f"tail --bytes=$(stat --format %s {CERTS}/{chain}) {given} | cmp - {CERTS}/{chain}",
        f"[ \"$(openssl pkey -in {given} -pubout)\" = \"$(openssl x509 -in {given} -noout -pubkey)\" ]",
    )


def check_public(names: set[str]) -> None:
    check_given("acme", "acme.pem")
    t.assertEqual(names_in(f"{CERTS}/acme.pem"), names)
    machine.succeed(f"openssl verify -CAfile /root/pebble/issuer.pem -untrusted {CERTS}/acme.pem {CERTS}/acme.pem")
    t.assertEqual(machine.succeed(f"find {CHALLENGES} -type f"), "", "answers to challenges are left behind")
    t.assertEqual(machine.succeed(f"systemctl is-failed {UNIT} || true").strip(), "inactive")


# What the gate shows of the certificate that it serves for a name.
SHOWN = "openssl s_client -connect localhost:443 -servername {name} </dev/null 2>/dev/null | openssl x509 -noout {what}"


def served(name: str) -> str:
    """The serial number of the certificate that the gate serves for a name."""
    return machine.succeed(SHOWN.format(name=name, what="-serial")).strip()


def wait_until_served(name: str) -> None:
    """The gate reads its folder anew after the run has ended."""
    shown = SHOWN.format(name=name, what="-serial")
    machine.wait_until_succeeds(f"[ \"$({shown})\" = \"{serial(f'{CERTS}/acme.pem')}\" ]", timeout=60)


machine.start()
machine.wait_for_unit("multi-user.target")
# Runs are this test's alone.
machine.succeed("systemctl stop casemate-certs.timer")

with subtest("the local certificate is there from the start, and the console says by what to know its authority"):
    check_given("local", "chain.pem")
    machine.succeed(f"openssl verify -CAfile {CERTS}/ca.pem {CERTS}/chain.pem")
    authority = fingerprint(f"{CERTS}/ca.pem")
    t.assertIn(authority, machine.succeed("cat /run/issue.d/casemate.issue"))
    t.assertEqual(machine.succeed(f"stat --format '%a %G' {GIVEN} {CHALLENGES}").split(), ["750", "casemate-tls"] * 2)

with subtest("with nothing due a run changes nothing"):
    before = machine.succeed(f"sha256sum {KEYS}/* {GIVEN}/*")
    run()
    t.assertEqual(machine.succeed(f"sha256sum {KEYS}/* {GIVEN}/*"), before)

with subtest("the authority is kept over a renewal, and can sign for no other names"):
    put(CONFIG, 'names = ["localhost"]\n')
    former = serial(f"{CERTS}/chain.pem")
    run()
    check_given("local", "chain.pem")
    t.assertNotEqual(serial(f"{CERTS}/chain.pem"), former)
    t.assertEqual(fingerprint(f"{CERTS}/ca.pem"), authority)
    constraints = machine.succeed(f"openssl x509 -noout -ext nameConstraints -in {CERTS}/ca.pem")
    t.assertIn("DNS:localhost", constraints)
    put(CONFIG, f"names = {json.dumps(HOME)}\n")
    run()
    t.assertNotEqual(fingerprint(f"{CERTS}/ca.pem"), authority)
    check_given("local", "chain.pem")

with subtest("what was sealed and is gone is made anew"):
    machine.succeed(f"rm {KEYS}/ca.cred {KEYS}/tls-local.cred /run/casemate/serving/local.pem {GIVEN}/local.pem")
    run()
    check_given("local", "chain.pem")
    # The key alone: the run that finds it missing clears the way for the next.
    machine.succeed(f"rm {KEYS}/tls-local.cred /run/casemate/serving/local.pem {GIVEN}/local.pem")
    run()
    run()
    check_given("local", "chain.pem")

with subtest("mistakes in the configuration are named"):
    program = machine.get_unit_property(UNIT, "ExecStart").split("path=")[1].split()[0]
    good = 'agree_to_terms = true\nnames = ["shop.test"]\n'
    for text, words in [
        ('names = ["shop.test"]\n', "`agree_to_terms`"),
        (good.replace("names", "nmaes"), "did you mean `names`?"),
        (good + 'challenge = "http01"\n', "did you mean `http-01`?"),
        (good + 'directory = "http://acme.test/dir"\n', "https://"),
        (good + 'root = "/etc/shadow"\n', ROOTS),
    ]:
        put("/tmp/wrong.toml", f"[acme]\n{text}")
        t.assertIn(words, machine.fail(f"{program} --check-config --config /tmp/wrong.toml 2>&1"))
    put("/tmp/right.toml", f"[acme]\n{good}")
    machine.succeed(f"{program} --check-config --config /tmp/right.toml")

with subtest("a directory in the machine"):
    machine.succeed(
        "cat /etc/hosts > /tmp/hosts && printf '127.0.0.1 acme.test shop.test www.shop.test new.test\\n' >> /tmp/hosts",
        "cp --remove-destination /tmp/hosts /etc/hosts",
        f"mkdir --parents /root/pebble {ROOTS}",
        f"cd /root/pebble && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=root -keyout root.key"
        f" -out {ROOTS}/pebble.pem -days 30 -addext basicConstraints=critical,CA:TRUE 2>&1",
        "cd /root/pebble && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr 2>&1",
        "cd /root/pebble && printf 'subjectAltName=DNS:acme.test,DNS:localhost\\nextendedKeyUsage=serverAuth\\n' > extensions"
        f" && openssl x509 -req -in server.csr -CA {ROOTS}/pebble.pem -CAkey root.key -days 30 -extfile extensions -out server.pem 2>&1",
    )
    put("/root/pebble/config.json", json.dumps(PEBBLE))
    python("responder", RESPONDER, HTTP)
    start_pebble()

with subtest("a host that the dialer does not know is told with what to declare, and costs nothing"):
    configure(["shop.test"])
    before = machine.succeed(f"sha256sum {GIVEN}/*")
    machine.fail(f"systemctl start {UNIT}")
    for words in ("/etc/casemate/dialer.toml", 'host = "acme.test", ports = [14000]', "visitors get the local certificate"):
        said(words)
    machine.succeed(f"journalctl --boot --unit={UNIT} CASEMATE_EVENT=certificate-renewal-failed --quiet | grep . > /dev/null")
    t.assertEqual(machine.succeed(f"sha256sum {GIVEN}/*"), before)
    t.assertEqual(notes()["failures"], 1)
    # It waits: nothing is tried, and that is no failure.
    run()
    t.assertEqual(notes()["failures"], 1)

with subtest("http-01, with nonces refused: key and chain are sealed and given to the gate"):
    put(DIALER, REACH)
    machine.succeed("systemctl restart casemate-dialer.service")
    forget_failures()
    run()
    check_public({"shop.test"})
    said("an account was begun")
    account = machine.succeed(f"systemd-creds decrypt --name=acme {KEYS}/acme.cred - | sha256sum")

with subtest("no key is on disk in the clear"):
    machine.fail("grep --recursive --text --quiet 'PRIVATE KEY' /var/lib/casemate")
    machine.fail("grep --recursive --text --quiet key_pkcs8 /var/lib/casemate")
    t.assertEqual(machine.succeed("ls --almost-all /run/casemate-certs 2>/dev/null || true"), "")

with subtest("the directory is asked when it wants the certificate renewed, and it is left alone until then"):
    first = serial(f"{CERTS}/acme.pem")
    run()
    planned = notes()["planned"]
    t.assertGreaterEqual(planned["moment"], planned["start"])
    t.assertLessEqual(planned["moment"], planned["end"])
    t.assertGreater(planned["moment"], time.time())
    run()
    t.assertEqual(notes()["planned"], planned)
    t.assertEqual(serial(f"{CERTS}/acme.pem"), first)

with subtest("when the moment has come it is renewed, with the same account and another key"):
    key = machine.succeed(f"openssl x509 -in {CERTS}/acme.pem -noout -pubkey")
    changed = notes()
    changed["planned"]["moment"] = int(time.time()) - 1
    put(NOTES, json.dumps(changed))
    run()
    check_public({"shop.test"})
    t.assertNotEqual(serial(f"{CERTS}/acme.pem"), first)
    t.assertNotEqual(machine.succeed(f"openssl x509 -in {CERTS}/acme.pem -noout -pubkey"), key)
    t.assertEqual(machine.succeed(f"systemd-creds decrypt --name=acme {KEYS}/acme.cred - | sha256sum"), account)

with subtest("tls-alpn-01, for other names"):
    configure(["shop.test", "www.shop.test"], 'challenge = "tls-alpn-01"')
    run()
    check_public({"shop.test", "www.shop.test"})

with subtest("a proof that fails, and a profile that is not offered, are said in the directory's words"):
    machine.succeed("systemctl stop test-responder.service")
    kept = machine.succeed(f"sha256sum {GIVEN}/* {KEYS}/tls-*")
    configure(["new.test"])
    machine.fail(f"systemctl start {UNIT}")
    said("the directory did not accept the proof: new.test")
    said("the one in use stays and serves until")
    t.assertEqual(machine.succeed(f"find {CHALLENGES} -type f"), "")
    configure(["new.test"], 'profile = "shortlived"')
    machine.fail(f"systemctl start {UNIT}")
    said('the directory offers no profile "shortlived"')
    t.assertEqual(machine.succeed(f"sha256sum {GIVEN}/* {KEYS}/tls-*"), kept)

with subtest("a directory that is out of order is left alone for as long as it asks"):
    machine.succeed("systemctl stop test-directory.service")
    machine.wait_for_closed_port(PORT)
    python("broken", BROKEN, PORT)
    forget_failures()
    configure(["new.test"])
    machine.fail(f"systemctl start {UNIT}")
    said("acme.test answered 503")
    wait = notes()["next_try"] - time.time()
    t.assertTrue(LEFT_ALONE - 60 < wait <= LEFT_ALONE + 60, str(wait))
    t.assertEqual(machine.succeed(f"sha256sum {GIVEN}/* {KEYS}/tls-*"), kept)
    machine.succeed("systemctl stop test-broken.service")

with subtest("after a power cut the gate is given what was sealed, and the directory is still left alone"):
    before = notes()
    machine.succeed("sync")
    machine.crash()
    machine.start()
    machine.wait_for_unit("multi-user.target")
    machine.succeed("systemctl stop casemate-certs.timer")
    machine.wait_until_succeeds(f"test -e {GIVEN}/acme.pem", timeout=60)
    check_given("local", "chain.pem")
    check_given("acme", "acme.pem")
    t.assertEqual(names_in(f"{GIVEN}/acme.pem"), {"shop.test", "www.shop.test"})
    run()
    t.assertEqual(notes(), before)

with subtest("a directory that is down, and then one that has forgotten the account"):
    forget_failures()
    machine.fail(f"systemctl start {UNIT}")
    said("acme.test could not be reached")
    python("responder", RESPONDER, HTTP)
    start_pebble()
    forget_failures()
    run()
    check_public({"new.test"})
    said("the directory no longer knows the account")
    t.assertNotEqual(machine.succeed(f"systemd-creds decrypt --name=acme {KEYS}/acme.cred - | sha256sum"), account)

with subtest("the gate answers http-01 itself, and serves the new certificate without being restarted"):
    machine.execute("systemctl stop test-responder.service")
    PEBBLE["pebble"]["httpPort"], PEBBLE["pebble"]["tlsPort"] = 80, 443
    put("/root/pebble/config.json", json.dumps(PEBBLE))
    start_pebble()
    machine.wait_for_unit("casemate-gate.service")
    process = machine.get_unit_property("casemate-gate.service", "MainPID")
    forget_failures()
    configure(["shop.test"])
    run()
    check_public({"shop.test"})
    wait_until_served("shop.test")
    t.assertEqual(machine.get_unit_property("casemate-gate.service", "MainPID"), process)
    # A name with a certificate is a host that is answered for; any other is not.
    machine.succeed("curl --silent --show-error --fail --cacert /root/pebble/issuer.pem --max-time 20 https://shop.test/healthz")
    machine.fail("curl --silent --fail --insecure --max-time 20 https://new.test/healthz")
    machine.succeed("openssl s_client -connect localhost:443 -servername shop.test -CAfile /root/pebble/issuer.pem -verify_hostname shop.test -verify_return_error </dev/null")

with subtest("the gate answers tls-alpn-01 itself"):
    configure(["shop.test", "www.shop.test"], 'challenge = "tls-alpn-01"')
    run()
    check_public({"shop.test", "www.shop.test"})
    wait_until_served("www.shop.test")

with subtest("names at home keep the local certificate, and an unfinished challenge is no answer"):
    t.assertEqual(served("localhost"), serial(f"{CERTS}/chain.pem"))
    for path in ("none", "..%2f..%2ftls%2flocal.pem", "../../tls/local.pem"):
        url = f"http://localhost/.well-known/acme-challenge/{path}"
        status = machine.succeed(f"curl --silent --path-as-is --output /dev/null --write-out '%{{http_code}}' --max-time 20 {url}")
        t.assertIn(status, {"400", "404"}, path)

with subtest("a folder that does not parse leaves the certificates in use"):
    before = served("shop.test")
    machine.succeed(f"cp {GIVEN}/acme.pem /run/kept.pem && head --bytes=300 /run/kept.pem > {GIVEN}/acme.pem")
    machine.execute("systemctl reload casemate-gate.service")
    t.assertEqual(served("shop.test"), before)
    machine.succeed(f"install --mode=0640 --group=casemate-tls /run/kept.pem {GIVEN}/acme.pem && rm /run/kept.pem", "systemctl reload casemate-gate.service")
    t.assertEqual(served("shop.test"), before)

with subtest("after a power cut visitors get the public certificate at once, though the directory is down"):
    machine.succeed("sync")
    machine.crash()
    machine.start()
    machine.wait_for_open_port(443)
    machine.succeed("systemctl stop casemate-certs.timer")
    t.assertEqual(served("shop.test"), serial(f"{CERTS}/acme.pem"))

with subtest("without the table the public certificate is taken away and the local one stays"):
    put(CONFIG, "")
    run()
    for path in (f"{GIVEN}/acme.pem", f"{KEYS}/tls-acme.cred", f"{CERTS}/acme.pem", "/run/casemate/serving/acme.pem"):
        machine.fail(f"test -e {path}")
    check_given("local", "chain.pem")
