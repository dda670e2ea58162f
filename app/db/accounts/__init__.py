"""Accounts of users and administrators: sign-up, passwords, sessions, rate limits, and what people do with their own.

The apps define which role may do what (`app.admin.rights`).
"""

from app.db.accounts import administrators, own_account, passkeys, rate_limit, second_factor, sessions, users
from app.db.accounts.passwords import check_password, hash_password, password_problem
from app.db.accounts.users import authenticate, exists, sign_up, sign_up_problems

__all__ = [
    "administrators",
    "authenticate",
    "check_password",
    "exists",
    "hash_password",
    "own_account",
    "passkeys",
    "password_problem",
    "rate_limit",
    "second_factor",
    "sessions",
    "sign_up",
    "sign_up_problems",
    "users",
]
