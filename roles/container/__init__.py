"""How any container converges; the parts only say what they want."""
