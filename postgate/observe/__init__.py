"""What happens is told here: for now the log."""
