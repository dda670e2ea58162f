# Who reaches what. Everything else is closed. Each group's complete list of rules is here, so rules added by hand are
# drift, and the next apply removes them.
#
# Each kind of host has two groups: an identity without rules, to which other groups' rules refer, and an access group with
# the rules. With a single group, kinds that reach each other would depend on each other.

locals {
  identities = { for kind, group in aws_security_group.identity : kind => group.id }

  # {description, protocol, port, cidrs, kinds}: ingress, by kind of host.
  ingress = {
    for kind in keys(local.kinds) : kind => concat(
      # Routers, config servers and shards all connect to every mongod: routing, elections, migrations.
      [
        for set in lookup(local.member_kinds, kind, []) :
        { description = "mongod of ${set}", protocol = "tcp", port = local.mongod_ports[set], cidrs = [], kinds = keys(local.kinds) }
      ],
      [{ description = "ssh", protocol = "tcp", port = local.ssh_port, cidrs = var.admin_cidrs, kinds = [] }],
      [
        for port in local.user_app_ports :
        { description = "user app", protocol = "tcp", port = port, cidrs = var.public_cidrs, kinds = [] }
        if kind == "router"
      ],
      [
        for service, port in { "admin app" = local.admin_app_port, mongos = local.mongos_port } :
        { description = service, protocol = "tcp", port = port, cidrs = var.admin_cidrs, kinds = [] }
        if kind == "router"
      ],
    )
  }

  # Egress, by kind of host. EC2 doesn't filter its own DNS and time service; their rules are here to keep the list complete.
  egress = concat(
    flatten([
      for kind, sets in local.member_kinds : [
        for set in sets :
        { description = "mongod of ${set}", protocol = "tcp", port = local.mongod_ports[set], cidrs = [], kinds = [kind] }
      ]
    ]),
    [
      for service, port in { "packages over http" = 80, "packages over https and backups" = 443 } :
      { description = service, protocol = "tcp", port = port, cidrs = ["0.0.0.0/0"], kinds = [] }
    ],
    [
      for protocol in ["tcp", "udp"] :
      { description = "dns of the vpc", protocol = protocol, port = 53, cidrs = ["${cidrhost(var.vpc_cidr, 2)}/32"], kinds = [] }
    ],
    [{ description = "amazon time", protocol = "udp", port = 123, cidrs = ["169.254.169.123/32"], kinds = [] }],
  )
}

resource "aws_security_group" "identity" {
  for_each = local.kinds

  name        = "${local.name}-${each.key}"
  description = "Identifies a host as ${each.key}; has no rules"
  vpc_id      = aws_vpc.main.id
  ingress     = []
  egress      = []
  tags        = merge(local.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_security_group" "access" {
  for_each = local.kinds

  name        = "${local.name}-${each.key}-access"
  description = "Ingress and egress of a ${each.key}"
  vpc_id      = aws_vpc.main.id
  tags        = merge(local.tags, { Name = "${local.name}-${each.key}-access" })

  # As attributes, not blocks: the complete list, in which unused arguments of a rule must be explicitly empty.
  ingress = [
    for rule in local.ingress[each.key] : {
      description      = rule.description
      protocol         = rule.protocol
      from_port        = rule.port
      to_port          = rule.port
      cidr_blocks      = rule.cidrs
      security_groups  = [for kind in rule.kinds : local.identities[kind]]
      ipv6_cidr_blocks = []
      prefix_list_ids  = []
      self             = false
    }
  ]

  egress = [
    for rule in local.egress : {
      description      = rule.description
      protocol         = rule.protocol
      from_port        = rule.port
      to_port          = rule.port
      cidr_blocks      = rule.cidrs
      security_groups  = [for kind in rule.kinds : local.identities[kind]]
      ipv6_cidr_blocks = []
      prefix_list_ids  = []
      self             = false
    }
  ]
}
