"""The proof: a service that knows no idempotency, thousands of orders, failures at random points.

``pyflink-durable proof`` runs it. What it says is read from the service's own database, and from
the files that the job's sink has committed.
"""
