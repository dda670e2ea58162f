"""The environment `aws`: Terraform makes the hosts, EC2's API switches them, and the roles are the same as anywhere."""
