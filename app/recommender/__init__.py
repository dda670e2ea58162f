"""Recommendations as pure calculations on arrays and values; `app.db` reads and stores them."""
