"""What the user app and the admin app share: settings, security, accounts, errors, health checks and the look."""

from app.web.factory import build_app

__all__ = ["build_app"]
