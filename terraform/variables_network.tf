# Where the cluster is and who can reach it.

variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-central-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: \"${var.region}\" must be a region's name, as in eu-central-1."
  }
}

variable "availability_zones" {
  description = "Zones for the members of each replica set, in this order; at least three. Empty: the region's first three."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.availability_zones) == 0 || length(distinct(var.availability_zones)) >= 3
    error_message = "availability_zones: ${join(", ", var.availability_zones)} are fewer than three different zones; with two, losing one can mean losing a majority."
  }

  validation {
    condition     = length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones: a zone is listed twice."
  }
}

variable "vpc_cidr" {
  description = "The network's addresses, a private /16 to /20; each zone gets a sixteenth."
  type        = string
  default     = "10.20.0.0/16"
  nullable    = false

  # A sixteenth of a /20 is a /24, which the hosts' addresses (topology.tf) need.
  validation {
    condition     = can(regex("^(10|172\\.(1[6-9]|2[0-9]|3[01])|192\\.168)\\.[0-9.]+/(1[6-9]|20)$", var.vpc_cidr)) && try(cidrsubnet(var.vpc_cidr, 0, 0), "") == var.vpc_cidr
    error_message = "vpc_cidr: \"${var.vpc_cidr}\" must be a private IPv4 network of /16 to /20 without host bits, as in 10.20.0.0/16."
  }
}

variable "admin_cidrs" {
  description = "Who may reach ssh on every host, and mongos and the admin app on the routers. At most a /16."
  type        = list(string)
  nullable    = false

  # With ten of them and ten public ones a router has 50 rules; EC2 allows 60 per group.
  validation {
    condition     = length(var.admin_cidrs) >= 1 && length(var.admin_cidrs) <= 10
    error_message = "admin_cidrs: must be 1 to 10 networks; without one nobody, not even Ansible, can reach the hosts."
  }

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(regex(":", cidr)) || try(cidrsubnet(cidr, 0, 0), "") == cidr])
    error_message = "admin_cidrs: ${join(", ", [for cidr in var.admin_cidrs : cidr if !can(regex(":", cidr)) && try(cidrsubnet(cidr, 0, 0), "") != cidr])}: must be an IPv4 network without host bits, as in 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : !can(regex(":", cidr))])
    error_message = "admin_cidrs: ${join(", ", [for cidr in var.admin_cidrs : cidr if can(regex(":", cidr))])}: not allowed for ssh, mongos and the admin app. The cluster has IPv4 addresses only, and ::/0 would be everybody."
  }

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : try(tonumber(split("/", cidr)[1]), 32) >= 16])
    error_message = "admin_cidrs: ${join(", ", [for cidr in var.admin_cidrs : cidr if try(tonumber(split("/", cidr)[1]), 32) < 16])}: wider than /16. That would open ssh, mongos and the admin app to more than 65,536 addresses, where passwords are guessed all day; list the addresses that administrators use."
  }
}

variable "public_cidrs" {
  description = "Who may reach the user app (80 and 443) on the routers. The default is everybody."
  type        = list(string)
  default     = ["0.0.0.0/0"]
  nullable    = false

  validation {
    condition     = length(var.public_cidrs) >= 1 && length(var.public_cidrs) <= 10
    error_message = "public_cidrs: must be 1 to 10 networks."
  }

  validation {
    condition     = alltrue([for cidr in var.public_cidrs : !can(regex(":", cidr)) && try(cidrsubnet(cidr, 0, 0), "") == cidr])
    error_message = "public_cidrs: ${join(", ", var.public_cidrs)}: each must be an IPv4 network without host bits, as in 0.0.0.0/0 or 203.0.113.0/24."
  }
}
