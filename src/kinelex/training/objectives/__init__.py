"""What training minimizes, one objective per file."""
