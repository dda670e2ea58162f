# Which hosts there are, what each of them carries, and where it stands. Names, groups, ports and the last part of the
# addresses are those of local hosts too (ops/topology.py); a test compares the two.

locals {
  # Names of roles are the whole account's, so they tell two clusters apart as the tag Cluster does.
  name = "film-library-${var.cluster_id != "" ? var.cluster_id : var.environment}"

  all_tags = merge(var.tags, { Project = "film-library", Environment = var.environment, Cluster = var.cluster_id })
  tags     = { for key, value in local.all_tags : key => value if value != "" }

  shards = [for number in range(1, var.shard_count + 1) : "shard${number}"]

  mongod_ports = merge({ config = 27019 }, { for index, shard in local.shards : shard => 27018 + 10 * index })
  mongos_port  = 27017
  ssh_port     = 22
  # The user app's and the admin app's, as nginx offers them.
  user_app_ports = [80, 443]
  admin_app_port = 8080

  # Kinds of host that carry data: which replica sets have a member there.
  member_kinds = {
    for kind in concat(var.topology == "compact" ? ["mongo"] : ["config"], var.topology == "compact" ? [] : local.shards) :
    kind => kind == "mongo" ? concat(["config"], local.shards) : [kind]
  }
  # Every kind of host, with the inventory groups of its hosts.
  kinds = merge(local.member_kinds, { router = ["mongos", "web"] })

  instance_type_of_kind = merge(
    { for shard in local.shards : shard => var.instance_types.shard },
    { mongo = var.instance_types.data, config = var.instance_types.config, router = var.instance_types.router },
  )

  # A host keeps its address when others come or go, and when it is rebuilt.
  first_address = merge(
    { for index, shard in local.shards : shard => 41 + 10 * index },
    { mongo = 11, config = 11, router = 31 },
  )

  # By name. Numbers begin with 0 here, with 1 in names.
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
