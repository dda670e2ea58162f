# The hosts for different variables: name, zone, private address, groups. Names, groups and the last part of addresses are
# the same as for local hosts.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  admin_cidrs = ["203.0.113.0/28"]
  public_key  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkL9y6t4U82vM170IULLioeNktW/nUGiu99pAHvc4nf tests"
}

run "compact_is_the_default" {
  assert {
    condition = { for name, host in output.hosts : name => "${host.zone} ${host.private_ip} ${join(",", host.groups)}" } == {
      mongo-1  = "eu-central-1a 10.20.0.11 config,shard1,shard2"
      mongo-2  = "eu-central-1b 10.20.16.12 config,shard1,shard2"
      mongo-3  = "eu-central-1c 10.20.32.13 config,shard1,shard2"
      router-1 = "eu-central-1a 10.20.0.31 mongos,web"
    }
    error_message = "hosts: ${jsonencode(output.hosts)}"
  }

  assert {
    condition     = [for name, host in output.hosts : name if host.data_volume_id == null] == ["router-1"]
    error_message = "every host that runs mongod has a data volume, and no other"
  }

  assert {
    condition     = { for name, host in output.hosts : name => host.instance_type } == { mongo-1 = "t3.large", mongo-2 = "t3.large", mongo-3 = "t3.large", router-1 = "t3.small" }
    error_message = "instance types: ${jsonencode(output.hosts)}"
  }
}

run "dedicated_has_one_host_per_process" {
  variables {
    topology = "dedicated"
  }

  assert {
    condition = { for name, host in output.hosts : name => "${host.zone} ${host.private_ip} ${join(",", host.groups)}" } == {
      config-1 = "eu-central-1a 10.20.0.11 config"
      config-2 = "eu-central-1b 10.20.16.12 config"
      config-3 = "eu-central-1c 10.20.32.13 config"
      shard1-1 = "eu-central-1a 10.20.0.41 shard1"
      shard1-2 = "eu-central-1b 10.20.16.42 shard1"
      shard1-3 = "eu-central-1c 10.20.32.43 shard1"
      shard2-1 = "eu-central-1a 10.20.0.51 shard2"
      shard2-2 = "eu-central-1b 10.20.16.52 shard2"
      shard2-3 = "eu-central-1c 10.20.32.53 shard2"
      router-1 = "eu-central-1a 10.20.0.31 mongos,web"
    }
    error_message = "hosts: ${jsonencode(output.hosts)}"
  }
}

run "compact_grows" {
  variables {
    shard_count  = 3
    router_count = 2
    member_count = 5
  }

  assert {
    condition     = keys(output.hosts) == ["mongo-1", "mongo-2", "mongo-3", "mongo-4", "mongo-5", "router-1", "router-2"]
    error_message = "hosts: ${jsonencode(keys(output.hosts))}"
  }

  assert {
    condition     = output.hosts["mongo-5"].groups == tolist(["config", "shard1", "shard2", "shard3"])
    error_message = "groups: ${jsonencode(output.hosts["mongo-5"].groups)}"
  }

  assert {
    condition     = output.hosts["router-2"].zone == "eu-central-1b"
    error_message = "routers are spread over the zones too"
  }
}

run "the_largest_dedicated_cluster_has_enough_addresses" {
  command = plan

  variables {
    topology     = "dedicated"
    shard_count  = 9
    router_count = 9
    member_count = 7
    vpc_cidr     = "10.20.0.0/20"
  }

  assert {
    condition     = length(distinct([for host in output.hosts : host.private_ip])) == 79
    error_message = "two hosts share an address: ${jsonencode(output.hosts)}"
  }
}

run "custom_zones_and_types" {
  variables {
    availability_zones  = ["eu-central-1c", "eu-central-1a", "eu-central-1d", "eu-central-1b"]
    instance_types      = { router = "c7i.large" }
    host_instance_types = { mongo-2 = "m7i.xlarge" }
  }

  assert {
    condition     = [for name in ["mongo-1", "mongo-2", "mongo-3"] : output.hosts[name].zone] == ["eu-central-1c", "eu-central-1a", "eu-central-1d"]
    error_message = "zones: ${jsonencode(output.hosts)}"
  }

  assert {
    condition     = { for name, host in output.hosts : name => host.instance_type } == { mongo-1 = "t3.large", mongo-2 = "m7i.xlarge", mongo-3 = "t3.large", router-1 = "c7i.large" }
    error_message = "instance types: ${jsonencode(output.hosts)}"
  }
}

run "backups_are_not_locked_for_longer_than_they_stay" {
  command = plan
  variables {
    backup_retention_days = 30
  }

  assert {
    condition     = local.backup_lock_days == 30
    error_message = "lock: ${local.backup_lock_days} days"
  }
}
