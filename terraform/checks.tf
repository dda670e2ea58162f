# Checks that involve several variables. The network's precondition (network.tf) reports all errors at once.

locals {
  errors = concat(
    length(local.zones) >= 3 ? [] : [
      "region: ${var.region} offers ${length(local.zones)} availability zones; a replica set needs three.",
    ],
    [
      for zone in var.availability_zones : "availability_zones: ${zone} isn't a zone of the region ${var.region}."
      if !startswith(zone, var.region)
    ],
    [
      for name in keys(var.host_instance_types) :
      "host_instance_types: there is no host ${name}; there are ${join(", ", keys(local.hosts))}."
      if !contains(keys(local.hosts), name)
    ],
    # Otherwise every host could reach every other's ssh, and mongos.
    [
      for cidr in local.admin_cidrs_inside : "admin_cidrs: ${cidr} overlaps with vpc_cidr ${var.vpc_cidr}; administrators come from outside."
    ],
    local.backup_lock_days <= var.backup_retention_days ? [] : [
      "backup_lock_days: ${local.backup_lock_days} is more than backup_retention_days, ${var.backup_retention_days}; a locked backup can't expire.",
    ],
    var.backup_lock_mode == "COMPLIANCE" && var.backup_force_destroy ? [
      "backup_force_destroy: can't be true with backup_lock_mode COMPLIANCE, where nobody can remove a locked backup.",
    ] : [],
  )

  # Two networks overlap if they are equal at the shorter prefix length.
  shorter_prefix = { for cidr in var.admin_cidrs : cidr => min(tonumber(split("/", cidr)[1]), tonumber(split("/", var.vpc_cidr)[1])) }
  admin_cidrs_inside = [
    for cidr, bits in local.shorter_prefix : cidr
    if cidrhost("${split("/", cidr)[0]}/${bits}", 0) == cidrhost("${split("/", var.vpc_cidr)[0]}/${bits}", 0)
  ]
}
