# The instances and their addresses. Ansible does everything inside them; there is no user data.

data "aws_ami" "ubuntu" {
  most_recent = true
  owners      = ["099720109477"] # Canonical, from Ubuntu's documentation of its EC2 images

  filter {
    name   = "name"
    values = ["ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"]
  }
}

resource "aws_key_pair" "admin" {
  key_name   = local.name
  public_key = var.public_key
  tags       = merge(local.tags, { Name = local.name })
}

resource "aws_instance" "host" {
  for_each = local.hosts

  ami                    = data.aws_ami.ubuntu.id
  instance_type          = each.value.instance_type
  key_name               = aws_key_pair.admin.key_name
  subnet_id              = aws_subnet.public[each.value.zone].id
  private_ip             = each.value.address
  vpc_security_group_ids = [aws_security_group.identity[each.value.kind].id, aws_security_group.access[each.value.kind].id]
  # Routers make the backups. Members get no credentials. On the hosts, the role firewall keeps those of routers from the apps and nginx.
  iam_instance_profile = each.value.kind == "router" ? aws_iam_instance_profile.backup.name : null

  tags = merge(local.tags, { Name = each.key, Groups = join(",", each.value.groups) })

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required" # IMDSv2 only
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type           = "gp3"
    volume_size           = var.root_volume_gb
    encrypted             = true
    delete_on_termination = true
  }

  # The root disk's tags, set as it is made: account-policy.json allows no tags for what is there already. The provider takes
  # all attached volumes for the instance's own, so later differences are ignored.
  volume_tags = merge(local.tags, { Name = "${local.name}-${each.key}-root" })

  lifecycle {
    # A newer image is only used for new hosts.
    ignore_changes = [ami, volume_tags, root_block_device[0].tags]
  }
}

resource "aws_eip" "host" {
  for_each = local.hosts

  tags       = merge(local.tags, { Name = "${local.name}-${each.key}" })
  depends_on = [aws_internet_gateway.main]
}

# A separate resource, so that the address outlives the instance.
resource "aws_eip_association" "host" {
  for_each = local.hosts

  allocation_id = aws_eip.host[each.key].id
  instance_id   = aws_instance.host[each.key].id
}
