"""Evidence to workloads and launches, without I/O: Kubernetes, KServe, compose, systemd."""
