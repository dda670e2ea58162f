"""Both apps, the command line and the deployment have the least rights: each is used by some feature."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from every_feature import Features

from app.db.core import connection
from ops.local_cluster import LocalCluster
from tests.least_rights import Recorder, Right
from tests.sample import small_sample

DATABASE = "movie_library"
USERS = ["film-library-admin", "film-library-user", "film-library-deploy", "film-library-backup"]


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def features(data_directory: Path, mongod: Path, recorder: Recorder) -> Iterator[Features]:
    """All features, used."""
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(data_directory / "least-rights", mongod=mongod, shards=0, members=1) as cluster,
    ):
        features = Features(cluster, small_sample(Path(directory)), Path(directory))
        features.use_all()
        connection.disconnect()
        recorder.stop()
        yield features


def declared(database: dict[str, Any], user: str) -> set[Right]:
    """The rights in DATABASE that ansible/group_vars/all/database.yml gives to a user."""
    (own,) = [entry for entry in database["cluster_database_users"] if entry["name"] == user]
    names = {role["role"] for role in own["roles"]}
    return {
        (privilege["resource"]["collection"], action)
        for role in database["cluster_database_roles"]
        if role["name"] in names
        for privilege in role["privileges"]
        if privilege["resource"]["db"] == DATABASE
        for action in privilege["actions"]
    }


@pytest.mark.parametrize("user", USERS)
def test_every_right_is_used(features: Features, recorder: Recorder, user: str) -> None:
    used = recorder.used(features.cluster, DATABASE, user)
    used |= {("", action) for _, action in used}
    unused = declared(features.cluster.database, user) - used
    assert {f"{action} on {collection or 'all'}" for collection, action in unused} == set()


def test_every_feature_is_used(features: Features) -> None:
    assert features.missed == set()
