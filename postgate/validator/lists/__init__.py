"""What is allowed and refused, one name a line: each name is a permission."""
