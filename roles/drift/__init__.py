"""What on hosts is not as it is wanted: found, reported, and never changed."""
