"""The least that queueing one execution takes: connect, insert its rows, publish its message. Nothing is checked.

The baseline of `bench.cold_start`: a script as one would write it with psycopg and pika.
"""

import json
import os
import sys
import uuid

import pika
import psycopg
from psycopg.types.json import Jsonb

graph_id, user_id, node_id = sys.argv[1:]
execution_id, node_execution_id = str(uuid.uuid4()), str(uuid.uuid4())
inputs = {"name": "text", "value": "hello"}

with psycopg.connect(os.environ["DATABASE_URL"].partition("?")[0]) as connection:
    connection.execute("SET search_path TO platform")
    connection.execute(
        'INSERT INTO "AgentGraphExecution" (id, "agentGraphId", "userId", "executionStatus", inputs, "updatedAt")'
        " VALUES (%s, %s, %s, 'QUEUED', %s, now())",
        (execution_id, graph_id, user_id, Jsonb({"text": "hello"})),
    )
    connection.execute(
        'INSERT INTO "AgentNodeExecution"'
        ' (id, "agentGraphExecutionId", "agentNodeId", "executionStatus", "queuedTime")'
        " VALUES (%s, %s, %s, 'QUEUED', now())",
        (node_execution_id, execution_id, node_id),
    )
    connection.cursor().executemany(
        'INSERT INTO "AgentNodeExecutionInputOutput" (id, name, data, "referencedByInputExecId")'
        " VALUES (%s, %s, %s, %s)",
        [(str(uuid.uuid4()), name, Jsonb(value), node_execution_id) for name, value in inputs.items()],
    )

message = {"user_id": user_id, "graph_exec_id": execution_id, "graph_id": graph_id, "graph_version": 1}
broker = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"]))
channel = broker.channel()
channel.confirm_delivery()
channel.basic_publish(
    "graph_execution",
    "graph_execution.run",
    json.dumps(message).encode(),
    pika.BasicProperties(delivery_mode=2),
    mandatory=True,
)
print(f"queued {execution_id}")
broker.close()
