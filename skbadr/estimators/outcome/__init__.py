"""What a search came to: fitted attributes, what is promised, and the summary in sentences."""
