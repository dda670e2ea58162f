# The hosts, their groups and zones. Ports, layouts and addresses come from the file that Ansible and ops read, too;
# ops/topology.py describes it. A test compares the hosts with those of a local cluster.

locals {
  # Names of roles must be unique in the account, so they contain the cluster's id.
  name = "film-library-${var.cluster_id != "" ? var.cluster_id : var.environment}"

  all_tags = merge(var.tags, { Project = "film-library", Environment = var.environment, Cluster = var.cluster_id })
  tags     = { for key, value in local.all_tags : key => value if value != "" }

  shared = jsondecode(file("${path.module}/../ansible/group_vars/all/topology.json"))
  ports  = local.shared.cluster_ports

  shards = [for number in range(1, var.shard_count + 1) : "shard${number}"]

  mongod_ports = merge(
    { config = local.ports.config },
    { for index, shard in local.shards : shard => local.ports.first_shard + local.ports.shard_step * index },
  )
  mongos_port    = local.ports.mongos
  ssh_port       = 22
  user_app_ports = [local.ports.redirect, local.ports.user_app]
  admin_app_port = local.ports.admin_app

  # All kinds of hosts, with their inventory groups. The layout's `shard*` means every shard.
  kinds = merge([
    for kind, groups in local.shared.cluster_layouts[var.topology] : {
      for name in(kind == "shard*" ? local.shards : [kind]) :
      name => kind == "shard*" ? [name] : flatten([for group in groups : group == "shard*" ? local.shards : [group]])
    }
  ]...)
  # Kinds of hosts with data, and the replica sets that have a member there.
  member_kinds = { for kind, groups in local.kinds : kind => groups if kind != "router" }

  instance_type_of_kind = merge(
    { for shard in local.shards : shard => var.instance_types.shard },
    { mongo = var.instance_types.data, config = var.instance_types.config, router = var.instance_types.router },
  )

  # A host keeps its address when others are added or removed, and when it is rebuilt.
  first_address = merge(
    local.shared.cluster_first_addresses,
    {
      for index, shard in local.shards :
      shard => local.shared.cluster_first_addresses.first_shard + local.shared.cluster_first_addresses.shard_step * index
    },
  )

  # By name. Numbers start at 0 here and at 1 in names.
  hosts = merge([
    for kind, groups in local.kinds : {
      for number in range(kind == "router" ? var.router_count : var.member_count) : "${kind}-${number + 1}" => {
        kind          = kind
        groups        = groups
        stores_data   = kind != "router"
        zone          = local.zones[number % length(local.zones)]
        address       = cidrhost(local.subnet_cidrs[local.zones[number % length(local.zones)]], local.first_address[kind] + number)
        instance_type = lookup(var.host_instance_types, "${kind}-${number + 1}", local.instance_type_of_kind[kind])
      }
    }
  ]...)

  data_hosts = { for name, host in local.hosts : name => host if host.stores_data }
}
