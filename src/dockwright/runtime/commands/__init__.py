"""One verb per file: FLAGS (a table for arguments.parse), WORDS (least and most arguments), run(options, globals)."""
