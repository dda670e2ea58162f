# A network with a public subnet in each zone. Elastic IPs are the only public addresses.

data "aws_availability_zones" "region" {
  # In any state: a zone's outage must not move hosts. Without zones that are opt-in, such as local zones.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  region_zones = sort(data.aws_availability_zones.region.names)
  zones = (
    length(var.availability_zones) > 0
    ? var.availability_zones
    : slice(local.region_zones, 0, min(3, length(local.region_zones)))
  )
  subnet_cidrs = { for index, zone in local.zones : zone => cidrsubnet(var.vpc_cidr, 4, index) }
}

resource "aws_vpc" "main" {
  cidr_block = var.vpc_cidr
  tags       = merge(local.tags, { Name = local.name })

  lifecycle {
    precondition {
      condition     = length(local.errors) == 0
      error_message = join("\n", local.errors)
    }
  }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = merge(local.tags, { Name = local.name })
}

resource "aws_subnet" "public" {
  for_each = local.subnet_cidrs

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false
  tags                    = merge(local.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  tags   = merge(local.tags, { Name = "${local.name}-public" })

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}
