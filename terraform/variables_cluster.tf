# The cluster's name, shape and machines.

variable "environment" {
  description = "Name of this cluster; part of all resources' names, and their tag Environment."
  type        = string
  default     = "aws"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.environment))
    error_message = "environment: \"${var.environment}\" must be 2 to 16 of a-z, 0-9 and -, beginning with a letter and not ending with a -."
  }
}

variable "cluster_id" {
  description = "Unique id of this cluster in the account; replaces the environment in resources' names, and is their tag Cluster."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9-]{0,14}[a-z0-9])?$", var.cluster_id))
    error_message = "cluster_id: \"${var.cluster_id}\" must be empty or 2 to 16 of a-z, 0-9 and -, with no - at either end."
  }
}

variable "topology" {
  description = "`compact`: each member host has a member of every replica set. `dedicated`: one host per process."
  type        = string
  default     = "compact"
  nullable    = false

  validation {
    condition     = contains(["compact", "dedicated"], var.topology)
    error_message = "topology: unknown \"${var.topology}\", expected one of compact, dedicated."
  }
}

variable "shard_count" {
  description = "Number of shards, 1 to 9."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains(range(1, 10), var.shard_count)
    error_message = "shard_count: ${var.shard_count} must be a whole number from 1 to 9."
  }
}

variable "member_count" {
  description = "Members of each replica set: 3, 5 or 7."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = contains([3, 5, 7], var.member_count)
    error_message = "member_count: ${var.member_count} must be one of 3, 5, 7; an even number survives no more failures than the next smaller odd number."
  }
}

variable "router_count" {
  description = "Number of routers (mongos and both apps on each), 1 to 9."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = contains(range(1, 10), var.router_count)
    error_message = "router_count: ${var.router_count} must be a whole number from 1 to 9."
  }
}

variable "instance_types" {
  description = "Instance type by role; `data` is a member host of the compact topology. x86-64 only."
  type = object({
    data   = optional(string, "t3.large")
    config = optional(string, "t3.small")
    shard  = optional(string, "t3.medium")
    router = optional(string, "t3.small")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for type in values(var.instance_types) : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", type))])
    error_message = "instance_types: each must be a family and a size, as in t3.large; got ${join(", ", values(var.instance_types))}."
  }

  # Graviton families have a g after the number, as in t4g; the first was a1. The AMI and MongoDB's packages are x86-64.
  validation {
    condition     = alltrue([for type in values(var.instance_types) : !can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", type))])
    error_message = "instance_types: each must be of an x86-64 family, as t3, m7i and r6a are; got ${join(", ", values(var.instance_types))}."
  }
}

variable "host_instance_types" {
  description = "Instance types of single hosts by name, overriding `instance_types`: use it to resize a replica set one member at a time."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for type in values(var.host_instance_types) : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", type))])
    error_message = "host_instance_types: each must be a family and a size, as in t3.large; got ${join(", ", values(var.host_instance_types))}."
  }

  # Graviton families have a g after the number, as in t4g; the first was a1. The AMI and MongoDB's packages are x86-64.
  validation {
    condition     = alltrue([for type in values(var.host_instance_types) : !can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", type))])
    error_message = "host_instance_types: each must be of an x86-64 family, as t3, m7i and r6a are; got ${join(", ", values(var.host_instance_types))}."
  }
}

variable "public_key" {
  description = "Public ssh key for the user ubuntu on all hosts, in OpenSSH format."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( [^\n]*)?\n?$", var.public_key))
    error_message = "public_key: must be one line in OpenSSH format, starting with ssh-ed25519 or ssh-rsa, the types that EC2 accepts."
  }
}

variable "tags" {
  description = "Additional tags for all resources."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.tags), ["Project", "Environment", "Cluster", "Name", "Groups"])) == 0
    error_message = "tags: Project, Environment, Cluster, Name and Groups are set by this configuration; the inventory is built from them."
  }
}

variable "permissions_boundary" {
  description = "Name of the policy made from permissions-boundary.json, the most that hosts' credentials can do. Empty: no such limit, which needs more rights than account-policy.json has."
  type        = string
  default     = "film-library-boundary"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{0,128}$", var.permissions_boundary))
    error_message = "permissions_boundary: \"${var.permissions_boundary}\" must be the name of a policy, not its ARN, or empty."
  }
}
