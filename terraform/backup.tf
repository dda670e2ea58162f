# The bucket for backups, and the hosts' permissions there.

locals {
  backup_lock_days = coalesce(var.backup_lock_days, var.backup_retention_days)
}

module "backup_bucket" {
  source = "./modules/backup_bucket"

  name_prefix    = "${local.name}-backup-"
  retention_days = var.backup_retention_days
  hourly_prefix  = "${var.backup_prefix}/hourly/"
  lock_days      = local.backup_lock_days
  lock_mode      = var.backup_lock_mode
  force_destroy  = var.backup_force_destroy
  tags           = local.tags
}

data "aws_caller_identity" "current" {}

resource "aws_iam_role" "backup" {
  name        = "${local.name}-backup"
  description = "Hosts that make backups: put and get them, nothing else"
  tags        = merge(local.tags, { Name = "${local.name}-backup" })

  # Whatever policies the role gets, it has no rights beyond those of this one, which only the account's owner can change.
  permissions_boundary = (
    var.permissions_boundary == "" ? null
    : "arn:aws:iam::${data.aws_caller_identity.current.account_id}:policy/${var.permissions_boundary}"
  )

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

# Hosts can't delete backups, read older versions or shorten locks. An intruder on a host can overwrite the latest backups,
# but the locked versions remain.
resource "aws_iam_role_policy" "backups" {
  name = "backups"
  role = aws_iam_role.backup.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "PutAndGetBackups"
        Effect = "Allow"
        # s3:PutObject includes parts of multipart uploads; the other two resume or abort one.
        Action   = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = "${module.backup_bucket.arn}/${var.backup_prefix}/*"
      },
      {
        # Hourly backups are locked for a day only instead of the bucket's default. A lock that is there can't be shortened with
        # this. Without the condition, whoever is on a host could lock rubbish for a hundred years.
        Sid       = "LockHourlyBackups"
        Effect    = "Allow"
        Action    = "s3:PutObjectRetention"
        Resource  = "${module.backup_bucket.arn}/${var.backup_prefix}/hourly/*"
        Condition = { NumericLessThanEquals = { "s3:object-lock-remaining-retention-days" = "2" } }
      },
      {
        Sid      = "ReadTheDefaultLock"
        Effect   = "Allow"
        Action   = "s3:GetBucketObjectLockConfiguration"
        Resource = module.backup_bucket.arn
      },
      {
        Sid       = "ListBackups"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = module.backup_bucket.arn
        Condition = { StringLike = { "s3:prefix" = "${var.backup_prefix}/*" } }
      },
    ]
  })
}

resource "aws_iam_instance_profile" "backup" {
  name = "${local.name}-backup"
  role = aws_iam_role.backup.name
  tags = merge(local.tags, { Name = "${local.name}-backup" })
}
