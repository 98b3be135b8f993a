"""Who asks over REST, and what they may do."""
