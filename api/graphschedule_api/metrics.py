"""The API's metrics, by Prometheus' naming conventions."""

from __future__ import annotations

import prometheus_client

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client leaves it unannotated

REQUEST_SECONDS = prometheus_client.Histogram(
    "graphschedule_api_request_duration_seconds",
    "Time from a request to the end of its answer.",
    ["route", "method", "code"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
API_REQUESTS = prometheus_client.Counter(
    "graphschedule_api_kubernetes_requests", "Requests to the API server.", ["method", "resource", "code"]
)
DATABASE_REQUESTS = prometheus_client.Counter(
    "graphschedule_api_database_requests", "Transactions on the platform's database.", ["result"]
)
SCHEDULES = prometheus_client.Gauge("graphschedule_api_schedules", "Schedules in the cache.")
CACHE_AGE_SECONDS = prometheus_client.Gauge(
    "graphschedule_api_cache_age_seconds", "For how long the cache has not followed the API server."
)
RELISTS = prometheus_client.Counter("graphschedule_api_relists", "Complete lists of the schedules of a namespace.")
