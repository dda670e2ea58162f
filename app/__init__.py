"""The Film Library: what knows MongoDB (`app.db`), the two web apps (`app.user`, `app.admin`) and the command line."""
