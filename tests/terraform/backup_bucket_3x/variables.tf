variable "name_prefix" {
  description = "What the bucket's name begins with; AWS makes it unique."
  type        = string
}

variable "retention_days" {
  description = "Days after which an object expires."
  type        = number
}

variable "lock_days" {
  description = "Days for which a version can't be removed."
  type        = number
}

variable "lock_mode" {
  description = "`GOVERNANCE` or `COMPLIANCE`."
  type        = string
}

variable "force_destroy" {
  description = "Whether the bucket is destroyed with what it holds."
  type        = bool
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
}
