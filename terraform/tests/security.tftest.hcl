# Rules for clusters of any shape.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  admin_cidrs  = ["203.0.113.0/28"]
  public_cidrs = ["192.0.2.0/24"]
  public_key   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkL9y6t4U82vM170IULLioeNktW/nUGiu99pAHvc4nf tests"
}

run "secure_by_default" {
  assert {
    condition     = alltrue([for host in aws_instance.host : host.metadata_options[0].http_tokens == "required" && host.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "IMDSv2 only, and not for containers on the host"
  }

  assert {
    condition     = alltrue([for host in aws_instance.host : host.root_block_device[0].encrypted])
    error_message = "a root disk isn't encrypted"
  }

  # Here, because later runs don't change them.
  assert {
    condition     = alltrue([for host in aws_instance.host : host.volume_tags["Project"] == "film-library" && length(host.volume_tags["Name"]) > 0])
    error_message = "a root disk without the tags that say whose it is"
  }

  assert {
    condition     = alltrue([for volume in aws_ebs_volume.data : volume.encrypted && volume.type == "gp3"])
    error_message = "a data volume isn't encrypted gp3"
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "a subnet assigns public addresses"
  }

  assert {
    condition     = keys(aws_eip_association.host) == keys(aws_instance.host)
    error_message = "an Elastic IP for every instance"
  }

  assert {
    condition = {
      for kind, group in aws_security_group.access : kind => sort(flatten([
        for rule in group.ingress : [for cidr in rule.cidr_blocks : "${rule.protocol} ${rule.from_port}-${rule.to_port} ${cidr}"]
      ]))
      } == {
      mongo = tolist(["tcp 22-22 203.0.113.0/28"])
      router = tolist([
        "tcp 22-22 203.0.113.0/28", "tcp 27017-27017 203.0.113.0/28", "tcp 443-443 192.0.2.0/24",
        "tcp 80-80 192.0.2.0/24", "tcp 8443-8443 203.0.113.0/28",
      ])
    }
    error_message = "rules by address: ${jsonencode(aws_security_group.access)}"
  }

  assert {
    condition = alltrue(flatten([
      for group in aws_security_group.access : [
        for rule in setunion(group.ingress, group.egress) : length(rule.ipv6_cidr_blocks) == 0 && length(rule.prefix_list_ids) == 0 && !rule.self
      ]
    ]))
    error_message = "a rule lets in more than its addresses and groups"
  }

  assert {
    condition = alltrue([
      for group in values(aws_security_group.identity) : length(group.ingress) == 0 && length(group.egress) == 0
    ])
    error_message = "a group without rules has some"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.backups.policy).Statement : statement.Sid => [statement.Effect, statement.Action, statement.Resource]
      } == {
      PutAndGetBackups = [
        "Allow",
        ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        "arn:aws:s3:::backups/mongodb/*",
      ]
      LockHourlyBackups  = ["Allow", "s3:PutObjectRetention", "arn:aws:s3:::backups/mongodb/hourly/*"]
      ReadTheDefaultLock = ["Allow", "s3:GetBucketObjectLockConfiguration", "arn:aws:s3:::backups"]
      ListBackups        = ["Allow", "s3:ListBucket", "arn:aws:s3:::backups"]
    }
    error_message = aws_iam_role_policy.backups.policy
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.backups.policy).Statement : statement.Condition if can(statement.Condition)
      ] == [
      { NumericLessThanEquals = { "s3:object-lock-remaining-retention-days" = "2" } },
      { StringLike = { "s3:prefix" = "mongodb/*" } },
    ]
    error_message = "hosts may lock for long, or list what isn't theirs"
  }

  assert {
    condition     = [for name, host in aws_instance.host : name if host.iam_instance_profile == aws_iam_instance_profile.backup.name] == ["router-1"]
    error_message = "members must have no credentials; the router, which makes backups, must have some"
  }
}

run "hosts_have_no_rights_beyond_the_boundary" {
  assert {
    condition     = aws_iam_role.backup.permissions_boundary == "arn:aws:iam::123456789012:policy/film-library-boundary"
    error_message = "the role isn't limited: ${jsonencode(aws_iam_role.backup.permissions_boundary)}"
  }
}

run "an_account_without_a_boundary" {
  variables { permissions_boundary = "" }

  assert {
    condition     = aws_iam_role.backup.permissions_boundary == null
    error_message = "an empty name means no boundary"
  }
}

run "every_resource_is_tagged" {
  variables {
    environment = "proof"
    tags        = { Owner = "ops" }
  }

  assert {
    condition = alltrue([
      for tags in concat(
        [for resource in concat(values(aws_instance.host), values(aws_eip.host), values(aws_ebs_volume.data), values(aws_subnet.public)) : resource.tags],
        [for resource in concat(values(aws_security_group.access), values(aws_security_group.identity)) : resource.tags],
        [aws_vpc.main.tags, aws_internet_gateway.main.tags, aws_route_table.public.tags],
        [aws_key_pair.admin.tags, aws_iam_role.backup.tags, aws_iam_instance_profile.backup.tags],
      ) : tags["Project"] == "film-library" && tags["Environment"] == "proof" && tags["Owner"] == "ops" && length(tags["Name"]) > 0
    ])
    error_message = "a resource without the tags that say whose it is"
  }

  assert {
    condition     = aws_instance.host["mongo-1"].tags["Name"] == "mongo-1" && aws_instance.host["mongo-1"].tags["Groups"] == "config,shard1,shard2"
    error_message = "the inventory is made of the tags Name and Groups"
  }
}
