"""Passkeys as administrators' second factor, with an authenticator in software."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import passkey_device
import pyotp
import pytest
from flask import Flask
from passkey_device import PRESENT, VERIFIED, Device, add, add_options, garbled, send, use, use_options
from web_visitor import PASSWORD, Visitor, with_session

from app.db.accounts import administrators, passkeys, second_factor
from app.db.core import Actor, ValidationFailed, now
from ops.local_cluster import LocalCluster

HOME = "/collections/movies"
OTHER_SITE = {"origin": "https://localhost.example", "host": "localhost.example"}
#: What a device, or a page between it and the app, may lie about.
LIES: dict[str, dict[str, Any]] = {
    "another origin": {"origin": OTHER_SITE["origin"]},
    "another port": {"origin": "http://localhost:8080"},
    "another host": {"host": OTHER_SITE["host"]},
    "nobody verified": {"flags": PRESENT},
    "nobody present": {"flags": VERIFIED},
}


@pytest.fixture
def stored(library: LocalCluster, new_name: str) -> Callable[[], dict[str, Any]]:
    """Reads the account of the test."""

    def read() -> dict[str, Any]:
        with library.client() as client:
            return client.movie_library.administrators.find_one({"username": new_name}) or {}

    return read


@pytest.fixture
def device(admin_app: Flask, new_name: str) -> Device:
    """The only second factor of a superadmin."""
    device = Device()
    administrators.create(new_name, PASSWORD, 2, expired=False)
    assert add(logged_in(admin_app, new_name), device).status_code == 200
    return device


@pytest.fixture
def half(admin_app: Flask, new_name: str, device: Device) -> Visitor:
    """The superadmin after the password and before the second factor."""
    return logged_in(admin_app, new_name)


def logged_in(app: Flask, name: str) -> Visitor:
    visitor = Visitor(app)
    assert visitor.log_in(name).status_code == 302
    return visitor


# -- adding


def test_a_superadmin_may_have_only_a_passkey(admin_app: Flask, new_name: str, stored: Callable[..., Any]) -> None:
    administrators.create(new_name, PASSWORD, 2, expired=False)
    admin, device = logged_in(admin_app, new_name), Device()
    assert 'href="/passkeys/new"' in admin.page("/second-factor/set-up")
    before = admin.cookie()
    done = add(admin, device, "Key ring")
    codes = re.findall(r"<li><code>([a-z2-7-]{29})</code>", done.text)
    assert len(codes) == 10
    assert done.headers["Cache-Control"] == "no-store"
    assert admin.get(HOME).status_code == 200
    thief = Visitor(admin_app)
    thief.use_cookie(before)
    assert thief.get(HOME).status_code == 302, "a new token"
    again = logged_in(admin_app, new_name)
    for address in ("/", HOME, "/account", "/passkeys/new"):
        assert again.get(address).location.startswith("/second-factor?"), address
    assert use(again, device).location == "/"
    assert again.get(HOME).status_code == 200
    page = again.page("/account")
    assert "on, 10 recovery codes left" in page
    assert "Key ring" in page
    third = logged_in(admin_app, new_name)
    assert "enter one of your recovery codes" in third.page("/second-factor")
    assert third.send(f"/second-factor?next={HOME}", {"code": codes[0]}).location == HOME
    assert "on, 9 recovery codes left" in third.page("/account")
    assert stored()["passkeys"][0]["sign_count"] == device.count == 1


def test_more_are_added_beside_the_app_and_removed(admin_app: Flask, new_name: str) -> None:
    made = administrators.create(new_name, PASSWORD, expired=False)
    secret = second_factor.new_secret()
    codes = second_factor.set_up(Actor(made["_id"], new_name), secret, pyotp.TOTP(secret).now())
    admin, devices = with_session(Visitor(admin_app), new_name), [Device(), Device()]
    for device, name in zip(devices, ("<b>Phone</b>", "Laptop"), strict=True):
        assert add(admin, device, name).location == "/account", "recovery codes stay"
    page = admin.page("/account")
    assert "&lt;b&gt;Phone" in page
    assert codes
    assert f"{len(codes)} recovery codes" in page
    first, second = re.findall(r'name="passkey" value="([^"]+)"', page)
    for _ in range(2):  # twice does no harm
        assert admin.send("/passkeys/remove", {"passkey": first}, form_on="/account").location == "/account"
    half = logged_in(admin_app, new_name)
    assert use(half, devices[0]).status_code == 422, "removed"
    assert [item["id"] for item in use_options(half)["allowCredentials"]] == [second]
    assert use(half, devices[1]).status_code == 302
    log = second_factor.overview(made["_id"])
    assert (log["app"], len(log["passkeys"])) == (True, 1)


def test_it_needs_the_password_again(admin_app: Flask, library: LocalCluster, new_name: str) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    admin = with_session(Visitor(admin_app), new_name)
    answer = Device().make(add_options(admin))
    with library.client() as client:
        long_ago = {"$set": {"confirmed_at": now() - timedelta(hours=1)}}
        client.movie_library.admin_sessions.update_many({}, long_ago)
    assert admin.get("/passkeys/new").location.startswith("/confirm?next=/passkeys/new")
    for path in ("/passkeys/new", "/passkeys/remove"):
        form = {"name": "Phone", "credential": answer, "passkey": "x"}
        assert admin.send(path, form, form_on="/account").location.startswith("/confirm"), path
    assert admin.send("/passkeys/new/options", form_on="/account").status_code == 403


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_device_adds_nothing(admin_app: Flask, new_name: str, stored: Callable[..., Any], lie: str) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    admin = with_session(Visitor(admin_app), new_name)
    refused = add(admin, Device(**LIES[lie]))
    assert refused.status_code == 422
    assert "wasn&#39;t accepted" in refused.text
    assert "passkeys" not in stored()


def test_each_challenge_is_for_one_answer_and_one_purpose(
    admin_app: Flask, new_name: str, stored: Callable[..., Any]
) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    admin, device = with_session(Visitor(admin_app), new_name), Device()

    def send_new(device: Device, options: dict[str, Any]) -> int:
        return admin.send("/passkeys/new", {"name": "Phone", "credential": device.make(options)}).status_code

    assert send_new(device, {"challenge": ""}) == 422, "none"
    add_options(admin)
    assert send_new(device, add_options(with_session(Visitor(admin_app), "boss"))) == 422, "another session's"
    assert send_new(device, use_options_of(admin)) == 422, "for using one"
    options = add_options(admin)
    assert send_new(device, options) == 200
    assert send_new(Device(), options) == 422, "twice"
    assert len(stored()["passkeys"]) == 1


def use_options_of(visitor: Visitor) -> dict[str, Any]:
    answer: dict[str, Any] = visitor.send("/passkeys/use/options", form_on="/account").json
    return answer


def test_a_passkey_belongs_to_one_account(admin_app: Flask, device: Device, new_name: str) -> None:
    administrators.create(f"{new_name}-other", PASSWORD, expired=False)
    refused = add(with_session(Visitor(admin_app), f"{new_name}-other"), device)
    assert (refused.status_code, "already in use" in refused.text) == (422, True)


def test_there_are_at_most_ten(admin_app: Flask, new_name: str, stored: Callable[..., Any]) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    admin = with_session(Visitor(admin_app), new_name)
    answers = [add(admin, Device(), "x" * 64).status_code for _ in range(passkeys.MOST + 1)]
    assert answers == [200] + [302] * (passkeys.MOST - 1) + [422]
    assert 'href="/passkeys/new"' not in admin.page("/account")
    assert add(admin, Device(), "x" * 65).status_code == add(admin, Device(), "").status_code == 422
    assert len(stored()["passkeys"]) == passkeys.MOST


# -- using


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_device_opens_nothing(half: Visitor, device: Device, lie: str) -> None:
    honest = {name: getattr(device, name) for name in LIES[lie]}
    for name, value in LIES[lie].items():
        setattr(device, name, value)
    refused = use(half, device)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert half.get(HOME).status_code == 302
    for name, value in honest.items():
        setattr(device, name, value)
    assert use(half, device).status_code == 302


def test_an_answer_works_once(half: Visitor, admin_app: Flask, device: Device, new_name: str) -> None:
    answer = device.use(use_options(half))
    assert send(half, answer).status_code == 302
    other = logged_in(admin_app, new_name)
    assert send(other, answer).status_code == 422, "without a challenge"
    use_options(other)
    assert send(other, answer).status_code == 422, "with another challenge"
    assert send(other, device.use({"challenge": ""})).status_code == 422, "without a challenge"
    assert send(other, device.make(use_options(other))).status_code == 422, "made, not used"
    assert use(other, device).status_code == 302


def test_of_many_requests_with_one_answer_one_is_accepted(half: Visitor, device: Device, new_name: str) -> None:
    device.count = -1  # it doesn't count, so that only the challenge protects
    answer = device.use(use_options(half))
    with half.client.session_transaction() as session:
        token = session["_user_id"]
    admin_id = administrators.authenticate(new_name, PASSWORD)
    assert admin_id

    def accept(_: int) -> bool:
        return passkeys.accept(admin_id["_id"], token, passkeys.Site("localhost", passkey_device.ORIGIN), answer)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(accept, range(6))) == [False] * 5 + [True]


def test_a_challenge_ends(half: Visitor, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = device.use(use_options(half))
    monkeypatch.setattr(passkeys, "now", lambda: now() + passkeys.ANSWER_WITHIN)
    assert send(half, answer).status_code == 422


def test_a_copied_device_is_noticed(half: Visitor, device: Device, admin_app: Flask, new_name: str) -> None:
    assert use(half, device).status_code == 302
    device.count -= 1  # the copy, which doesn't know of the last use
    assert use(logged_in(admin_app, new_name), device).status_code == 422


def test_a_device_that_does_not_count_is_accepted(
    half: Visitor, admin_app: Flask, device: Device, new_name: str
) -> None:
    for visitor in (half, logged_in(admin_app, new_name)):
        device.count = -1
        assert use(visitor, device).status_code == 302


def test_another_administrators_passkey_is_refused(admin_app: Flask, half: Visitor, new_name: str) -> None:
    administrators.create(f"{new_name}-other", PASSWORD, expired=False)
    other = Device()
    assert add(with_session(Visitor(admin_app), f"{new_name}-other"), other).status_code == 200
    assert use(half, other).status_code == 422
    assert use(logged_in(admin_app, f"{new_name}-other"), other).status_code == 302


def test_garbage_is_refused(half: Visitor, device: Device, new_name: str, stored: Callable[..., Any]) -> None:
    account = administrators.authenticate(new_name, PASSWORD)
    assert account
    with half.client.session_transaction() as session:
        token = session["_user_id"]
    site, me = passkeys.Site("localhost", passkey_device.ORIGIN), Actor(account["_id"], new_name)
    for number in range(len(garbled(device.use({"challenge": ""})))):
        options = json.loads(passkeys.begin_using(me.user_id, token, site))
        answer = garbled(device.use(options))[number]
        assert not passkeys.accept(me.user_id, token, site, answer), answer[:200]
    for number in range(len(garbled(device.make({"challenge": ""})))):
        options = json.loads(passkeys.begin_adding(me, token, site))
        answer = garbled(Device().make(options))[number]
        with pytest.raises(ValidationFailed):
            passkeys.add(me, token, site, "Phone", answer)
    assert len(stored()["passkeys"]) == 1


def test_guesses_are_limited(half: Visitor, device: Device) -> None:
    answers = [send(half, "{}").status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


# -- removing, and where they work


def test_a_superadmin_keeps_a_second_factor(half: Visitor, device: Device, stored: Callable[..., Any]) -> None:
    assert use(half, device).status_code == 302
    (key,) = [item["key_id"] for item in stored()["passkeys"]]
    half.send("/passkeys/remove", {"passkey": key}, form_on="/account")
    assert "set up another one first" in half.page("/account")
    assert add(half, Device()).status_code == 302
    half.send("/passkeys/remove", {"passkey": key}, form_on="/account")
    assert len(stored()["passkeys"]) == 1
    assert key not in str(stored())


def test_recovery_codes_go_with_the_last_factor(admin_app: Flask, new_name: str, stored: Callable[..., Any]) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    admin = with_session(Visitor(admin_app), new_name)
    assert add(admin, Device()).status_code == 200
    (key,) = [item["key_id"] for item in stored()["passkeys"]]
    admin.send("/passkeys/remove", {"passkey": key}, form_on="/account")
    assert "recovery_codes" not in stored()
    assert logged_in(admin_app, new_name).get(HOME).status_code == 200
    assert "recovery_codes" not in stored()
    assert len(re.findall(r"<li><code>", add(admin, Device()).text)) == 10


def test_a_reset_removes_them(half: Visitor, device: Device, admin_app: Flask, new_name: str, stored: Any) -> None:
    assert second_factor.reset(new_name)
    assert {"passkeys", "recovery_codes"} & set(stored()) == set()
    assert half.get(HOME).location.startswith("/log-in")
    assert logged_in(admin_app, new_name).get(HOME).location.startswith("/second-factor/set-up")
    assert not second_factor.reset(new_name)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:8443", "[::1]:8443"])
def test_there_are_none_at_an_ip_address(half: Visitor, address: str) -> None:
    base = f"http://{address}"
    half.client.set_cookie("film-library-admin", half.cookie(), domain=address.rsplit(":", 1)[0].strip("[]"))
    page = half.get("/second-factor", base_url=base).text
    assert "only at localhost" in page
    assert "data-passkey" not in page
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    refused = half.post("/passkeys/use/options", {"csrf_token": token[1]}, base_url=base)
    assert refused.status_code == 403
    assert half.post("/passkeys/use", {"csrf_token": token[1]}, base_url=base).status_code == 422


def test_a_page_at_an_ip_address_says_so(boss: Visitor) -> None:
    boss.client.set_cookie("film-library-admin", boss.cookie(), domain="10.0.0.1")
    page = boss.get("/passkeys/new", base_url="http://10.0.0.1").text
    assert "you opened this app by an IP address" in page
    assert "data-passkey" not in page


def test_another_host_has_its_own(half: Visitor, device: Device) -> None:
    """Browsers wouldn't use them there anyway."""
    half.client.set_cookie("film-library-admin", half.cookie(), domain="library.example")
    assert "only at localhost" in half.get("/second-factor", base_url="https://library.example").text


def test_only_trusted_hosts_are_believed(make_app: Any) -> None:
    app = make_app("admin", TRUSTED_HOSTS="admin.example")
    assert Visitor(app).get("/passkeys/new", base_url="https://evil.example").status_code == 400
    assert Visitor(app).get("/passkeys/new", base_url="https://admin.example").status_code == 302
