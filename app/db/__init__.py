"""Everything that knows MongoDB. The apps call these packages and never import pymongo or mongoengine themselves.

Each package imports only from those below it, which `make lint` checks:

    operations  the first published API, kept under its name
    cluster     the state of the cluster and of the data in it
    backups     full backups, and restoring them
    jobs        background work: the queue, the worker, bulk edits and their undo, imports
    transfer    records in files: import, export, the sample catalogue
    schema      indexes and validators
    accounts    users, passwords, sessions
    likes       liked films, taste, recommendations
    search      finding films, people and records
    records     one document, many documents
    films       the catalogue, rank, unique ids, posters, people
    core        connection, models, validation, errors, filters, lists, audit log

Outside a package, import only what its `__all__` exports: `from app.db.core import BadQuery, get_collection`,
`from app.db.films import ranking`. Inside it, import from the module: `from app.db.core.errors import BadQuery`.
"""
