"""Small measurements of single steps."""
