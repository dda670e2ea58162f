"""Documentation of the options that `mongodb_client.tls_arguments` defines."""

from __future__ import annotations


class ModuleDocFragment:
    """The part that all modules talking to MongoDB share."""

    DOCUMENTATION = r"""
options:
  login_ca_file:
    description: Certificate of the servers' authority. Without it, connections go without TLS.
    type: path
  login_certificate_file:
    description: Certificate and key, in one file, for servers that ask clients for one.
    type: path
"""
