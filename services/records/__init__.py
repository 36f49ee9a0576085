"""What is handed on with a session's results: checksums, tables for archives, words for a paper."""
