"""From characters to tokens, exactly as PostgreSQL takes them."""
