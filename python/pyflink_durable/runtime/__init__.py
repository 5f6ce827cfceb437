"""What runs in the TaskManager, in rooms; users never import it."""
