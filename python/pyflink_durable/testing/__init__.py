"""What handlers are tested with, without a cluster."""
