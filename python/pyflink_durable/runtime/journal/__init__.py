"""The journal: the bridge to Java, slots, what stands in them, and what is planned for them."""
