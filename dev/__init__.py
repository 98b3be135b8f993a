"""What developers, tests and benches run: a cluster, services, images, locks. Never part of a release."""
