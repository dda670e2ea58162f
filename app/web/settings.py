"""Flask's configuration from the environment."""

from __future__ import annotations

from typing import Any

from app.settings import SettingError, setting

SECRET_KEY_MIN_LENGTH = 32  # characters; the session cookie's signature is only as strong as its key
REQUEST_MAX_BYTES = 64 * 1024  # the largest form, sign-up, is well below 1 kB


def flask_settings(app_name: str) -> dict[str, Any]:
    """Flask's configuration for one app.

    Args:
        app_name: "user" or "admin". Cookies ignore ports, so each app needs its own cookie name.

    Raises:
        SettingError: a secret key is missing or too short, or a value isn't allowed.
    """
    secret_key = _long_enough("FILM_LIBRARY_SECRET_KEY", setting("FILM_LIBRARY_SECRET_KEY"))
    other_keys = _list("FILM_LIBRARY_SECRET_KEY_FALLBACKS")
    for key in other_keys:
        _long_enough("FILM_LIBRARY_SECRET_KEY_FALLBACKS", key)
    secure = _flag("FILM_LIBRARY_COOKIE_SECURE", default="1")
    cookie = f"film-library-{app_name}"
    hosts = _list("FILM_LIBRARY_TRUSTED_HOSTS")
    return {
        "SECRET_KEY": secret_key,
        # What is signed with these is accepted, too: nobody is logged out, and no open form is refused, by a new key.
        "SECRET_KEY_FALLBACKS": other_keys,
        "WTF_CSRF_SECRET_KEY": [*other_keys, secret_key],  # itsdangerous signs with the last
        # Browsers accept a __Host- cookie over TLS only, and no other host or path can set it.
        "SESSION_COOKIE_NAME": f"__Host-{cookie}" if secure else cookie,
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "TRUSTED_HOSTS": hosts or None,
        "PROXY_COUNT": _digit("FILM_LIBRARY_PROXY_COUNT", default="0"),
        "MAX_CONTENT_LENGTH": REQUEST_MAX_BYTES,
        "MAX_FORM_MEMORY_SIZE": REQUEST_MAX_BYTES,
        "MAX_FORM_PARTS": 50,
        # A token lives as long as its session, so that a form left open over lunch still works.
        "WTF_CSRF_TIME_LIMIT": None,
    }


def _long_enough(name: str, key: str) -> str:
    if len(key) < SECRET_KEY_MIN_LENGTH:
        raise SettingError(f"{name} needs at least {SECRET_KEY_MIN_LENGTH} random characters")
    return key


def _list(name: str) -> list[str]:
    return [part.strip() for part in setting(name, "").split(",") if part.strip()]


def _flag(name: str, default: str) -> bool:
    value = setting(name, default)
    if value not in {"0", "1"}:
        raise SettingError(f"{name} is {value!r}; allowed: 0, 1")
    return value == "1"


def _digit(name: str, default: str) -> int:
    value = setting(name, default)
    if value not in set("0123456789"):
        raise SettingError(f"{name} is {value!r}; allowed: 0 to 9")
    return int(value)
