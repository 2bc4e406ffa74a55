"""Pure parsing of what users type; standard library only, shared with the command line."""
