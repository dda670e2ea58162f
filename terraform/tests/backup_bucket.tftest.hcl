# The bucket: neither an intruder on a host nor the public can read or destroy backups.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix    = "proof-"
  retention_days = 35
  hourly_prefix  = "mongodb/hourly/"
  lock_days      = 30
  lock_mode      = "GOVERNANCE"
  force_destroy  = false
  tags           = {}
}

run "bucket" {
  module {
    source = "./modules/backup_bucket"
  }

  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "no object lock without versions, and none that comes later"
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.this.rule[0].default_retention[0].mode == "GOVERNANCE" && aws_s3_bucket_object_lock_configuration.this.rule[0].default_retention[0].days == 30
    error_message = "lock: ${jsonencode(aws_s3_bucket_object_lock_configuration.this.rule)}"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "not encrypted"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "the public isn't kept out"
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement == [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::backups", "arn:aws:s3:::backups/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = aws_s3_bucket_policy.this.policy
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      rule.id => [rule.status, rule.expiration[0].days, rule.noncurrent_version_expiration[0].noncurrent_days]
    } == { expire = ["Enabled", 35, 1], hourly = ["Enabled", 1, 1] }
    error_message = "life cycle: ${jsonencode(aws_s3_bucket_lifecycle_configuration.this.rule)}"
  }

  # The other one's filter is empty, and the mocked provider makes a prefix up.
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.filter[0].prefix if rule.id == "hourly"] == ["mongodb/hourly/"]
    error_message = "life cycle: ${jsonencode(aws_s3_bucket_lifecycle_configuration.this.rule)}"
  }
}
