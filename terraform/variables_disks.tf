# Root disks, data volumes and backups.

variable "root_volume_gb" {
  description = "Size of each host's root disk in GB, 8 to 1000. Always gp3 and encrypted."
  type        = number
  default     = 12
  nullable    = false

  validation {
    condition     = contains(range(8, 1001), var.root_volume_gb)
    error_message = "root_volume_gb: ${var.root_volume_gb} must be a whole number from 8 (Ubuntu's image) to 1000."
  }
}

variable "data_volume" {
  description = "The gp3 volume of each host with mongod: size in GB, IOPS, throughput in MiB/s."
  type = object({
    size_gb    = optional(number, 20)
    iops       = optional(number, 3000)
    throughput = optional(number, 125)
    encrypted  = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.data_volume.encrypted
    error_message = "data_volume: encrypted must be true, because the disk has users and hashes of their passwords."
  }

  # gp3's limits, from Amazon EBS's documentation.
  validation {
    condition     = var.data_volume.size_gb >= 1 && var.data_volume.size_gb <= 16384 && floor(var.data_volume.size_gb) == var.data_volume.size_gb
    error_message = "data_volume: size_gb ${var.data_volume.size_gb} must be a whole number from 1 to 16384."
  }

  validation {
    condition     = var.data_volume.iops >= 3000 && var.data_volume.iops <= min(16000, max(3000, 500 * var.data_volume.size_gb))
    error_message = "data_volume: iops ${var.data_volume.iops} must be from 3000 to 16000, and no more than 500 a GB."
  }

  validation {
    condition     = var.data_volume.throughput >= 125 && var.data_volume.throughput <= min(1000, var.data_volume.iops / 4)
    error_message = "data_volume: throughput ${var.data_volume.throughput} must be from 125 to 1000 MiB/s, and no more than a quarter of iops."
  }
}

variable "backup_prefix" {
  description = "Prefix of the keys of all backups; hosts can only read and write below it."
  type        = string
  default     = "mongodb"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.backup_prefix))
    error_message = "backup_prefix: \"${var.backup_prefix}\" must be words of A-Z, a-z, 0-9, _ and -, with single slashes between them."
  }
}

variable "backup_retention_days" {
  description = "Days after which a backup expires; of each day the first one, the others after a day."
  type        = number
  default     = 35
  nullable    = false

  validation {
    condition     = contains(range(1, 1001), var.backup_retention_days)
    error_message = "backup_retention_days: ${var.backup_retention_days} must be a whole number from 1 to 1000."
  }
}

variable "backup_lock_days" {
  description = "Days in which no host can remove a backup, not even by overwriting it (S3 Object Lock). At most `backup_retention_days`, which is the default. Hourly ones: one day."
  type        = number
  default     = null

  validation {
    condition     = var.backup_lock_days == null || contains(range(1, 1001), coalesce(var.backup_lock_days, 1))
    error_message = "backup_lock_days: ${coalesce(var.backup_lock_days, 1)} must be a whole number from 1 to 1000."
  }
}

variable "backup_lock_mode" {
  description = "`GOVERNANCE`: an administrator with s3:BypassGovernanceRetention can still remove a locked backup. `COMPLIANCE`: nobody can."
  type        = string
  default     = "GOVERNANCE"
  nullable    = false

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.backup_lock_mode)
    error_message = "backup_lock_mode: unknown \"${var.backup_lock_mode}\", expected one of GOVERNANCE, COMPLIANCE."
  }
}

variable "backup_force_destroy" {
  description = "Whether `terraform destroy` also removes backups, including locked ones. Otherwise it fails if the bucket isn't empty."
  type        = bool
  default     = false
  nullable    = false
}
