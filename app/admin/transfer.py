"""Imports of uploaded files, and exports of lists."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import PurePath
from typing import IO, Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_wtf.file import FileField, FileRequired
from werkzeug.wrappers import Response as BaseResponse
from wtforms import BooleanField, SelectField
from wtforms.fields import SelectChoice

from app.admin import confirmation, worker
from app.admin.columns import VIEWS
from app.admin.rights import Action, actor, may, requires
from app.admin.views import ListState
from app.db.core import BadQuery, NotFound, Row, now
from app.db.jobs import queue
from app.db.transfer import FileUnreadable, exports, imports, stored_rejects, uploads
from app.web.forms import Form
from app.web.query import single

UPLOAD_MAX_BYTES = 64 << 20  # nginx has the same limit (webapps_admin_request_limit)
SHOWN_REJECTS = 50
MAX_FILE_NAME = 200

blueprint = Blueprint("transfer", __name__)
blueprint.add_app_template_global(lambda job: stored_rejects.first_rejects(job["_id"], SHOWN_REJECTS), "first_rejects")


class ImportForm(Form):
    """A file, and how to import it."""

    file = FileField("File", [FileRequired("Choose a file.")])
    collection = SelectField(
        "Contents",
        choices=[
            SelectChoice("", "detect from its fields"),
            *(SelectChoice(name, VIEWS[name].title.lower()) for name in imports.IMPORTABLE),
        ],
        default="",
    )
    strict = BooleanField("Stop at the first invalid record")


@blueprint.url_value_preprocessor
def _make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Allow a larger request, but only for those who may import. Runs before the CSRF check."""
    if endpoint == "transfer.begin" and may(Action.IMPORT):
        request.max_content_length = UPLOAD_MAX_BYTES


@blueprint.get("/import")
@requires(Action.IMPORT)
def upload() -> str:
    """The form."""
    return _page(ImportForm())


@blueprint.post("/import")
@requires(Action.IMPORT)
def begin() -> BaseResponse | tuple[str, int]:
    """Store the file, and create a job that imports it."""
    form = ImportForm()
    if not form.validate_on_submit():
        return _page(form), 422
    file = form.file.data
    name = PurePath(file.filename.replace("\\", "/")).name[-MAX_FILE_NAME:]
    try:
        collection = form.collection.data or imports.collection_of(file.stream, name)
    except (BadQuery, FileUnreadable) as error:
        form.file.errors = [f"This file can't be imported: {error}."]
        return _page(form), 422
    job_id = queue.create(
        "import",
        collection,
        actor(),
        total=_size(file.stream),
        file=uploads.store(file.stream, name),
        name=name,
        strict=form.strict.data,
    )
    worker.wake()
    return redirect(url_for("jobs.show", job_id=job_id), 303)


def _page(form: ImportForm) -> str:
    return render_template("admin/import.html", form=form, limit_mb=UPLOAD_MAX_BYTES >> 20)


def _size(stream: IO[bytes]) -> int:
    """The size of a stream in bytes; rewinds it."""
    size = stream.seek(0, 2)
    stream.seek(0)
    return size


@blueprint.get("/imports/<job_id>/rejects")
@requires(Action.IMPORT)
def rejects(job_id: str) -> Response:
    """An import's rejects file, to be corrected and imported again."""
    job = _import_job(job_id)
    form = "jsonl" if job["report"]["heading"] is None else "csv"
    return _download(stored_rejects.rejects_file(job), f"{_stem(job)}.rejects.{form}", form)


@blueprint.get("/imports/<job_id>/reasons")
@requires(Action.IMPORT)
def reasons(job_id: str) -> Response:
    """The reasons why records were rejected."""
    job = _import_job(job_id)
    return _download(stored_rejects.reasons_file(job), f"{_stem(job)}.rejects.reasons.csv", "csv")


def _import_job(job_id: str) -> Row:
    job = queue.get(job_id)
    if job["kind"] != "import" or not job.get("report"):
        raise NotFound("this job has no report")
    return job


def _stem(job: Row) -> str:
    return PurePath(job["name"].removesuffix(".gz")).stem


@blueprint.get("/collections/<name>/export")
@requires(Action.EXPORT)
def export(name: str) -> BaseResponse:
    """All records of a list, with all fields, in the list's order."""
    if name not in VIEWS:
        raise NotFound(f"there is no list of {name}")
    state = ListState.from_args(name, request.args)
    if asked := confirmation.ask(state.address()):
        return asked
    form = single(request.args, "format", "csv")
    text = exports.export(name, state.conditions, form=form, sort=state.sort, descending=state.descending)
    return _download((piece.encode() for piece in text), f"{name}-{now():%Y-%m-%d}.{form}", form)


def _download(pieces: Iterator[bytes], name: str, form: str) -> Response:
    """A streamed file. Errors at the start give an error page; later ones abort the download."""
    first = list(islice(pieces, 2))  # the heading, and the first record
    response = Response(chain(first, pieces), content_type=f"{exports.MEDIA_TYPES[form]}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response
