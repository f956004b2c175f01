"""Man pages and shell completions, made from what the commands themselves say of their options."""
