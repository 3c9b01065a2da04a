"""lbdeploy: a highly available load balancer for a Kubernetes API, over SSH, without an agent."""

__version__ = "0.1.0"
