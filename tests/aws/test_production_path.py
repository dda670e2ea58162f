"""`make ... ENV=aws` from an empty account to an empty account. The tests run in order."""

from __future__ import annotations

import os
import re
import shlex
import ssl
import time
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from app.db import backups
from tests import secret_search
from tests.aws import connections
from tests.aws.production import Production
from tests.emulated_ec2.network import ADMINISTRATOR, OFFICE, PUBLIC
from tests.terraform.account import holdings
from tests.terraform.iam import Question, allows
from tests.terraform.needed import kind_of, needed

pytestmark = pytest.mark.hosts
FILMS = 1_000
LIBRARY = "movie_library"


@pytest.fixture(scope="module", autouse=True)
def empty(production: Production) -> set[str]:
    """What the account contains before the tests."""
    return holdings(production.aws)


def test_without_credentials_it_is_refused_with_advice(production: Production) -> None:
    before = production.aws.changes()
    own = {name: value for name, value in production.checkout.variables.items() if "ACCESS_KEY" not in name}
    own |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    result = production.checkout.with_variables(own).make_target("cluster-up")
    assert result.returncode == 2
    assert "Refused, nothing was changed" in result.stdout
    assert "AWS_ACCESS_KEY_ID" in result.stdout
    assert production.aws.changes() == before


def test_the_plan_lists_what_costs_money_and_changes_nothing(production: Production) -> None:
    before = holdings(production.aws)
    result = production.checkout.make_target("cluster-plan")
    assert result.returncode == 0
    assert re.search(r"^public IPv4 address +4$", result.stdout, re.MULTILINE)
    assert re.search(r"^volume gp3 .* 3$", result.stdout, re.MULTILINE)
    assert re.search(r"^instance t3.large +3$", result.stdout, re.MULTILINE)
    assert "https://calculator.aws" in result.stdout
    assert holdings(production.aws) == before


def test_up(production: Production) -> None:
    result = production.up()
    assert result.returncode == 0
    assert "STAND-IN" in result.stdout  # the summary says which router it is
    production.add_films(FILMS)
    assert production.films() == FILMS
    router = production.hosts["router-1"]["public_ip"]
    trust = ssl.create_default_context(cafile=str(production.checkout.directory / "secrets/aws/ca.pem"))
    for url in (f"https://{router}/search?q=film", f"https://{router}:8443/log-in"):
        with urllib.request.urlopen(url, timeout=20, context=trust) as page:  # noqa: S310 - our own host
            assert page.status == 200


def test_no_secret_is_where_others_could_read_it(production: Production) -> None:
    """On the hosts, and in what the run left in the checkout, Terraform's state included."""
    checkout = production.checkout.directory
    needles = secret_search.needles(checkout / "secrets/aws")
    for name in production.hosts:

        def run(command: list[str], given: str, name: str = name) -> str:
            return production.ssh(name, shlex.join(["sudo", "-n", *command]), stdin=given)

        assert secret_search.on_host(needles, run) == [], name
    assert secret_search.search_clone(needles, checkout, "aws") == []


def test_reachability_from_outside(production: Production) -> None:
    matrix = needed("compact")
    addresses = {host["public_ip"]: kind_of(name) for name, host in production.hosts.items()}
    for source, who in ((ADMINISTRATOR, "admin"), (PUBLIC, "public"), (OFFICE, "public")):
        passed = connections.from_here(source, addresses)
        assert passed == {address: matrix[who, kind] for address, kind in addresses.items()}, who


def test_reachability_between_hosts(production: Production) -> None:
    matrix = needed("compact")
    for name in production.hosts:
        others = {host["private_ip"]: kind_of(other) for other, host in production.hosts.items() if other != name}
        passed = connections.from_host(production, name, others)
        assert passed == {address: matrix[kind_of(name), kind] for address, kind in others.items()}, name


def test_data_is_on_the_data_volume(production: Production) -> None:
    mounted = production.ssh("mongo-1", "findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", "/var/lib/mongodb")
    assert mounted.startswith("xfs")
    assert "noatime" in mounted


@pytest.mark.thorough
def test_certificates_are_renewed(production: Production) -> None:
    router = production.hosts["router-1"]["public_ip"]
    before = {port: ssl.get_server_certificate((router, port)) for port in (443, 8443)}
    assert production.checkout.make_target("renew-certificates").returncode == 0
    after = {port: ssl.get_server_certificate((router, port)) for port in (443, 8443)}
    assert [port for port in before if before[port] == after[port]] == []


@pytest.mark.thorough
def test_stop_and_start(production: Production) -> None:
    before = production.hosts
    result = production.checkout.make_target("cluster-stop")
    assert result.returncode == 0
    assert {production.instance(name)["State"]["Name"] for name in before} == {"stopped"}
    assert "every instance of aws is stopped" in production.checkout.make_target("cluster-status").stdout
    result = production.checkout.make_target("cluster-start")
    assert result.returncode == 0
    addresses = {name: production.instance(name)["PublicIpAddress"] for name in before}
    assert addresses == {name: host["public_ip"] for name, host in before.items()}
    assert production.films() == FILMS


@pytest.mark.thorough
def test_a_terminated_host_is_rebuilt_and_a_manual_rule_removed(production: Production) -> None:
    before = production.hosts
    ec2 = production.aws.client("ec2")
    group = production.instance("mongo-1")["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=27018, ToPort=27018, CidrIp="0.0.0.0/0"
    )
    ec2.terminate_instances(InstanceIds=[before["mongo-2"]["instance_id"]])
    ec2.get_waiter("instance_terminated").wait(
        InstanceIds=[before["mongo-2"]["instance_id"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    result = production.up()
    assert result.returncode == 0  # every member, the rebuilt host's too, is PRIMARY or SECONDARY
    assert production.changed_tasks().keys() == {"mongo-2"}  # on the others a second run changes nothing
    after = production.hosts
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"mongo-2"}
    assert after["mongo-2"] == before["mongo-2"] | {"instance_id": after["mongo-2"]["instance_id"]}
    assert production.films() == FILMS
    address = after["mongo-1"]["public_ip"]
    assert connections.from_here(PUBLIC, [address]) == {address: frozenset()}


def test_down_needs_confirmation(production: Production) -> None:
    before = holdings(production.aws)
    result = production.checkout.make_target("cluster-down")
    assert result.returncode == 2
    assert "CONFIRM=: must be aws" in result.stdout
    assert holdings(production.aws) == before


def test_a_backup_goes_to_s3_and_is_read_from_there(production: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the router may do; as it was first written, whatever is written over it."""
    s3 = production.aws.client("s3")
    (bucket,) = (entry["Name"] for entry in s3.list_buckets()["Buckets"])
    s3.delete_bucket_policy(Bucket=bucket)  # it refuses plain http, and the emulation has no TLS
    result = production.checkout.make_target("backup")
    assert result.returncode == 0
    (backup,) = re.findall(r"^(\S+): [\d,]+ documents, [\d.]+ MB$", result.stdout, re.MULTILINE)
    (manifest,) = (key for key in keys_of(s3, bucket) if key.endswith(f"/{backup}/manifest.json"))
    s3.put_object(Bucket=bucket, Key=manifest, Body=b"forged")
    listed = production.checkout.make_target("backup-list")
    assert re.search(rf"^{backup} +\d", listed.stdout, re.MULTILINE)
    for name, value in production.aws.environment().items():
        monkeypatch.setenv(name, value)
    store = backups.open_store(f"s3://{bucket}/mongodb", originals=True)
    keys = backups.private_keys(production.checkout.directory / "secrets/aws/backup.key")
    (movies,) = (entry for entry in backups.verify(store, backup, keys).collections if entry.name == "movies")
    assert movies.documents == FILMS
    refused = production.checkout.make_target("backup-fetch")
    assert (refused.returncode, "backups are in S3" in refused.stdout) == (2, True)


def keys_of(s3: Any, bucket: str) -> set[str]:
    """The keys of all versions of all objects, below the prefix of backups."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix="mongodb/")
    return {version["Key"] for page in pages for version in page.get("Versions", [])}


#: What a host's role must not do with what is there: whoever is root there has no other rights.
DESTRUCTIVE = [
    *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention"),
    *("s3:PutLifecycleConfiguration", "s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration"),
    *("s3:PutBucketPolicy", "s3:DeleteBucket"),
]


@pytest.mark.thorough
def test_after_a_ransom_the_first_versions_bring_everything_back(production: Production) -> None:
    """Who is root on the router's host deletes the library, and writes over all that is in the bucket."""
    s3, iam = production.aws.client("s3"), production.aws.client("iam")
    (bucket,) = (entry["Name"] for entry in s3.list_buckets()["Buckets"])
    verified = production.checkout.make_target("backup-verify")
    assert verified.returncode == 0
    (kept,) = re.findall(r"^ +(\S+) is restored", verified.stdout, re.MULTILINE)
    assert "not as in the backup" not in verified.stdout, "roles or users are otherwise"

    (role,) = (entry["RoleName"] for entry in iam.list_roles()["Roles"])
    policy = iam.get_role_policy(RoleName=role, PolicyName="backups")["PolicyDocument"]
    found = keys_of(s3, bucket)
    held = set()
    for key in found:
        for resource in (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{key}"):
            assert [action for action in DESTRUCTIVE if allows(policy, Question(action, resource))] == []
        *_, first = s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
        which = {"Bucket": bucket, "Key": key, "VersionId": first["VersionId"]}
        assert s3.head_object(**which)["ObjectLockMode"] == "GOVERNANCE"
        with pytest.raises(ClientError, match="AccessDenied"):  # by the lock: this user may do anything
            s3.delete_object(**which)
        if s3.head_object(**which).get("ObjectLockLegalHoldStatus") == "ON":
            held.add(key.split("/")[-2])
        s3.put_object(Bucket=bucket, Key=key, Body=b"pay 1 BTC")
    assert held == {kept}
    with production.router() as client:
        before = {name: client[LIBRARY][name].count_documents({}) for name in ("movies", "credits", "administrators")}
        client.drop_database(LIBRARY)
        client["READ_ME"]["note"].insert_one({"pay": "1 BTC"})

    assert kept in production.checkout.make_target("backup-list").stdout
    began = time.monotonic()
    assert production.checkout.make_target("restore", BACKUP=kept, CONFIRM="aws").returncode == 0
    print(f"restored in {time.monotonic() - began:.0f} s")
    with production.router() as client:
        assert {name: client[LIBRARY][name].count_documents({}) for name in before} == before
    assert production.films() == FILMS
    assert production.checkout.make_target("backup").returncode == 0


def test_down_keeps_backups_by_default(production: Production) -> None:
    before = holdings(production.aws)
    result = production.checkout.make_target("cluster-down", CONFIRM="aws")
    assert result.returncode == 2
    assert "BACKUPS=: must be keep or delete" in result.stdout
    assert holdings(production.aws) == before


def test_down_leaves_nothing(production: Production, empty: set[str]) -> None:
    result = production.checkout.make_target("cluster-down", CONFIRM="aws", BACKUPS="delete")
    assert result.returncode == 0
    assert "Nothing is left that costs money" in result.stdout
    assert holdings(production.aws) == empty
