"""The demo: a payment service, a job that charges orders, and failures in the middle of it.

``python -m pyflink_durable.demo`` runs it. ``service`` is the payment service on its own,
``job`` the handler and the Flink job; the other modules run them and report what happened.
"""
