"""The name by which exceptions in journals of release 0.1 ask to be rebuilt."""

from pyflink_durable.payload.results import _rebuild as _rebuild
