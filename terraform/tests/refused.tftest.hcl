# Invalid configurations. tests/terraform checks the messages.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  admin_cidrs = ["203.0.113.0/28"]
  public_key  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkL9y6t4U82vM170IULLioeNktW/nUGiu99pAHvc4nf tests"
}

run "administration_open_to_everybody" {
  command = plan
  variables { admin_cidrs = ["203.0.113.0/28", "0.0.0.0/0"] }
  expect_failures = [var.admin_cidrs]
}

run "administration_open_to_everybody_in_two_halves" {
  command = plan
  variables { admin_cidrs = ["0.0.0.0/1", "128.0.0.0/1"] }
  expect_failures = [var.admin_cidrs]
}

run "administration_open_to_everybody_by_ipv6" {
  command = plan
  variables { admin_cidrs = ["::/0"] }
  expect_failures = [var.admin_cidrs]
}

run "administration_open_to_more_than_65536_addresses" {
  command = plan
  variables { admin_cidrs = ["198.18.0.0/15"] }
  expect_failures = [var.admin_cidrs]
}

run "administration_open_to_nobody" {
  command = plan
  variables { admin_cidrs = [] }
  expect_failures = [var.admin_cidrs]
}

run "invalid_networks" {
  command = plan
  variables {
    admin_cidrs  = ["203.0.113.7/28"]
    public_cidrs = ["::/0"]
    vpc_cidr     = "10.20.0.0/24"
  }
  expect_failures = [var.admin_cidrs, var.public_cidrs, var.vpc_cidr]
}

run "a_network_that_only_looks_private" {
  command = plan
  variables { vpc_cidr = "172.200.0.0/16" }
  expect_failures = [var.vpc_cidr]
}

run "unsupported_processors" {
  command = plan
  variables {
    instance_types      = { data = "r8gd.large" }
    host_instance_types = { router-1 = "t4g.small" }
  }
  expect_failures = [var.instance_types, var.host_instance_types]
}

run "an_even_number_of_members_and_an_unknown_topology" {
  command = plan
  variables {
    member_count = 4
    topology     = "ring"
    shard_count  = 0
    router_count = 10
  }
  expect_failures = [var.member_count, var.topology, var.shard_count, var.router_count]
}

run "an_unencrypted_disk" {
  command = plan
  variables { data_volume = { encrypted = false } }
  expect_failures = [var.data_volume]
}

run "too_many_iops_for_the_size" {
  command = plan
  variables { data_volume = { size_gb = 10, iops = 6000 } }
  expect_failures = [var.data_volume]
}

run "too_much_throughput_for_the_iops" {
  command = plan
  variables { data_volume = { throughput = 1000 } }
  expect_failures = [var.data_volume]
}

run "fewer_than_three_zones" {
  command = plan
  variables { availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1a"] }
  expect_failures = [var.availability_zones]
}

run "names_and_types" {
  command = plan
  variables {
    environment           = "Prod!"
    region                = "Frankfurt"
    instance_types        = { router = "large" }
    host_instance_types   = { mongo-1 = "" }
    public_key            = "ssh-dss AAAA"
    root_volume_gb        = 4
    backup_prefix         = "/mongodb/"
    backup_retention_days = 0
    backup_lock_days      = 1.5
    backup_lock_mode      = "NONE"
    tags                  = { Environment = "other" }
    permissions_boundary  = "arn:aws:iam::123456789012:policy/wide"
  }
  expect_failures = [
    var.environment, var.region, var.instance_types, var.host_instance_types, var.public_key, var.root_volume_gb,
    var.backup_prefix, var.backup_retention_days, var.backup_lock_days, var.backup_lock_mode, var.tags,
    var.permissions_boundary,
  ]
}

run "a_region_with_two_zones" {
  command = plan
  override_data {
    target = data.aws_availability_zones.region
    values = { names = ["eu-central-1a", "eu-central-1b"] }
  }
  expect_failures = [aws_vpc.main]
}

run "contradictions" {
  command = plan
  variables {
    availability_zones   = ["eu-central-1a", "eu-central-1b", "us-east-1c"]
    host_instance_types  = { shard1-1 = "t3.large" }
    admin_cidrs          = ["10.20.3.0/24"]
    backup_lock_days     = 60
    backup_lock_mode     = "COMPLIANCE"
    backup_force_destroy = true
  }
  expect_failures = [aws_vpc.main]
}
