# The gate's certificates come and go while it serves, and its other port leads to it. A NixOS test script: it calls only
# the test driver's API.
import shlex
from typing import Any

CURL = "curl --silent --show-error --max-time 30"
LOCAL = f"{CURL} --cacert /var/lib/casemate/certs/ca.pem"
FOLDER = "/run/casemate/tls"
# As certs answers an authority.
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-o_A"

# Opens a connection, asks on it, and asks again on it once it is told to; prints what was shown to it.
STAY = """
import pathlib, socket, ssl, sys, time
context = ssl.create_default_context(cafile="/tmp/shop.pem")
connection = context.wrap_socket(socket.create_connection(("localhost", 443)), server_hostname="shop.test")
def ask():
    connection.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: shop.test\\r\\n\\r\\n")
    said = b""
    while not said.endswith(b"ok\\n"):
        said += connection.recv(65536) or sys.exit("it was closed")
ask()
pathlib.Path("/run/stays").touch()
while not pathlib.Path("/run/go-on").exists():
    time.sleep(0.1)
ask()
"""


def property_of(name: str) -> str:
    found: Any = machine.get_unit_property("casemate-gate.service", name)
    return str(found)


def certify(file: str, host: str) -> None:
    """Gives the gate a certificate in the way that certs does: under another name first, for its group to read."""
    machine.succeed(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 -subj /CN=test"
        f" -addext subjectAltName=DNS:{host} -keyout /tmp/{file}.key -out /tmp/{file}.pem 2>&1",
        f"cat /tmp/{file}.key /tmp/{file}.pem > {FOLDER}/{file}.new",
        f"chown root:casemate-tls {FOLDER}/{file}.new",
        f"chmod 0640 {FOLDER}/{file}.new",
        f"mv -T {FOLDER}/{file}.new {FOLDER}/{file}.pem",
    )


def visit(host: str, trusted: str) -> str:
    return f"{CURL} --fail --cacert {trusted} --resolve {host}:443:127.0.0.1 https://{host}/healthz"


def status(options: str) -> str:
    return machine.succeed(f"{CURL} --output /tmp/body --write-out '%{{http_code}} %{{redirect_url}}' {options}").strip()


machine.wait_for_unit("casemate-gate.service")
machine.succeed(f"{LOCAL} --fail https://localhost/healthz")
process = property_of("MainPID")

with subtest("keys and challenges are for the gate's group"):
    modes = machine.succeed(f"stat --format '%a %U %G' {FOLDER} /run/casemate/challenges").split("\n")
    t.assertEqual(modes[:2], ["750 root casemate-tls"] * 2)

with subtest("port 80 leads to HTTPS, on hosts of its own alone"):
    t.assertEqual(status("http://localhost/b/shop/?q=1"), "308 https://localhost/b/shop/?q=1")
    t.assertEqual(status("--header 'Host: evil.test' http://localhost/"), "421")

with subtest("an authority's challenges are answered"):
    url = f"http://localhost/.well-known/acme-challenge/{TOKEN}"
    t.assertEqual(status(url), "404")
    machine.succeed(
        f"printf %s {TOKEN}.thumb > /run/casemate/challenges/http/{TOKEN}",
        f"chgrp casemate-tls /run/casemate/challenges/http/{TOKEN}",
        f"chmod 0640 /run/casemate/challenges/http/{TOKEN}",
    )
    t.assertEqual(status(url), "200")
    t.assertEqual(machine.succeed("cat /tmp/body"), f"{TOKEN}.thumb")
    machine.succeed(f"rm /run/casemate/challenges/http/{TOKEN}")

with subtest("a reload brings a certificate into use, and connections go on"):
    certify("shop", "shop.test")
    machine.fail(visit("shop.test", "/tmp/shop.pem"))
    machine.succeed("systemctl reload casemate-gate.service")
    machine.succeed(visit("shop.test", "/tmp/shop.pem"))
    machine.succeed(f"{LOCAL} --fail https://localhost/healthz")
    machine.succeed(f"printf %s {shlex.quote(STAY)} > /tmp/stay.py")
    machine.succeed("systemd-run --unit=stayer --property=RemainAfterExit=yes python3 /tmp/stay.py")
    machine.wait_for_file("/run/stays")
    machine.succeed("cp /tmp/shop.pem /tmp/first.pem")
    certify("shop", "shop.test")
    machine.succeed("systemctl reload casemate-gate.service")
    machine.succeed(visit("shop.test", "/tmp/shop.pem"))
    machine.fail(visit("shop.test", "/tmp/first.pem"))
    machine.succeed("touch /run/go-on")
    machine.wait_until_succeeds("test \"$(systemctl show --property=SubState --value stayer.service)\" = exited", timeout=30)
    t.assertIn("shop.test", property_of("StatusText"))

with subtest("a certificate that is broken leaves the one before in use, and says until when"):
    machine.succeed(f"truncate --size=100 {FOLDER}/shop.pem", "systemctl reload casemate-gate.service")
    machine.succeed(visit("shop.test", "/tmp/shop.pem"))
    said = machine.succeed("journalctl --boot --unit=casemate-gate.service --priority=err --output=cat --no-pager")
    t.assertIn("stays in use and is valid until", said)
    machine.succeed(f"rm {FOLDER}/shop.pem", "systemctl reload casemate-gate.service")
    machine.fail(visit("shop.test", "/tmp/shop.pem"))
    t.assertEqual((property_of("MainPID"), property_of("ActiveState")), (process, "active"))

with subtest("where another program has port 80, HTTPS is served all the same"):
    machine.succeed("systemctl stop casemate-gate-http.socket casemate-gate.service")
    machine.succeed("systemd-run --unit=taker python3 -m http.server 80")
    machine.wait_for_open_port(80)
    machine.succeed("systemctl start casemate-gate.service")
    machine.succeed(f"{LOCAL} --fail https://localhost/healthz")
    machine.succeed("systemctl stop taker.service", "systemctl reset-failed", "systemctl restart casemate-gate.service")
    t.assertEqual(status("http://localhost/x"), "308 https://localhost/x")
