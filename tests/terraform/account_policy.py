"""terraform/account-policy.json: the permissions that Terraform and ops/aws need."""

from __future__ import annotations

import json

from tests.terraform.workspace import TERRAFORM

POLICY = TERRAFORM / "account-policy.json"
BOUNDARY = TERRAFORM / "permissions-boundary.json"

#: S3's operations whose permissions have other names (Amazon's service authorization reference); EC2 and IAM have none.
_S3 = {
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}

#: Granted, but not used by provider 3.39.0 in these tests -> what needs it.
UNSEEN = {
    **dict.fromkeys(["ec2:StartInstances", "ec2:StopInstances"], "resizing a node; make cluster-stop and -start"),
    "iam:PutRolePermissionsBoundary": "a role that was made before there was a boundary",
    **dict.fromkeys(
        ["ec2:ModifyVolume", "ec2:CreateTags", "ec2:DeleteTags", "iam:UntagRole", "iam:UntagInstanceProfile"],
        "new values",
    ),
    **dict.fromkeys(["ec2:DeleteRoute", "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation"], "drift of routes"),
    **dict.fromkeys(["ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute"], "drift of the network"),
    "ec2:ModifyInstanceMetadataOptions": "drift of IMDSv2",
    **dict.fromkeys(
        ["ec2:DetachVolume", "iam:ListRoles", "iam:ListInstanceProfiles", "s3:ListAllMyBuckets"],
        "finding and removing a killed run's leftovers",
    ),
    **dict.fromkeys(
        [
            "ec2:AssociateIamInstanceProfile",
            "ec2:DisassociateIamInstanceProfile",
            "ec2:ReplaceIamInstanceProfileAssociation",
        ],
        "drift of an instance's profile",
    ),
    **dict.fromkeys(["iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"], "drift of the role"),
    "iam:PassRole": "RunInstances with a profile; a permission without an operation",
    "iam:TagRole": "provider 6.x; 3.39.0 tags while it creates",
    "s3:BypassGovernanceRetention": "deleting a locked backup; a permission without an operation",
    "s3:PutObjectLegalHold": "make backup-verify, cluster-down BACKUPS=delete",
    "s3:DeleteObjectVersion": "DeleteObject of a version; a permission without an operation",
    **dict.fromkeys(
        ["s3:ListTagsForResource", "s3:PutBucketOwnershipControls", "s3:TagResource", "s3:UntagResource"],
        "provider 6.x (tags of buckets so since 6.23)",
    ),
}


def granted_actions() -> set[str]:
    """The actions and patterns that the policy allows, as in "ec2:RunInstances" and "ec2:Describe*"."""
    statements = json.loads(POLICY.read_text())["Statement"]
    actions = [statement["Action"] for statement in statements if statement["Effect"] == "Allow"]
    return {action for each in actions for action in ([each] if isinstance(each, str) else each)}


def iam_action(request: str) -> str:
    """The permission that an operation ("s3/HeadBucket") needs."""
    service, operation = request.split("/")
    return f"{service}:{_S3.get(operation, operation) if service == 's3' else operation}"
