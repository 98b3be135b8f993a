"""The real PostgreSQL and RabbitMQ of tests, demos and benches.

In this order: what the environment names, containers where a Docker engine answers, local servers.
"""

from dev.services.postgres import postgres
from dev.services.rabbitmq import rabbitmq
from dev.services.service import Service

__all__ = ["Service", "postgres", "rabbitmq"]
