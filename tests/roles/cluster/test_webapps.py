"""Role `webapps`: both apps through nginx, as hardened units, with their secrets kept."""

from __future__ import annotations

import re
import secrets
import socket
import ssl
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from ops.certificates import CA_FILE
from ops.topology import REDIRECT_PORT
from tests.deployed import Deployment, Inventory
from tests.roles.cluster.web import PORTS, flood, get, stylesheet, wait_until_served
from tests.units import exposure, log, properties

HARDENING = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "MemoryDenyWriteExecute": "yes",
    "CapabilityBoundingSet": "",
    "Restart": "on-failure",
}

app_names = pytest.mark.parametrize("app", PORTS)


@app_names
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_is_healthy(inventory: Inventory, deployment: Deployment, web: str, app: str, path: str) -> None:
    answer = get(inventory, web, app, path)
    assert answer.status == 200, log(deployment.host(web), f"film-library-{app}.service")


@app_names
def test_answers_a_person(inventory: Inventory, web: str, app: str) -> None:
    """The front page, after its redirects, is a page with a style sheet that is there and may be kept for good."""
    page = get(inventory, web, app, "/")
    assert page.status == 200
    assert page.headers.get_content_type() == "text/html"
    style = get(inventory, web, app, stylesheet(page.body))
    assert (style.status, style.headers.get_content_type()) == (200, "text/css")
    assert "immutable" in style.headers["Cache-Control"]


@app_names
def test_security_headers(inventory: Inventory, web: str, app: str) -> None:
    headers = get(inventory, web, app, "/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src" in policy
    assert "unsafe-" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"]
    assert headers["Server"] == "nginx", "no version"


def test_plain_http_leads_to_the_user_app_over_tls(inventory: Inventory, web: str) -> None:
    address = inventory.address(web)
    connection = HTTPConnection(address, REDIRECT_PORT, timeout=20)
    connection.request("POST", "/search?q=night", headers={"Host": f"{address}:{REDIRECT_PORT}"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, f"https://{address}/search?q=night")
    connection.close()


@app_names
def test_plain_http_is_refused_at_the_apps_ports(inventory: Inventory, web: str, app: str) -> None:
    connection = HTTPConnection(inventory.address(web), PORTS[app], timeout=20)
    connection.request("GET", "/log-in")
    answer = connection.getresponse()
    assert answer.status == 400
    assert b"csrf_token" not in answer.read()
    connection.close()


@app_names
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_browsers_of_today_get_through(inventory: Inventory, web: str, app: str, version: ssl.TLSVersion) -> None:
    assert handshake(inventory, web, app, version) == version.name.replace("_", ".")


@app_names
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=str)
@pytest.mark.filterwarnings("ignore:.*TLSv1.*deprecated")
def test_old_protocols_are_refused(inventory: Inventory, web: str, app: str, version: ssl.TLSVersion) -> None:
    with pytest.raises(OSError, match=r"(?i)alert|protocol|reset"):
        handshake(inventory, web, app, version)


def handshake(inventory: Inventory, web: str, app: str, version: ssl.TLSVersion) -> str | None:
    """The TLS version of a connection with that version alone, with ciphers that every version has."""
    client = ssl.create_default_context(cafile=str(inventory.secrets / CA_FILE))
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    client.maximum_version = version
    client.minimum_version = version
    address = inventory.address(web)
    with (
        socket.create_connection((address, PORTS[app]), timeout=20) as plain,
        client.wrap_socket(plain, server_hostname=address) as connection,
    ):
        return connection.version()


@app_names
def test_cookies_are_for_this_host_over_tls_alone(inventory: Inventory, web: str, app: str) -> None:
    cookie = get(inventory, web, app, "/log-in").headers["Set-Cookie"]
    assert cookie.startswith(f"__Host-film-library-{app}=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@app_names
def test_unknown_host_gets_no_answer(inventory: Inventory, web: str, app: str) -> None:
    with pytest.raises(RemoteDisconnected):
        get(inventory, web, app, "/", Host="somebody-elses.example")


@app_names
def test_large_request_is_refused_by_nginx(inventory: Inventory, web: str, app: str) -> None:
    limit = {"user": 1, "admin": 64}[app]
    answer = get(inventory, web, app, "/healthz", **{"Content-Length": str((limit << 20) + 1)})
    assert answer.status == 413
    policy = set(answer.headers["Content-Security-Policy"].split("; "))
    assert {"default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} == policy
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"]


@app_names
def test_headers_are_sent_once(inventory: Inventory, web: str, app: str) -> None:
    """nginx adds them to its own pages only."""
    headers = get(inventory, web, app, "/").headers
    names = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Strict-Transport-Security")
    for name in (*names, "Content-Type"):
        assert len(headers.get_all(name) or []) == 1, name


@app_names
def test_logs_have_no_query_strings(deployment: Deployment, inventory: Inventory, web: str, app: str) -> None:
    secret, path = secrets.token_hex(8), f"/{secrets.token_hex(8)}"
    get(inventory, web, app, f"{path}?q={secret}", Referer=f"http://{web}/?q={secret}")
    host = deployment.host(web)
    assert path in host.check_output("cat /var/log/nginx/access.log"), "the request isn't in the log at all"
    assert host.run("grep -r %s /var/log/nginx", secret).stdout == ""


def test_a_flood_is_refused_and_others_are_served(deployment: Deployment, inventory: Inventory, web: str) -> None:
    assert flood(inventory, web) == {b"200", b"429"}
    assert get_on_the_host(deployment, web, f"https://127.0.0.1:{PORTS['user']}/healthz")[0] == "200"
    wait_until_served(inventory, web)


@app_names
def test_unit_is_hardened(deployment: Deployment, web: str, app: str) -> None:
    host = deployment.host(web)
    unit = f"film-library-{app}.service"
    shown = properties(host, unit)
    assert {name: shown[name] for name in HARDENING} == HARDENING
    assert shown["User"] == f"film-library-{app}"
    assert exposure(host, unit) <= 2


def test_recommendations_are_computed_by_a_timer_as_hardened_as_the_apps(deployment: Deployment, web: str) -> None:
    host = deployment.host(web)
    timer, unit = host.service("film-library-recommend.timer"), "film-library-recommend.service"
    assert timer.is_running
    assert timer.is_enabled
    host.check_output("systemctl start %s", unit)  # waits for the end, and fails when it does
    shown = properties(host, unit)
    assert {name: shown[name] for name in HARDENING} == HARDENING
    assert (shown["User"], shown["Nice"], shown["Result"]) == ("film-library-admin", "19", "success"), log(host, unit)
    assert exposure(host, unit) <= 2


@app_names
def test_runs_and_starts_at_boot(deployment: Deployment, web: str, app: str) -> None:
    for unit in (f"film-library-{app}.service", f"film-library-{app}.socket", "nginx.service"):
        service = deployment.host(web).service(unit)
        assert service.is_running, log(deployment.host(web), unit)
        assert service.is_enabled


@app_names
def test_socket_is_for_nginx_alone(deployment: Deployment, web: str, app: str) -> None:
    socket = deployment.host(web).file(f"/run/film-library/{app}.sock")
    assert (socket.user, socket.group, socket.mode) == ("root", "www-data", 0o660)


@app_names
def test_settings_are_the_apps_alone(deployment: Deployment, web: str, app: str) -> None:
    host = deployment.host(web)
    settings = host.file(f"/etc/film-library/{app}.env")
    assert (settings.user, settings.group, settings.mode) == ("root", f"film-library-{app}", 0o640)
    other = next(name for name in PORTS if name != app)
    assert host.run("setpriv --reuid=%s --init-groups cat /etc/film-library/%s.env", f"film-library-{other}", app).rc


@app_names
@pytest.mark.parametrize("other", ["deploy", "backup"])
def test_no_app_can_read_the_settings_of_deployment_and_backups(
    deployment: Deployment, web: str, app: str, other: str
) -> None:
    host = deployment.host(web)
    settings = host.file(f"/etc/film-library/{other}.env")
    assert (settings.user, settings.group, settings.mode) == ("root", "root", 0o600)
    command = "setpriv --reuid=%s --init-groups cat /etc/film-library/%s.env"
    assert host.run(command, f"film-library-{app}", other).rc


def test_no_secret_where_everybody_can_read(deployment: Deployment, inventory: Inventory, machine: str) -> None:
    """Neither in a command line of any process, nor in a unit, nor in the journal."""
    host = deployment.host(machine)
    places = {
        "command lines": host.check_output("ps -ww -eo args"),
        "units": host.check_output("systemctl cat 'film-library-*' 'mongod@*' 'mongos*' nginx.service || true"),
        "journal": host.check_output("journalctl --no-pager --output=cat"),
    }
    for place, text in places.items():
        found = [name for name, secret in inventory.passwords.items() if secret in text]
        assert found == [], place


def test_command_line_runs_as_the_admin_app(deployment: Deployment, web: str) -> None:
    result = deployment.host(web).run("film-library status --json")
    assert result.rc == 0, result.stderr
    as_user = deployment.host(web).run("setpriv --reuid=nobody --clear-groups film-library status")
    assert as_user.rc != 0


def test_command_line_can_be_that_of_a_release_that_does_not_run_yet(deployment: Deployment, web: str) -> None:
    """With it a deployment prepares the database before it switches."""
    host = deployment.host(web)
    current = host.check_output("readlink /opt/film-library/current")
    host.check_output("FILM_LIBRARY_RELEASE=%s film-library status", current)
    other = host.run("FILM_LIBRARY_RELEASE=/opt/film-library/releases/none film-library status")
    assert "/opt/film-library/releases/none/bin/film-library" in other.stderr


def test_host_needs_no_package_index(deployment: Deployment, web: str) -> None:
    """Everything in the release is one of the wheels that came with it."""
    host = deployment.host(web)
    installed = host.check_output("/opt/film-library/current/bin/pip freeze --all").splitlines()
    locked = host.file("/opt/film-library/current/wheelhouse/requirements.txt").content_string.splitlines()
    assert {line.split("==")[0].split(" @ ")[0].lower().replace("_", "-") for line in installed} - {
        "pip",
        "setuptools",
    } == {line.split("==")[0] for line in locked}


METRICS_PORT = 9464
# A host has Python but not always curl.
FETCH = """
import ssl, sys, urllib.error, urllib.request
try:
    trust = ssl.create_default_context(cafile="/etc/ssl/film-library/ca.pem")
    answer = urllib.request.urlopen(sys.argv[1], timeout=20, context=trust)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


def get_on_the_host(deployment: Deployment, web: str, url: str) -> tuple[str, str]:
    """Status and body of an answer to somebody on the host itself."""
    text = deployment.host(web).check_output("python3 -c %s %s", FETCH, url)
    status, _, body = text.partition(" ")
    return status, body


def test_prometheus_finds_the_figures_of_apps_and_cluster_on_the_host_itself(
    inventory: Inventory, deployment: Deployment, web: str
) -> None:
    for app, wanted in {"user": "film_library_requests_total", "admin": "film_library_member_up"}.items():
        status, text = get_on_the_host(deployment, web, f"http://127.0.0.1:{METRICS_PORT}/{app}/metrics")
        assert status == "200"
        assert wanted in text
    up = dict(re.findall(r'film_library_member_up\{.*?member="(.*?)"\} (\S+)', text))
    assert len(up) == len(inventory.processes)
    assert set(up.values()) == {"1.0"}


@app_names
def test_nobody_finds_them_at_the_apps_ports(inventory: Inventory, deployment: Deployment, web: str, app: str) -> None:
    assert get(inventory, web, app, "/metrics").status == 404
    assert get_on_the_host(deployment, web, f"https://127.0.0.1:{PORTS[app]}/metrics")[0] == "404"


def test_the_port_of_prometheus_is_closed_to_other_hosts(inventory: Inventory, web: str) -> None:
    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex((inventory.address(web), METRICS_PORT)) != 0


@app_names
def test_an_apps_workers_count_together_where_nobody_else_looks(deployment: Deployment, web: str, app: str) -> None:
    directory = deployment.host(web).file(f"/run/film-library-{app}")
    assert (directory.user, directory.mode) == (f"film-library-{app}", 0o700)
