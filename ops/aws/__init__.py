"""The environment `aws`: Terraform creates the hosts, EC2's API starts and stops them; the roles are the same."""
