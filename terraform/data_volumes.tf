# The data volume of each host with mongod. It outlives the instance, so a rebuilt host keeps its data.

resource "aws_ebs_volume" "data" {
  for_each = local.data_hosts

  availability_zone = each.value.zone
  type              = "gp3"
  size              = var.data_volume.size_gb
  iops              = var.data_volume.iops
  throughput        = var.data_volume.throughput
  encrypted         = var.data_volume.encrypted
  tags              = merge(local.tags, { Name = "${local.name}-${each.key}-data" })
}

resource "aws_volume_attachment" "data" {
  for_each = local.data_hosts

  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data[each.key].id
  instance_id = aws_instance.host[each.key].id

  # Detaching a mounted volume from a running instance hangs. Attachments are only removed together with the instance,
  # and EC2 detaches volumes when it terminates that.
  skip_destroy = true
}
