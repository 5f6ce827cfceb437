"""What crosses the journal: values and exceptions as bytes, and back."""
