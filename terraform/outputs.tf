output "hosts" {
  description = "Every host by name: its instance, addresses, inventory groups, zone, type, and data volume (null on routers)."
  value = {
    for name, host in local.hosts : name => {
      instance_id    = aws_instance.host[name].id
      private_ip     = host.address
      public_ip      = aws_eip.host[name].public_ip
      groups         = host.groups
      zone           = host.zone
      instance_type  = host.instance_type
      data_volume_id = host.stores_data ? aws_ebs_volume.data[name].id : null
    }
  }
}

output "ssh_user" {
  description = "The user for ssh."
  value       = "ubuntu"
}

output "region" {
  description = "The cluster's region."
  value       = var.region
}

output "cluster_id" {
  description = "The cluster's unique id."
  value       = var.cluster_id
}

output "backup_bucket" {
  description = "Name of the bucket for backups."
  value       = module.backup_bucket.name
}

output "backup_prefix" {
  description = "Prefix of the keys of all backups."
  value       = var.backup_prefix
}

output "admin_cidrs" {
  description = "Who may reach ssh, mongos and the admin app, for the hosts' own packet filters."
  value       = var.admin_cidrs
}

output "public_cidrs" {
  description = "Who may reach the user app, for the hosts' own packet filters."
  value       = var.public_cidrs
}
