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
        SettingError: the secret key is missing or too short, or a value isn't allowed.
    """
    secret_key = setting("FILM_LIBRARY_SECRET_KEY")
    if len(secret_key) < SECRET_KEY_MIN_LENGTH:
        raise SettingError(f"FILM_LIBRARY_SECRET_KEY needs at least {SECRET_KEY_MIN_LENGTH} random characters")
    secure = _flag("FILM_LIBRARY_COOKIE_SECURE", default="1")
    cookie = f"film-library-{app_name}"
    hosts = [host.strip() for host in setting("FILM_LIBRARY_TRUSTED_HOSTS", "").split(",") if host.strip()]
    return {
        "SECRET_KEY": secret_key,
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
