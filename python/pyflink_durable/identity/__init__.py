"""Which call a call is: ids of functions, digests of arguments, the rules of older releases."""

from pyflink_durable.identity.digest import compute_args_digest, compute_function_id

__all__ = ["compute_args_digest", "compute_function_id"]
