"""Images: built once from a context, and brought to every host that runs them."""
