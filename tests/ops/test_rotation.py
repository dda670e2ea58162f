"""New secrets are on the controller before anything changes, and the old ones until everything has."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ops import rotation, secrets
from ops.errors import OpsError


@pytest.fixture
def directory(sandbox: Path) -> Path:
    return secrets.ensure("test")


def test_the_new_ones_are_written_first_and_private(directory: Path) -> None:
    before = secrets.load_passwords("test")
    made = rotation.begin("test", rotation.parts_of("all"))
    assert stat.S_IMODE((directory / "rotation.yml").stat().st_mode) == 0o600
    assert secrets.load_passwords("test") == before
    assert set(made.passwords) == {
        *secrets.DATABASE_PASSWORDS,
        *("flask_admin_secret_key", "flask_user_secret_key"),
        *("flask_admin_secret_key_before", "flask_user_secret_key_before"),
    }
    assert made.passwords["flask_user_secret_key_before"] == before["flask_user_secret_key"]
    new = {value for name, value in made.passwords.items() if not name.endswith(rotation.BEFORE)}
    assert not new & set(before.values())
    assert len(new) == len(secrets.DATABASE_PASSWORDS) + 2


def test_an_interrupted_one_goes_on_with_the_same_secrets(directory: Path) -> None:
    made = rotation.begin("test", ["passwords"])
    assert rotation.begin("test", ["app-keys", "keyfile"]) == made
    with pytest.raises(OpsError, match="replacing passwords was interrupted; complete it with `make rotate-secrets"):
        rotation.refuse_pending("test")


@pytest.mark.parametrize("moment", ["passwords.yml", "keyfile"])
def test_it_can_be_interrupted_at_the_end_too(directory: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    made = rotation.begin("test", rotation.parts_of(""))
    write = secrets.write_private

    def interrupted(path: Path, text: str, *, replace: bool = False) -> None:
        if path.name == moment:
            raise KeyboardInterrupt
        write(path, text, replace=replace)

    with monkeypatch.context() as patch:
        patch.setattr(secrets, "write_private", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rotation.end("test", made)
    assert rotation.begin("test", ["passwords"]) == made
    rotation.end("test", made)
    assert made.passwords.items() <= secrets.load_passwords("test").items()
    assert (directory / "keyfile").read_text().strip() == made.keyfile
    assert not (directory / "rotation.yml").exists()
    rotation.refuse_pending("test")


def test_what_isnt_replaced_stays(directory: Path) -> None:
    before, key = secrets.load_passwords("test"), (directory / "keyfile").read_text()
    rotation.end("test", rotation.begin("test", rotation.parts_of("app-keys")))
    after = secrets.load_passwords("test")
    assert {name for name in before if before[name] != after[name]} == {
        *("flask_admin_secret_key", "flask_user_secret_key")
    }
    assert (directory / "keyfile").read_text() == key
    # A second one forgets the key of before the first: who was logged in then, and not since, logs in again.
    rotation.end("test", rotation.begin("test", rotation.parts_of("app-keys")))
    assert secrets.load_passwords("test")["flask_user_secret_key_before"] == after["flask_user_secret_key"]


def test_they_are_under_the_vault_if_the_others_are(
    sandbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    monkeypatch.setenv("VAULT_PASSWORD_FILE", str(tmp_path / "password"))
    directory = secrets.ensure("test")
    made = rotation.begin("test", ["passwords"])
    assert (directory / "rotation.yml").read_text().startswith("$ANSIBLE_VAULT")
    assert rotation.pending("test") == made
    rotation.end("test", made)
    assert (directory / "passwords.yml").read_text().startswith("$ANSIBLE_VAULT")


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(OpsError, match="WHAT=everything: must be one of passwords, app-keys, keyfile, all"):
        rotation.parts_of("everything")
