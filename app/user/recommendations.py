"""Recommendations, for users with likes and for everyone else."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_login import current_user

from app.db.likes import likes, recommendations

FILMS = 24

blueprint = Blueprint("recommendations", __name__)


@blueprint.get("/for-you")
def show() -> str:
    """Films that the signed-in user may like, each with a reason; for everyone else the best of every genre."""
    count = likes.count(current_user.user_id) if current_user.is_authenticated else 0
    found = recommendations.for_user(current_user.user_id, FILMS) if count else recommendations.for_newcomer(FILMS)
    return render_template("user/for_you.html", found=found, likes=count)
