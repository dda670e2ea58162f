terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }

  # `init -backend-config=path=...` sets the path; for a bucket with locking see backend_override.tf.example.
  backend "local" {}
}

# Credentials and, for tests, the endpoint come from the environment.
provider "aws" {
  region = var.region
}
