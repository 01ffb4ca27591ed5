"""The one HTTP client: who we are, patience, our errors."""
