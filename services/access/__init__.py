"""Who may connect: keys of services and workers, tokens of people, and where this user's own sessions keep theirs."""
