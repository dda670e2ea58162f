variable "name_prefix" {
  description = "Prefix of the bucket's name; AWS makes it unique."
  type        = string
}

variable "retention_days" {
  description = "Days after which an object expires."
  type        = number
}

variable "hourly_prefix" {
  description = "Prefix of the keys of objects that expire after a day."
  type        = string
}

variable "lock_days" {
  description = "Days in which a version can't be removed."
  type        = number
}

variable "lock_mode" {
  description = "`GOVERNANCE` or `COMPLIANCE`."
  type        = string
}

variable "force_destroy" {
  description = "Whether the bucket is destroyed with its content."
  type        = bool
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
}
