terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }

  # `init -backend-config=path=...` says where; backend_override.tf.example is the way to a bucket with locking.
  backend "local" {}
}

# Credentials and, for tests, the endpoint come from the environment.
provider "aws" {
  region = var.region
}
